"""CLIP on the embedded pairs, a few minutes on two CPU cores.

Protocol: 80,000 samples of 12,000 pairs at 96 px (`_base_/demo.py`, shared with CatLIP); OpenCLIP's tokenizer
and loss, and its text tower in a size that goes with the small ViT: 3 layers of width 128, 32 tokens.
Learning rate and initial temperature are the best of five trials on held-out pairs, as CatLIP's learning rate
and initial bias are (tuning.csv, METHODOLOGY.md).

Command:
    python run_suite.py pretrain task_configs/pretraining/demo_clip.py \
        --data pairs=results/data/demo/pairs --out results/demo/pretrain/clip

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/demo.py"]
objective = dict(type="clip", embed_dim=128, text_width=128, text_layers=3, text_heads=2, context_length=32)
optimizer = dict(lr=5e-4, betas=(0.9, 0.98), weight_decay=0.2, warmup_samples=12_800)
