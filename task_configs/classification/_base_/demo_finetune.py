"""The embedded classification data at 96 px, for whatever trains more than a linear classifier. Not run by
itself."""

_base_ = ["finetune.py"]

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
notes = [
    "The interval of top-1 is over classes, whose images are renderings of one drawing each: it says how the "
    "figure would move with other drawings. Over images, for these drawings alone, it is narrower: "
    "top1_over_images in cells.csv."
]
