"""The demo: CatLIP and CLIP pre-trained on the same embedded pairs, random weights as the floor, one probe.

Command:
    python run_suite.py
"""

prepare = dict(demo=dict())  # every field of DemoSpec at its default
data = dict(
    pairs="{results}/data/demo/pairs",
    demo_classification="{results}/data/demo/classification",
)
vocabulary = dict(min_count=20)
pretraining = dict(
    clip="pretraining/demo_clip.py",
    catlip="pretraining/demo_catlip.py",
)
backbones = dict(
    random="random:vit_mini_conv16",
    clip="run:{suite}/pretrain/clip",
    catlip="run:{suite}/pretrain/catlip",
)
tasks = ["classification/demo_linear_probe.py"]
seeds = 1
