"""The same at 512 px. Not run by itself."""

_base_ = ["paper_finetune.py"]

train_dataloader = dict(batch_size=16, dataset=dict(transform=dict(input_size=512)))
val_dataloader = dict(batch_size=16, dataset=dict(transform=dict(input_size=512, crop_pct=1.0)))
test_dataloader = val_dataloader
