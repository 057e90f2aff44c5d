"""ADE20K semantic segmentation: DeepLabv3 at output stride 8, ViT-H/16.

Protocol: as ade20k_deeplabv3_vit_base.py.

Command:
    python run_suite.py run task_configs/segmentation/ade20k_deeplabv3_vit_huge.py \
        --backbone corenet:vit_huge.pt --data ade20k=/data/ADEChallengeData2016

Published: CatLIP (DataComp-1.3B) 55.63 mIoU (arXiv 2404.15653, table 4).
"""

_base_ = ["ade20k_deeplabv3_vit_base.py"]

model = dict(backbone=dict(weights="corenet:vit_huge.pt"), decode_head=dict(in_channels=1280))
