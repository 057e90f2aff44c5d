"""CatLIP on the embedded pairs, a few minutes on two CPU cores.

Protocol: 80,000 samples of 12,000 pairs at 96 px (`_base_/demo.py`, shared with CLIP); BCE over the synsets
of at least 20 captions, summed over classes. What is set here was found by the same search as CLIP's
(task_configs/suites/tuning_pretraining.py, METHODOLOGY.md).

Command:
    python run_suite.py pretrain task_configs/pretraining/demo_catlip.py \
        --data pairs=results/data/demo/pairs --out results/demo/pretrain/catlip

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/demo.py"]
objective = dict(type="catlip", initial_bias="mean_log_odds")
optimizer = dict(lr=9.9e-4, betas=(0.9, 0.999), weight_decay=0.025, warmup_samples=13_600)
augmentation = dict(scale=(0.8, 1.0))
batch_size = 64
ema_momentum = 0.01
