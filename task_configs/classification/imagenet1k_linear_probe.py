"""Linear probe on ImageNet-1k at the backbone's own image size.

Protocol: frozen class token, standardised by the training images; multinomial logistic regression on train/
less 1 % of every class, which chooses the L2 penalty from 45 strengths; top-1 and top-5 reported once on val/
(the 50,000 images the literature reports on, sorted into class folders), with Wilson's 95 % interval over
images. No augmentation.

Different from the paper: it trains 30 epochs at learning rate 3e-5 and does not say how its settings were
chosen; a solved and swept probe can come out higher than a published one.

Command:
    python run_suite.py run task_configs/classification/imagenet1k_linear_probe.py \
        --backbone run:CHECKPOINT_FOLDER --data imagenet1k=PATH        (PATH holds train/ and val/)

Published: CatLIP (DataComp-1.3B) ViT-B/16 80.1 top-1 (arXiv 2404.15653, table 1) or 80.8 (section 4.2),
ViT-L/16 85.2, ViT-H/16 86.1 (section 4.2).
"""

task = dict(
    type="linear_probe",
    data="imagenet1k",
    feature="class_token",
    train="train",
    val=None,
    hold_out=0.01,
    test="val",
    units="images",
    l2=(1e-8, 10.0, 45),
    encode_batch_size=256,
    workers=8,
)
