"""CatLIP on CC3M, ViT-B/16 at 224 px.

Protocol: 100 epochs of 2.9 million pairs, batch 2,048, AdamW 2e-3 -> 2e-5 (cosine), weight decay 0.2; random
resized crop and flip; averaged weights. Classes are the synsets of more than 500 captions: ``--set
objective.min_count=1001`` takes those of more than 1,000, as long as the vocabulary was counted for as many.

Different from the paper: one size of 224 px, where it draws sizes from 128 to 320; no learned RangeAugment;
it trains 25, 50, 75 and 100 epochs (``--set samples=72500000``). Its warm-up is not published: 2,000 steps.

Command:
    python run_suite.py pretrain task_configs/pretraining/cc3m_catlip.py \
        --data pairs=PATH        (PATH holds CC3M as img2dataset writes it)

Published: probed on ImageNet-1k 58.0 top-1, fine-tuned 67.3 (arXiv 2404.15653, table 1, which does not say
after how many epochs; figure 4 says for each, and its values are lost).
"""

_base_ = ["_base_/cc3m.py"]
objective = dict(type="catlip", min_count=501)
optimizer = dict(lr=2e-3, betas=(0.9, 0.999), weight_decay=0.2, warmup_samples=2000 * 2048, min_lr_ratio=0.01)
