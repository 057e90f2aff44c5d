"""Object detection and instance segmentation on COCO-format data of your own, whatever they are called.

Protocol: Mask R-CNN with the heads of coco_mask_rcnn_vit_base.py; 24 epochs, batch 16, AdamW 1e-4 with
weight decay 0.1, layer decay 0.7, 250 iterations of warm-up, x0.1 after epochs 18 and 22, drop path 0.1,
gradients clipped at 1.0, EMA 1e-3; the shorter side 480 to 800 px, the longer at most 1333, flipped; tested
at 800 (1333) px once after the last step. RoIAlign is aligned. Usual values for a pre-trained ViT and some
thousand images; nothing is chosen on your data; --axis learning_rate=3e-4 puts another rate beside it.

Data: annotations/instances_train.json and instances_val.json (what is tested on), and folders train/ and val/
of images; every object with a box and a mask. python run_suite.py prepare coco --check PATH looks at them.

Command:
    python run_suite.py run task_configs/detection/mask_rcnn.py --backbone run:CHECKPOINT_FOLDER \
        --data NAME=PATH

Published: none; the task is tabled as NAME_mask_rcnn.
"""

_base_ = ["coco_mask_rcnn_vit_base.py"]

task = dict(data=None)

model = dict(
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(aligned=True)),
        mask_roi_extractor=dict(roi_layer=dict(aligned=True)),
    ),
)

data_root = "data/own/"  # the harness puts the folder of --data NAME=PATH in its place
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(
        type="RandomChoiceResize",
        scales=[(1333, short) for short in range(480, 801, 32)],
        keep_ratio=True,
        backend="pillow",
    ),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(1333, 800), keep_ratio=True, backend="pillow"),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
train_dataloader = dict(
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type="CocoDataset",
        data_root=data_root,
        ann_file="annotations/instances_train.json",
        data_prefix=dict(img="train/"),
        filter_cfg=dict(filter_empty_gt=True, min_size=1),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    dataset=dict(
        data_root=data_root,
        ann_file="annotations/instances_val.json",
        data_prefix=dict(img="val/"),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + "annotations/instances_val.json")
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=24, val_interval=24)
optim_wrapper = dict(optimizer=dict(lr=1e-4), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 30, by_epoch=False, begin=0, end=250),
    dict(type="MultiStepLR", by_epoch=True, begin=0, end=24, milestones=[18, 22], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=16)
custom_hooks = [dict(type="EMAHook", momentum=1e-3, update_buffers=True)]
