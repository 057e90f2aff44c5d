"""ADE20K semantic segmentation: DeepLabv3 at output stride 8, ViT-B/16.

Protocol: 50 epochs of the 20,210 training images, batch 32, AdamW 3e-5 -> 3e-6 (cosine, 500 iterations of
warm-up from 1e-6), weight decay 0.1, EMA 1e-4; short side 256 to 768, crop 512, flip; ASPP with 512
channels, rates 12/24/36, dropout 0.1. Evaluated on the 2,000 validation images resized to 512 x 512, labels
at their own size. As in the released code, images are resized by Pillow's bicubic filter, the stem's
BatchNorm is trained, the head's activation is GELU, logits are enlarged with their corners aligned, and
position embeddings are decayed.

Different from the released code: no learned RangeAugment; MMSegmentation's ASPP fuses its branches by a 3x3
convolution where CoreNet's has a 1x1; LayerNorm in the head, as the recipe says, where CoreNet builds the
head before it reads that entry, with BatchNorm; test logits are enlarged to 512 x 512 first and to the
image's size then, CoreNet's at once; unlabelled pixels do not count as a class when a crop is chosen; the
head's initial weights are MMSegmentation's.

Command:
    python run_suite.py run task_configs/segmentation/ade20k_deeplabv3_vit_base.py \
        --backbone corenet:vit_base.pt --data ade20k=/data/ADEChallengeData2016

With fewer than 8 GPUs (4 images each) the gradients of several batches make one step of the optimizer, so
that batch, learning rate, warm-up and averaging are the recipe's; --set auto_scale_lr.enable=True scales the
learning rate to the smaller batch instead. With MMSegmentation's own tools, link the data at
data/ade/ADEChallengeData2016. They do not accumulate by themselves: give them --cfg-options
auto_scale_lr.enable=True, or optim_wrapper.accumulative_counts=K (8 / GPUs) with the warm-up's `end`
multiplied and the EMA's momentum divided by K, for they count batches there.

Published: CatLIP (DataComp-1.3B) 50.10 mIoU; CLIP (DataComp-1.3B) 49.70 (arXiv 2404.15653, table 4).
"""

_base_ = ["_base_/deeplabv3_vit.py", "_base_/ade20k.py"]

task = dict(type="segmentation", data="ade20k", keep_weights=True)

model = dict(
    backbone=dict(weights="corenet:vit_base.pt", with_cp=True, norm_eval=False),
    decode_head=dict(act_cfg=dict(type="GELU"), align_corners=True),
)

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=50, val_interval=5)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=3e-5, betas=(0.9, 0.999), weight_decay=0.1),
    constructor="LayerDecayOptimConstructor",
    paramwise_cfg=dict(undecayed=[]),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1 / 30, by_epoch=False, begin=0, end=500),
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        end=50,
        T_max=50,
        eta_min_ratio=0.1,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size=32)
custom_hooks = [dict(type="EMAHook", momentum=1e-4, update_buffers=True)]
