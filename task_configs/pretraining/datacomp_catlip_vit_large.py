"""CatLIP on DataComp-1.3B, ViT-L/16 at 224 px.

Protocol: 200,000 steps of batch 65,536, AdamW 6e-4 -> 6e-6 (cosine, 10,000 steps of warm-up), weight decay
0.2, gradients clipped at norm 1.0; random resized crop and flip; averaged weights. Classes are the synsets of
more than 500 captions.

Different from the paper: one size of 224 px, where it draws sizes from 128 to 320; no learned RangeAugment.

Command:
    python run_suite.py pretrain task_configs/pretraining/datacomp_catlip_vit_large.py \
        --data pairs=PATH        (PATH holds DataComp-1.3B as img2dataset writes it)

Published: fine-tuned on ImageNet-1k 86.5 top-1 (arXiv 2404.15653, table 2); figure 8 plots the training
loss, and its values are lost.
"""

_base_ = ["datacomp_catlip_vit_base.py"]
architecture = "vit_large_conv16"
optimizer = dict(lr=6e-4)
