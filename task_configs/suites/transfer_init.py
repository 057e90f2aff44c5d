"""What of Transfer Init matters: how near a match must be, and what becomes of the bias.

Protocol: the demo's CatLIP backbone (python run_suite.py makes it), a quarter of the training images of each
class (two draws), judged by the demo's validation images, with a tenth of the training images held out in
their place; the linear probe drawn to the copied rows and fine-tuning started from them, by alpha and bias,
beside random initialisation. Nothing here looks at the demo's test images.

Command:
    python run_suite.py --suite transfer_init

Published: none, the data are drawn by this project; the paper publishes neither alpha nor bias.
"""

data = dict(demo_classification="{results}/data/demo/classification")
backbones = dict(catlip="run:{results}/demo/pretrain/catlip")
_judged_by_val = {"task.test": "val", "task.val": None}
_share = dict(fraction=[0.25], draw=[0, 1])
_ways = [
    dict(**_share, init=["random"]),
    dict(**_share, init=["transfer"], alpha=[1.0, 0.5, 0.33], init_bias=["own", "zero"]),
]
tasks = [
    dict(config=f"classification/{_name}.py", set=_judged_by_val, axes=_axes)
    for _name in ("demo_linear_probe", "demo_finetune")
    for _axes in _ways
]
