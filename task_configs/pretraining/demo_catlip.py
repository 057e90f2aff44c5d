"""CatLIP on the embedded pairs."""

_base_ = ["demo_base.py"]
objective = dict(type="catlip")
optimizer = dict(lr=7e-4, betas=(0.9, 0.98), weight_decay=0.2, warmup_samples=6400)
