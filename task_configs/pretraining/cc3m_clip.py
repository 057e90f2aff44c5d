"""CLIP on CC3M, ViT-B/16 at 224 px.

Protocol: 100 epochs of 2.9 million pairs, batch 2,048, AdamW 5e-4 -> 1e-6 (cosine), weight decay 0.2; random
resized crop and flip; averaged weights; the paper's text tower.

Different from the paper: one size of 224 px, where it draws sizes from 128 to 320; no learned RangeAugment;
it trains 25, 50, 75 and 100 epochs (``--set samples=72500000``). Its warm-up is not published: 2,000 steps.
Whether it augments for CLIP as for CatLIP on CC3M is not said: here it does, so that only the objectives
differ.

Command:
    python run_suite.py pretrain task_configs/pretraining/cc3m_clip.py \
        --data pairs=PATH        (PATH holds CC3M as img2dataset writes it)

Published: none as numbers: figure 4 of arXiv 2404.15653 plots probes on ImageNet-1k, and its values are lost.
"""

_base_ = ["_base_/cc3m.py"]
objective = dict(type="clip")
optimizer = dict(lr=5e-4, betas=(0.9, 0.98), weight_decay=0.2, warmup_samples=2000 * 2048, min_lr_ratio=0.002)
