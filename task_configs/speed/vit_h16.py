"""ViT-H/16 at 224 pixels, as the paper pre-trains it.

Protocol: steps of pre-training in turns, on images and captions of noise and on real pairs where some are
named; CLIP with the paper's text tower, CatLIP with the largest vocabulary that CoreNet publishes.

Command:
    python run_suite.py speed --geometry vit_h16

Published: GPU-hours of CatLIP relative to CLIP's, 0.36 (arXiv 2404.15653, figure 1c), each dealt out to GPUs
as `published` below says; images per second are not published.
"""

_base_ = ["_base_/paper.py"]
architecture = "vit_huge_conv16"
batch_size = 4
published = dict(
    catlip=dict(batch_size=256, devices=256, device="a100"),
)
