"""CatLIP on DataComp-1.3B, ViT-B/16 at 224 px.

Protocol: 200,000 steps of batch 65,536, AdamW 1e-3 -> 1e-5 (cosine, 10,000 steps of warm-up), weight decay
0.2, gradients clipped at norm 1.0; random resized crop and flip; averaged weights. Classes are the synsets of
more than 500 captions.

Different from the paper: one size of 224 px, where it draws sizes from 128 to 320; no learned RangeAugment.

Command:
    python run_suite.py pretrain task_configs/pretraining/datacomp_catlip_vit_base.py \
        --data pairs=PATH        (PATH holds DataComp-1.3B as img2dataset writes it)

Published: fine-tuned on ImageNet-1k 84.3 top-1 (arXiv 2404.15653, table 2); figure 8 plots the training
loss, and its values are lost.
"""

_base_ = ["_base_/paper.py"]
samples = 200_000 * 65_536
batch_size = 65_536
objective = dict(type="catlip", min_count=501)
optimizer = dict(
    lr=1e-3, betas=(0.9, 0.999), weight_decay=0.2, warmup_samples=10_000 * 65_536, min_lr_ratio=0.01
)
