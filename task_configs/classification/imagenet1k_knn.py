"""k-nearest neighbours on ImageNet-1k, with frozen features.

Protocol: class token at the backbone's own image size; the 5 and the 20 training images nearest by cosine
similarity vote, each with exp(similarity / 0.07), as in DINO's evaluation; the number of neighbours is
chosen on validation images (1 % of every class, held out of train/); top-1 on val/ reported once. The
interval is over images.

Command:
    python run_suite.py run task_configs/classification/imagenet1k_knn.py \
        --backbone run:CHECKPOINT_FOLDER --data imagenet1k=PATH        (PATH holds train/ and val/)

Published: none for CatLIP.
"""

task = dict(
    type="knn",
    data="imagenet1k",
    feature="class_token",
    train="train",
    val=None,
    hold_out=0.01,
    test="val",
    k=(5, 20),
    temperature=0.07,
    units="images",
    encode_batch_size=256,
    workers=8,
)
