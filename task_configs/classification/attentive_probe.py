"""Attentive probe on labelled images of your own, whatever they are called, at 224 px.

Protocol: as finetune.py, but the backbone is frozen and an attention with eight heads pools its tokens in
front of the classifier (timm's), at learning rate 1e-3. Usual values; nothing is chosen on your data.

Command:
    python run_suite.py run task_configs/classification/attentive_probe.py \
        --backbone run:CHECKPOINT_FOLDER --data NAME=PATH

Published: none; the task is tabled as NAME_attentive_probe.
"""

_base_ = ["_base_/finetune.py"]

task = dict(data=None, val="auto", hold_out=0.1, test="auto")

model = dict(backbone=dict(frozen_stages="all"), attention_pool=8)

train_dataloader = dict(num_workers=2)
val_dataloader = dict(num_workers=2)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=20, val_interval=20)
optim_wrapper = dict(optimizer=dict(lr=1e-3), paramwise_cfg=dict(layer_decay=1.0))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=True, begin=0, end=1, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        end=20,
        T_max=20,
        eta_min_ratio=0.1,
        convert_to_iter_based=True,
    ),
]
