"""Few-shot classification on ImageNet-1k, with frozen features.

Protocol: class token at the backbone's own image size; a linear classifier from 1, 2, 4, 8 and 16 images of
every class, ten draws, each draw's smaller sets within its larger ones; features standardised by the images
that are trained on; of four strengths of the L2 penalty the one that does best on the validation images, on
average over the draws, is taken for each number of images, the same procedure for every backbone; top-1,
mean over the draws. The interval is over images; how far draws differ is in the record.

Command:
    python run_suite.py run task_configs/classification/imagenet1k_fewshot.py \
        --backbone run:CHECKPOINT_FOLDER --data imagenet1k=PATH        (PATH holds train/ and val/)

Published: none for CatLIP.
"""

task = dict(
    type="fewshot",
    data="imagenet1k",
    feature="class_token",
    train="train",
    val=None,
    hold_out=0.01,
    test="val",
    shots=(1, 2, 4, 8, 16),
    draws=10,
    l2=(1.0, 1e-1, 1e-2, 1e-3),
    units="images",
    encode_batch_size=256,
    workers=8,
)
