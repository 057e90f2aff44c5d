"""Attentive probe on the embedded classification data: an attention over frozen tokens.

Protocol: as demo_finetune.py, but the backbone is frozen and an attention with six heads pools its tokens in
front of the classifier (timm's), 8 epochs at learning rate 1e-2: the rung between a linear probe and LoRA.

Command:
    python run_suite.py run task_configs/classification/demo_attentive_probe.py \
        --backbone run:results/demo/pretrain/catlip \
        --data demo_classification=results/data/demo/classification

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/demo_finetune.py"]

model = dict(backbone=dict(frozen_stages="all"), attention_pool=6)

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=8, val_interval=8)
optim_wrapper = dict(optimizer=dict(lr=1e-2), paramwise_cfg=dict(layer_decay=1.0))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=20),
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        end=8,
        T_max=8,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
