"""Attentive probe on labelled images of your own, whatever they are called, at 224 px.

Protocol: as finetune.py, but the backbone is frozen and an attention with eight heads pools its tokens in
front of the classifier (timm's), at learning rate 1e-3. Usual values; nothing is chosen on your data.

Command:
    python run_suite.py run task_configs/classification/attentive_probe.py \
        --backbone run:CHECKPOINT_FOLDER --data NAME=PATH

Published: none; the task is tabled as NAME_attentive_probe.
"""

_base_ = ["finetune.py"]

model = dict(backbone=dict(frozen_stages="all"), attention_pool=8)
optim_wrapper = dict(optimizer=dict(lr=1e-3), paramwise_cfg=dict(layer_decay=1.0))
