"""DeepLabv3 at output stride 8 on a plain ViT, on data in the ADEChallengeData2016 layout. Not run by
itself."""

_base_ = ["../../runtime.py"]

default_scope = "mmseg"

model = dict(
    type="EncoderDecoder",
    # The backbone normalises: it knows how its weights' source does it.
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[0.0, 0.0, 0.0],
        std=[255.0, 255.0, 255.0],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 512),
        test_cfg=dict(size_divisor=16),
    ),
    backbone=dict(type="ViTBackbone", weights="corenet:vit_base.pt", output_stride=8),
    decode_head=dict(
        type="ASPPHead",
        in_channels=768,
        in_index=0,
        channels=512,
        dilations=(1, 12, 24, 36),
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=dict(type="LN2d", eps=1e-6),
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)

val_evaluator = dict(type="IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
visualizer = dict(type="SegLocalVisualizer", vis_backends=[dict(type="LocalVisBackend")], name="visualizer")
