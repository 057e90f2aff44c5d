"""The embedded semantic set: a 1x1 convolution on a frozen backbone, a few seconds on two CPU cores.

Protocol: as ade20k_linear.py on the data of demo_deeplabv3.py: one linear classifier per patch token; 200
iterations of batch 8, AdamW 1e-2 -> 0 (cosine); the same metrics.

Command:
    python run_suite.py run task_configs/segmentation/demo_linear_seg.py \
        --backbone run:results/demo/pretrain/catlip --data demo_ade20k=results/data/demo/ade20k

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/linear_vit.py", "_base_/demo_ade20k.py"]

task = dict(type="segmentation", data="demo_ade20k", headline="mIoU_things", keep_weights=False)

model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(weights="random:vit_mini_conv16", cpu_attention=True),
    decode_head=dict(in_channels=192, channels=192, num_classes=36),
)

train_cfg = dict(type="IterBasedTrainLoop", max_iters=200, val_interval=200)
optim_wrapper = dict(
    type="Bf16OptimWrapper",
    precision="auto",
    optimizer=dict(type="AdamW", lr=1e-2, weight_decay=0.0),
)
param_scheduler = [dict(type="CosineAnnealingLR", by_epoch=False, begin=0, end=200, T_max=200, eta_min=0.0)]
default_hooks = dict(checkpoint=dict(interval=100, by_epoch=False))
