"""Multi-label classification on COCO at 512 px. Not run by itself."""

_base_ = ["finetune.py"]

task = dict(type="multilabel", data="coco", train="train2017", val=None, hold_out=0.0, test="val2017")

model = dict(
    backbone=dict(with_cp=True),
    loss="bce",
    label_smoothing=0.0,
)

train_dataloader = dict(
    batch_size=16, dataset=dict(transform=dict(input_size=512, scale=(0.5, 1.0), re_prob=0.0))
)
val_dataloader = dict(
    batch_size=16, dataset=dict(transform=dict(input_size=512, crop_mode="squash", crop_pct=1.0))
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=1e-5))
auto_scale_lr = dict(enable=False, base_batch_size=128)
