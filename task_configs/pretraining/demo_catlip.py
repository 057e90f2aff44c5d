"""CatLIP on the embedded pairs, a few minutes on two CPU cores.

Protocol: 80,000 samples of 12,000 pairs at 96 px (`_base_/demo.py`, shared with CLIP); BCE over the synsets
of at least 20 captions, summed over classes. Learning rate and initial bias are the best of five trials on
held-out pairs, as CLIP's learning rate and initial temperature are (tuning.csv, METHODOLOGY.md).

Command:
    python run_suite.py pretrain task_configs/pretraining/demo_catlip.py \
        --data pairs=results/data/demo/pairs --out results/demo/pretrain/catlip

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/demo.py"]
objective = dict(type="catlip")
optimizer = dict(lr=2e-3, betas=(0.9, 0.98), weight_decay=0.2, warmup_samples=12_800)
