"""COCO multi-label classification at 512 px, ViT-B/16.

Protocol: 10 epochs of train2017, AdamW 1e-5 -> 1e-6 (cosine, 500 iterations of warm-up), weight decay 0.05,
batch 128; BCE summed over the 80 categories; random resized crop (at least half of the picture), flip,
RandAugment; bf16 where it is fast, activations computed twice to save memory. Tested once after the last
step on all of val2017, those without any object included, squeezed to 512 x 512 pixels; a crowd counts as
what it is a crowd of. mAP is the mean over categories; micro and weighted beside it; the interval is over
images. ``--set model.loss=asymmetric`` trains by the asymmetric loss instead.

Different from the paper: gradients clipped at norm 1.0; one size of 512 pixels in training, where the
released recipe draws sizes from 256 to 768; batch 128 is the released recipe's, the paper says 32; no
learned RangeAugment.

Command:
    python run_suite.py run task_configs/classification/coco_multilabel_vit_base.py \
        --backbone corenet:vit_base.pt --data coco=PATH        (PATH holds annotations/, train2017/ ...)

Published: CatLIP (DataComp-1.3B) 87.9 mAP; CLIP (DataComp-1.3B) 87.4 (arXiv 2404.15653, table 3).
"""

_base_ = ["_base_/coco_multilabel.py"]

model = dict(backbone=dict(weights="corenet:vit_base.pt"))
