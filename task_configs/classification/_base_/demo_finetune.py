"""The embedded classification data at 96 px, for whatever trains more than a linear classifier. Not run by
itself."""

_base_ = ["finetune.py", "over_classes.py"]

task = dict(data="demo_classification", val="val", test="test", units="classes")

model = dict(backbone=dict(weights="random:vit_mini_conv16", norm_eval=True, cpu_attention=True))

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(transform=dict(input_size=96, scale=(0.5, 1.0), auto_augment=None, re_prob=0.0)),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(transform=dict(input_size=96, crop_pct=1.0)),
)
test_dataloader = val_dataloader
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=6, val_interval=6)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=20),
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        end=6,
        T_max=6,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
