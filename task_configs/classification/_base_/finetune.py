"""A classifier whose backbone is trained along, on pictures that timm augments. Not run by itself."""

_base_ = ["../../runtime.py"]

task = dict(type="finetune", train="train", units="images", keep_weights=False)

model = dict(
    type="ImageClassifier",
    backbone=dict(type="ViTBackbone", weights="corenet:vit_base.pt", norm_eval=False),
    num_classes=1000,
    loss="cross_entropy",
    label_smoothing=0.1,
)

# RGB in [0, 1]: the backbone normalises, as its weights' source does.
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="LabelledPictures",
        transform=dict(
            input_size=224,
            scale=(0.08, 1.0),
            hflip=0.5,
            color_jitter=None,
            # at most 9: at 10 timm would posterize to no bit at all, which Pillow refuses
            auto_augment="rand-m9-mstd0.5-mmax9-inc1",
            re_prob=0.25,
            interpolation="bicubic",
        ),
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="LabelledPictures",
        transform=dict(input_size=224, crop_pct=224 / 232, interpolation="bicubic"),
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict()  # the task has its own
test_evaluator = dict()

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=10, val_interval=10)
optim_wrapper = dict(
    type="Bf16OptimWrapper",
    precision="auto",
    optimizer=dict(type="AdamW", lr=3e-5, betas=(0.9, 0.999), weight_decay=0.05),
    clip_grad=dict(max_norm=1.0),
    constructor="LayerDecayOptimConstructor",
    paramwise_cfg=dict(layer_decay=1.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 30, by_epoch=False, begin=0, end=500),
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        end=10,
        T_max=10,
        eta_min_ratio=0.1,
        convert_to_iter_based=True,
    ),
]
