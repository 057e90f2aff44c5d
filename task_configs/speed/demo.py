"""The embedded default's pre-training: a miniature ViT at 96 pixels.

Protocol: steps of pre-training in turns, on images and captions of noise and on the embedded pairs; shapes
as in `pretraining/demo_catlip.py` and `pretraining/demo_clip.py`, 70 % of the patch tokens left out, as in
nine tenths of their steps, batch as in the latter, dealt to two processes.

Command:
    python run_suite.py speed

Published: none, the data are drawn by this project.
"""

architecture = "vit_mini_conv16"
image_size = 96
classes = 202
objectives = dict(
    catlip=dict(initial_bias="mean_log_odds"),
    clip=dict(
        embed_dim=128,
        text_width=128,
        text_layers=3,
        text_heads=2,
        context_length=32,
        init_temperature=0.03,
    ),
)
token_drop = 0.7
batch_size = 64
samples = 80_000
