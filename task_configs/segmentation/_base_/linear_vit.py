"""One linear classifier per token of a frozen ViT (a 1x1 convolution). Not run by itself."""

_base_ = ["deeplabv3_vit.py"]

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
