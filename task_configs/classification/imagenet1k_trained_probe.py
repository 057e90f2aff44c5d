"""Linear probe on ImageNet-1k as the paper trains it: 30 epochs, one learning rate, nothing chosen.

Protocol: frozen class token at the backbone's own image size; a linear classifier, trained on train/ less 1
% of every class for 30 epochs with AdamW, learning rate 3e-5 to 1e-6 along a cosine, no weight decay, batch
256 (arXiv 2404.15653 and its released code); top-1 and top-5 reported once on val/ with Wilson's 95 %
interval over images. So small a rate leaves a probe unfinished; imagenet1k_linear_probe.py solves it.
``--axis init=transfer`` starts from the rows of the pre-trained classifier (section 4.2), ``--axis
fraction=0.05`` trains on 5 % of each class: the paper's figure 5a.

Different from the paper: features are those of the centre crop, taken once; the released code trains on
random resized crops and flips.

Command:
    python run_suite.py run task_configs/classification/imagenet1k_trained_probe.py \
        --backbone run:CHECKPOINT_FOLDER --data imagenet1k=PATH        (PATH holds train/ and val/)

Published: CatLIP (DataComp-1.3B) ViT-B/16 80.1 top-1 (arXiv 2404.15653, table 1) or 80.8 (section 4.2),
ViT-L/16 85.2, ViT-H/16 86.1 (section 4.2).
"""

task = dict(
    type="trained_probe",
    data="imagenet1k",
    feature="class_token",
    train="train",
    val=None,
    hold_out=0.01,
    test="val",
    epochs=30,
    batch_size=256,
    lr=3e-5,
    min_lr=1e-6,
    weight_decay=0.0,
    units="images",
    encode_batch_size=256,
    workers=8,
)
