"""Recipes in miniature."""

CATLIP = """
architecture = "vit_nano_conv16"
objective = dict(type="catlip")
optimizer = dict(lr=1e-3, warmup_samples=16)
image_size = 32
samples = 96
batch_size = 8
ema_momentum = 0.1
drop_path_rate = 0.2
val_batch_size = 8
num_workers = 1
shuffle_buffer = 10
val_interval = 5
checkpoint_interval = 4
precision = "float32"
"""
DROPPING = "token_drop = dict(rate=0.5, until=0.75)"
"""To be added to a recipe."""
CLIP = CATLIP.replace(
    'dict(type="catlip")',
    'dict(type="clip", embed_dim=8, text_width=8, text_layers=1, text_heads=1, context_length=8)',
)
