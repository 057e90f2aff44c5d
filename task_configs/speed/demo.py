"""The embedded default's pre-training: a miniature ViT at 96 pixels.

Protocol: steps of pre-training in turns, on images and captions of noise and on the embedded pairs; shapes
and batch as in `pretraining/demo_catlip.py` and `pretraining/demo_clip.py`, dealt to two processes.

Command:
    python run_suite.py speed

Published: none, the data are drawn by this project.
"""

architecture = "vit_mini_conv16"
image_size = 96
classes = 202
objectives = dict(
    catlip=dict(),
    clip=dict(embed_dim=128, text_width=128, text_layers=3, text_heads=2, context_length=32),
)
batch_size = 64
samples = 80_000
