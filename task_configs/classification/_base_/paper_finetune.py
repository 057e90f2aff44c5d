"""Fine-tuning as the paper does it, at 224 px, on data with train/ and val/. Not run by itself."""

_base_ = ["finetune.py"]

task = dict(val=None, hold_out=0.01, test="val")

model = dict(mixup=dict(mixup_alpha=0.2, cutmix_alpha=1.0))
auto_scale_lr = dict(enable=False, base_batch_size=512)
