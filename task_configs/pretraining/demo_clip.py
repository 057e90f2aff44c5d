"""CLIP on the embedded pairs, a few minutes on two CPU cores.

Protocol: 80,000 samples of 12,000 pairs at 96 px (`_base_/demo.py`, shared with CatLIP); OpenCLIP's tokenizer
and loss, and its text tower in a size that goes with the small ViT: 3 layers of width 128, 32 tokens.
What is set here was found by the same search as CatLIP's (task_configs/suites/tuning_pretraining.py,
METHODOLOGY.md).

Command:
    python run_suite.py pretrain task_configs/pretraining/demo_clip.py \
        --data pairs=results/data/demo/pairs --out results/demo/pretrain/clip

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/demo.py"]
objective = dict(
    type="clip",
    embed_dim=128,
    text_width=128,
    text_layers=3,
    text_heads=2,
    context_length=32,
    init_temperature=0.03,
)
optimizer = dict(lr=3.9e-4, betas=(0.9, 0.98), weight_decay=0.028, warmup_samples=5_600)
augmentation = dict(scale=(0.45, 1.0))
batch_size = 128
ema_momentum = 0.02
