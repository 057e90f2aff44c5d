"""COCO object detection and instance segmentation: Mask R-CNN, ViT-L/16.

Protocol: as coco_mask_rcnn_vit_base.py, with layer decay 0.8 and drop path 0.4.

Command:
    python run_suite.py run task_configs/detection/coco_mask_rcnn_vit_large.py \
        --backbone corenet:vit_large.pt --data coco=/data/coco

Published: CatLIP (DataComp-1.3B) 52.7 box AP, 46.0 mask AP (arXiv 2404.15653, table 5).
"""

_base_ = ["coco_mask_rcnn_vit_base.py"]

model = dict(
    backbone=dict(weights="corenet:vit_large.pt", drop_path_rate=0.4),
    neck=dict(in_channels=1024),
)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.8))
