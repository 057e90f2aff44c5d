"""Image retrieval on ImageNet-1k, with frozen features.

Protocol: class token at the backbone's own image size; every image of val/ asks for all others, by cosine
similarity; those of its class are relevant; mean average precision and recall at 1 and 5. Nothing is
trained and nothing is chosen. Queries of one class look for each other, so that the interval is over
classes.

Command:
    python run_suite.py run task_configs/classification/imagenet1k_retrieval.py \
        --backbone run:CHECKPOINT_FOLDER --data imagenet1k=PATH        (PATH holds train/ and val/)

Published: none for CatLIP.
"""

task = dict(
    type="retrieval",
    data="imagenet1k",
    feature="class_token",
    train="train",
    val=None,
    hold_out=0.01,
    test="val",
    encode_batch_size=256,
    workers=8,
)
