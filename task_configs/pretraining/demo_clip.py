"""CLIP on the embedded pairs."""

_base_ = ["demo_base.py"]
objective = dict(type="clip", embed_dim=128, text_width=128, text_layers=3, text_heads=2, context_length=32)
optimizer = dict(lr=1e-3, betas=(0.9, 0.98), weight_decay=0.2, warmup_samples=6400)
