"""Labelled images of one's own, in whatever splits they have. Not run by itself."""

task = dict(
    data=None,
    train="train",
    val="auto",
    hold_out=0.1,
    test="auto",
    encode_batch_size=256,
    workers=2,
)
