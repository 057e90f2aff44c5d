"""The demo with its curves taken to every task, three times: time to quality, as one seed cannot tell it.

Protocol: the demo's, with three seeds of pre-training and transfer; the checkpoints of each pre-training's
way go through Mask R-CNN and DeepLabv3, too.

Command:
    python run_suite.py --suite demo_full

Published: none, the data are drawn by this project.
"""

_base_ = ["demo.py"]
curve = dict(tasks=["demo_linear_probe", "demo_mask_rcnn", "demo_deeplabv3"])
seeds = 3
