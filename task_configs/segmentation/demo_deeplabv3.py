"""The embedded semantic set: DeepLabv3 with a small head, about a minute on one CPU core.

Protocol: 200 training images of about 128 px, backgrounds and 24 kinds of objects drawn by another artist
than the pre-training pictures; 200 iterations of batch 8 at output stride 8, AdamW 3e-3 with layer decay
0.75, cosine; mIoU on 200 test images at their own resolution, over things (the headline: they are what the
pre-training pictures show), over stuff and over all. The same for every backbone; how it was chosen is in
METHODOLOGY.md.

Command:
    python run_suite.py run task_configs/segmentation/demo_deeplabv3.py \
        --backbone run:results/demo/pretrain/catlip --data demo_ade20k=results/data/demo/ade20k

Published: none, the data are drawn by this project. Pre-trained backbones are several points above random
weights.
"""

_base_ = ["_base_/deeplabv3_vit.py", "_base_/demo_ade20k.py"]

task = dict(type="segmentation", data="demo_ade20k", headline="mIoU_things", keep_weights=False)

model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(weights="random:vit_mini_conv16", cpu_attention=True),
    decode_head=dict(in_channels=192, channels=64, dilations=(1, 2, 4, 6), num_classes=36),
)

train_cfg = dict(type="IterBasedTrainLoop", max_iters=200, val_interval=200)
optim_wrapper = dict(
    type="Bf16OptimWrapper",
    precision="auto",
    optimizer=dict(type="AdamW", lr=3e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=5.0),
    constructor="LayerDecayOptimConstructor",
    paramwise_cfg=dict(layer_decay=0.75),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=20),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=20, end=200, T_max=180, eta_min=0.0),
]
default_hooks = dict(checkpoint=dict(interval=100, by_epoch=False))
