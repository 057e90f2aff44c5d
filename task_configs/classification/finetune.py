"""Fine-tuning on labelled images of your own, whatever they are called, at 224 px.

Protocol: 10 epochs, AdamW 3e-5 -> 3e-6 (cosine, 500 iterations of warm-up), weight decay 0.05, batch 64,
label smoothing 0.1; random resized crop, flip, RandAugment, random erasing; tested once after the last step,
with Wilson's 95 % interval over images. Nothing is chosen: of few images, more epochs (--set
train_cfg.max_epochs=50 --set param_scheduler.1.end=50 --set param_scheduler.1.T_max=50) and a shorter
warm-up (--set param_scheduler.0.end=50) do better. Splits and forms of the data as in linear_probe.py.

Command:
    python run_suite.py run task_configs/classification/finetune.py \
        --backbone run:CHECKPOINT_FOLDER --data NAME=PATH

Published: none; the task is tabled as NAME_finetune.
"""

_base_ = ["_base_/finetune.py"]

task = dict(data=None, val="auto", hold_out=0.1, test="auto")

train_dataloader = dict(num_workers=2)
val_dataloader = dict(num_workers=2)
test_dataloader = val_dataloader
