"""ViT-B/16 at 224 pixels, as the paper pre-trains it.

Protocol: steps of pre-training in turns, on images and captions of noise and on real pairs where some are
named; CLIP with the paper's text tower, CatLIP with the largest vocabulary that CoreNet publishes.

Command:
    python run_suite.py speed --geometry vit_b16

Published: CatLIP's GPU-hours relative to CLIP's 0.37 (figure 1c), each dealt out as below; no measured
images per second.
"""

architecture = "vit_base_conv16"
image_size = 224
classes = 24_320
objectives = dict(catlip=dict(), clip=dict())
batch_size = 32
samples = 200_000 * 65_536
published = dict(
    catlip=dict(batch_size=1024, devices=64, device="a100"),
    clip=dict(batch_size=256, devices=256, device="a100"),
)
