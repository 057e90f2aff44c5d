"""ADE20K semantic segmentation: a 1x1 convolution on a frozen backbone, the cheap dense probe.

Protocol: one linear classifier per patch token (after the backbone's final norm, stride 16, class token
kept), its logits upsampled; 10 epochs of the 20,210 training images, batch 32, AdamW 1e-3 -> 0 (cosine),
augmentation as ade20k_deeplabv3_vit_base.py; evaluated on the 2,000 validation images resized to 512 x 512,
labels at their own size.

Command:
    python run_suite.py run task_configs/segmentation/ade20k_linear.py --backbone corenet:vit_base.pt \
        --data ade20k=/data/ADEChallengeData2016

Published: none for CatLIP or CLIP under this protocol.
"""

_base_ = ["_base_/linear_vit.py", "_base_/ade20k.py"]

task = dict(type="segmentation", data="ade20k", keep_weights=False)

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
auto_scale_lr = dict(enable=False, base_batch_size=32)
