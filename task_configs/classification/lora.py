"""Low-rank updates of attention (LoRA) on labelled images of your own, whatever they are called, at 224 px.

Protocol: as finetune.py, but of the backbone only updates of rank 16 to the layers of attention are trained
(arXiv 2106.09685, by peft), at learning rate 1e-3 without layer decay. Usual values; nothing is chosen on
your data.

Command:
    python run_suite.py run task_configs/classification/lora.py \
        --backbone run:CHECKPOINT_FOLDER --data NAME=PATH

Published: none; the task is tabled as NAME_lora.
"""

_base_ = ["finetune.py"]

model = dict(lora=dict(r=16, lora_alpha=16))
optim_wrapper = dict(optimizer=dict(lr=1e-3), paramwise_cfg=dict(layer_decay=1.0))
