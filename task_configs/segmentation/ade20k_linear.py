"""ADE20K semantic segmentation: a 1x1 convolution on a frozen backbone, the cheap dense probe.

Protocol: one linear classifier per patch token (after the backbone's final norm, stride 16, class token
kept), its logits upsampled; 10 epochs of the 20,210 training images, batch 32, AdamW 1e-3 -> 0 (cosine),
augmentation as ade20k_deeplabv3_vit_base.py; evaluated on the 2,000 validation images resized to 512 x 512,
labels at their own size.

    python run_suite.py run task_configs/segmentation/ade20k_linear.py --backbone corenet:vit_base.pt \
        --data ade20k=/data/ADEChallengeData2016

Published: no figure for CatLIP under this protocol.
"""

_base_ = ["_base_/deeplabv3_vit.py", "_base_/ade20k.py"]

task = dict(type="segmentation", data="ade20k", keep_weights=False)

model = dict(
    backbone=dict(frozen_stages="all", class_token=True, output_stride=16),
    decode_head=dict(
        _delete_=True,
        type="FCNHead",
        num_convs=0,
        concat_input=False,
        in_channels=768,
        channels=768,
        in_index=0,
        dropout_ratio=0.0,
        num_classes=150,
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
    ),
)

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=10, val_interval=5)
train_dataloader = dict(batch_size=32, num_workers=8)
optim_wrapper = dict(
    type="Bf16OptimWrapper",
    precision="auto",
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.0),
)
param_scheduler = [
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        end=10,
        T_max=10,
        eta_min=0.0,
        convert_to_iter_based=True,
    )
]
auto_scale_lr = dict(enable=True, base_batch_size=32)
