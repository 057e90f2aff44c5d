"""COCO object detection and instance segmentation: Mask R-CNN, ViT-B/16.

Protocol: train2017 for 25 epochs of the recipe, each of which passes four times over the images (released
code: repeated augmentation), batch 128, AdamW 3e-4 with weight decay 0.1, layer decay 0.7, 250 iterations
of warm-up, x0.1 after epochs 22 and 24, drop path 0.1, no mixed precision (the authors found it unstable),
EMA 1e-4; images resized to a square of 512 to 1280 px, flipped; evaluated at 1024 x 1024 on val2017 (5000
images). Class token dropped, Simple FPN with top-down additions, 4conv1fc box head and 4conv mask head with
LayerNorm. As in the released code, the stem's BatchNorm is trained, RoIAlign is not aligned and pools large
boxes at stride 64, the final norm learns at the last block's rate, position embeddings are decayed and the
Simple FPN's transposed convolutions are not.

Different from the released code: no learned RangeAugment; the size is drawn per image, not per batch, and
the batch size does not vary with it; the convolutions of the RPN have biases and no LayerNorm, and so has
the mask head's transposed convolution; the heads' initial weights and the rounding of anchors are
MMDetection's; learning rates of layers are not rounded to five decimals.

Command:
    python run_suite.py run task_configs/detection/coco_mask_rcnn_vit_base.py --backbone corenet:vit_base.pt \
        --data coco=/data/coco

With fewer than 64 GPUs (2 images each) the gradients of several batches make one step of the optimizer, so
that batch, learning rate, warm-up and averaging are the recipe's; --set auto_scale_lr.enable=True scales the
learning rate to the smaller batch instead. MMDetection's own tools (dist_train.sh, slurm_train.sh) take this
file as well, with the data linked at data/coco. They do not accumulate by themselves: give them
--auto-scale-lr, or --cfg-options optim_wrapper.accumulative_counts=K (64 / GPUs) with the warm-up's `end`
multiplied and the EMA's momentum divided by K, for they count batches there.

Published: CatLIP (DataComp-1.3B) 49.9 box AP, 43.6 mask AP; CLIP (DataComp-1.3B) 49.9 and 43.7
(arXiv 2404.15653, table 5).
"""

_base_ = ["_base_/mask_rcnn_vit.py"]

task = dict(type="detection", data="coco", keep_weights=True)

model = dict(backbone=dict(weights="corenet:vit_base.pt", drop_path_rate=0.1, with_cp=True, norm_eval=False))

data_root = "data/coco/"  # the harness puts the folder of --data coco=PATH in its place
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(
        type="RandomChoiceResize",
        scales=[(size, size) for size in range(512, 1281, 32)],
        keep_ratio=False,
        backend="pillow",
    ),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(1024, 1024), keep_ratio=False, backend="pillow"),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="RepeatDataset",
        times=4,
        dataset=dict(
            type="CocoDataset",
            data_root=data_root,
            ann_file="annotations/instances_train2017.json",
            data_prefix=dict(img="train2017/"),
            filter_cfg=dict(filter_empty_gt=True, min_size=1),
            pipeline=train_pipeline,
        ),
    ),
)
val_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        ann_file="annotations/instances_val2017.json",
        data_prefix=dict(img="val2017/"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type="CocoMetric", ann_file=data_root + "annotations/instances_val2017.json", metric=["bbox", "segm"]
)
test_evaluator = val_evaluator

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=25, val_interval=5)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=3e-4, betas=(0.9, 0.999), weight_decay=0.1),
    constructor="LayerDecayOptimConstructor",
    paramwise_cfg=dict(layer_decay=0.7, undecayed=["neck.scales"]),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 30, by_epoch=False, begin=0, end=250),
    dict(type="MultiStepLR", by_epoch=True, begin=0, end=25, milestones=[22, 24], gamma=0.1),
]
auto_scale_lr = dict(enable=False, base_batch_size=128)
custom_hooks = [dict(type="EMAHook", momentum=1e-4, update_buffers=True)]
