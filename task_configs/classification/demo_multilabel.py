"""Multi-label classification of the embedded detection images: which of 24 things a picture shows.

Protocol: 5 epochs of the 600 images of train/ at 128 px, the whole backbone trained, batch 16, AdamW 3e-3
(cosine, 20 steps of warm-up), layer decay 0.75, weight decay 0.05; BCE summed over classes; random resized
crop (at least four fifths of the picture) and flip. Mean average precision over classes (mAP), micro and
weighted, on test/ once, after the last step, the pictures squeezed to 128 x 128 pixels. The interval is over
images, which share drawings: it is for pictures of these drawings.

Command:
    python run_suite.py run task_configs/classification/demo_multilabel.py \
        --backbone run:results/demo/pretrain/catlip --data demo_coco=results/data/demo/coco

Published: none, the data are drawn by this project.
"""

_base_ = ["_base_/demo_finetune.py"]

task = dict(type="multilabel", data="demo_coco", units="images", val=None, hold_out=0.0)

model = dict(loss="bce", label_smoothing=0.0)

train_dataloader = dict(batch_size=16, dataset=dict(transform=dict(input_size=128, scale=(0.8, 1.0))))
val_dataloader = dict(dataset=dict(transform=dict(input_size=128, crop_mode="squash")))
test_dataloader = val_dataloader
notes = []

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=5, val_interval=5)
optim_wrapper = dict(optimizer=dict(lr=3e-3), paramwise_cfg=dict(layer_decay=0.75))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=20),
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        end=5,
        T_max=5,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
