"""Fine-tuning on labelled images of your own, whatever they are called, at 224 px.

Protocol: 20 epochs, AdamW 1e-4 -> 1e-5 (cosine, an epoch of warm-up), layer decay 0.75, weight decay 0.05,
batch 64, label smoothing 0.1; random resized crop, flip, RandAugment, random erasing; tested once after the
last step, with Wilson's 95 % interval over images. Usual values for a pre-trained ViT; nothing is chosen on
your data; --axis learning_rate=3e-4 puts another rate beside it. Splits and forms of the data as in
linear_probe.py.

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
train_cfg = dict(max_epochs=20, val_interval=20)
optim_wrapper = dict(optimizer=dict(lr=1e-4), paramwise_cfg=dict(layer_decay=0.75))
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
