"""ViT-L/16 at 224 pixels, as the paper pre-trains it.

Protocol: steps of pre-training in turns, on images and captions of noise and on real pairs where some are
named; CLIP with the paper's text tower, CatLIP with the largest vocabulary that CoreNet publishes.

Command:
    python run_suite.py speed --geometry vit_l16

Published: none for this size; how CatLIP was dealt out to GPUs is known (`published` below).
"""

_base_ = ["_base_/paper.py"]
architecture = "vit_large_conv16"
batch_size = 8
published = dict(
    catlip=dict(batch_size=512, devices=128, device="a100"),
)
