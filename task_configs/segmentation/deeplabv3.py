"""Semantic segmentation of data of your own in ADE20K's layout, whatever they are called.

Protocol: DeepLabv3 at output stride 8 as in ade20k_deeplabv3_vit_base.py; 40 epochs, batch 16, AdamW 6e-5 ->
6e-6 (cosine, 100 iterations of warm-up), weight decay 0.1, gradients clipped at 1.0, EMA 1e-3; short side
256 to 768, crop 512, flip; tested at 512 x 512 once after the last step, labels at their own size. Usual
values for a pre-trained ViT and some thousand images; nothing is chosen on your data; --axis
learning_rate=1e-4 puts another rate beside it.

Data: images/training, images/validation (what is tested on), and annotations/ with the same names as PNG,
one byte a pixel: 0 for what is not labelled, then the classes of classes.csv (index,name) from 1.
python run_suite.py prepare ade20k --check PATH looks at them.

Command:
    python run_suite.py run task_configs/segmentation/deeplabv3.py --backbone run:CHECKPOINT_FOLDER \
        --data NAME=PATH

Published: none; the task is tabled as NAME_deeplabv3.
"""

_base_ = ["ade20k_deeplabv3_vit_base.py"]

task = dict(data=None)

train_dataloader = dict(num_workers=2)
val_dataloader = dict(num_workers=2)
test_dataloader = dict(num_workers=2)
train_cfg = dict(max_epochs=40, val_interval=40)
optim_wrapper = dict(optimizer=dict(lr=6e-5), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 30, by_epoch=False, begin=0, end=100),
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        end=40,
        T_max=40,
        eta_min_ratio=0.1,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=16)
custom_hooks = [dict(type="EMAHook", momentum=1e-3, update_buffers=True)]
