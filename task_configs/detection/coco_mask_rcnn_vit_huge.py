"""COCO object detection and instance segmentation: Mask R-CNN, ViT-H/16.

Protocol: as coco_mask_rcnn_vit_base.py, with layer decay 0.9, drop path 0.5, and 20 epochs, x0.1 after 17
and 19.

Command:
    python run_suite.py run task_configs/detection/coco_mask_rcnn_vit_huge.py --backbone corenet:vit_huge.pt \
        --data coco=/data/coco

Published: CatLIP (DataComp-1.3B) 53.4 box AP, 46.4 mask AP (arXiv 2404.15653, table 5).
"""

_base_ = ["coco_mask_rcnn_vit_base.py"]

model = dict(
    backbone=dict(weights="corenet:vit_huge.pt", drop_path_rate=0.5),
    neck=dict(in_channels=1280),
)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.9))
train_cfg = dict(max_epochs=20)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 30, by_epoch=False, begin=0, end=250),
    dict(type="MultiStepLR", by_epoch=True, begin=0, end=20, milestones=[17, 19], gamma=0.1),
]
