"""The embedded detection set: Mask R-CNN with small heads, a few minutes on one CPU core.

Protocol: 600 training images of about 160 px, 24 categories, drawn by another artist than the pre-training
pictures; 400 iterations of batch 8, AdamW 1e-3 with layer decay 0.75, cosine; box and mask AP on 400 test
images. The same for every backbone; how it was chosen is in METHODOLOGY.md.

Command:
    python run_suite.py run task_configs/detection/demo_mask_rcnn.py \
        --backbone run:results/demo/pretrain/catlip --data demo_coco=results/data/demo/coco

Published: none, the data are drawn by this project. Random weights stay far behind pre-trained ones.
"""

_base_ = ["_base_/mask_rcnn_vit.py"]

task = dict(type="detection", data="demo_coco", keep_weights=False)

channels = 128
model = dict(
    backbone=dict(weights="random:vit_mini_conv16", cpu_attention=True),
    neck=dict(in_channels=192, out_channels=channels, num_outs=3, start_level=1, top_down=False),
    rpn_head=dict(
        in_channels=channels,
        feat_channels=64,
        num_convs=1,
        anchor_generator=dict(type="AnchorGenerator", scales=[2, 3], ratios=[1.0], strides=[8, 16, 32]),
        loss_bbox=dict(_delete_=True, type="L1Loss", loss_weight=1.0),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(
            roi_layer=dict(output_size=5, sampling_ratio=1, aligned=True),
            out_channels=channels,
            featmap_strides=[8, 16],
            finest_scale=12,
        ),
        bbox_head=dict(
            _delete_=True,
            type="Shared2FCBBoxHead",
            in_channels=channels,
            fc_out_channels=256,
            roi_feat_size=5,
            num_classes=24,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_stds=[0.1, 0.1, 0.2, 0.2]),
            reg_class_agnostic=True,
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="L1Loss", loss_weight=1.0),
        ),
        mask_roi_extractor=dict(
            roi_layer=dict(output_size=7, sampling_ratio=1, aligned=True),
            out_channels=channels,
            featmap_strides=[8, 16],
            finest_scale=28,
        ),
        mask_head=dict(
            num_convs=2,
            roi_feat_size=7,
            in_channels=channels,
            conv_out_channels=64,
            num_classes=24,
            class_agnostic=True,
        ),
    ),
    train_cfg=dict(
        rpn=dict(assigner=dict(min_pos_iou=0.3)),
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        rcnn=dict(sampler=dict(num=32, pos_fraction=0.5), mask_size=14),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=100), rcnn=dict(score_thr=0.02, max_per_img=30)),
)

data_root = "data/demo_coco/"  # the harness puts the folder of --data demo_coco=PATH in its place
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(type="RandomResize", scale=(160, 160), ratio_range=(0.8, 1.2), keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(160, 160), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        ann_file="annotations/instances_train.json",
        data_prefix=dict(img="train/"),
        filter_cfg=dict(filter_empty_gt=True, min_size=1),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        ann_file="annotations/instances_val.json",
        data_prefix=dict(img="val/"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        ann_file="annotations/instances_test.json",
        data_prefix=dict(img="test/"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(
    type="CocoMetric", ann_file=data_root + "annotations/instances_val.json", metric=["bbox", "segm"]
)
test_evaluator = dict(
    type="CocoMetric", ann_file=data_root + "annotations/instances_test.json", metric=["bbox", "segm"]
)

train_cfg = dict(type="IterBasedTrainLoop", max_iters=400, val_interval=400)
optim_wrapper = dict(
    type="Bf16OptimWrapper",
    precision="auto",
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=5.0),
    constructor="LayerDecayOptimConstructor",
    paramwise_cfg=dict(layer_decay=0.75),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=30, end=400, T_max=370, eta_min=0.0),
]
default_hooks = dict(checkpoint=dict(interval=100, by_epoch=False))
log_processor = dict(by_epoch=False)
