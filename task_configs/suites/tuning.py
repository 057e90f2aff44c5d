"""How the recipes of the demo's Mask R-CNN and DeepLabv3 were chosen: on other drawings of the data.

Protocol: the demo's pre-trained backbones (python run_suite.py makes them), transferred by candidates of the
recipes, five seeds each. The drawings of objects are the demo's, the pictures made of them are not: nothing
here looks at the demo's test images. What was run of it before a choice is in tuning.csv, with the command of
each cell.

Command:
    python run_suite.py --suite tuning

Published: none, the data are drawn by this project.
"""

tuning = True

_judged_by_val = {"+task.test": "val"}
_drawings = (1, 2, 3)
_drawn = dict(type="benchmark.demo_data:draw")
_nothing_else = dict(pairs=1, val_pairs=1, class_train=1, class_val=1, class_test=1)
_no_maps = dict(semantic_train=1, semantic_val=1, semantic_test=1)

prepare = dict(tuning=dict(**_drawn, seed=1, semantic_val=200, semantic_test=1, **_nothing_else))
data = dict(demo_ade20k="{results}/data/tuning/ade20k")
for _seed in _drawings:
    prepare[f"tuning{_seed}"] = dict(
        **_drawn, seed=_seed, instances_val=150, instances_test=1, **_nothing_else, **_no_maps
    )
    data[f"coco{_seed}"] = "{results}/data/tuning" + f"{_seed}/coco"

backbones = dict(
    random="random:vit_mini_conv16",
    clip="run:{results}/demo/pretrain/clip",
    catlip="run:{results}/demo/pretrain/catlip",
)
tasks = [
    dict(
        config="detection/demo_mask_rcnn.py",
        set={**_judged_by_val, "task.data": f"coco{_seed}"},
        name=f"mask_rcnn_{_seed}",
    )
    for _seed in _drawings
]
tasks += [
    dict(
        config="detection/demo_mask_rcnn.py",
        set={
            **_judged_by_val,
            "task.data": "coco1",
            "+model.backbone.frozen_stages": "all",
        },
        name="mask_rcnn_1_frozen",
    )
]
tasks += [
    dict(
        config="segmentation/demo_deeplabv3.py",
        set=_judged_by_val,
        name="deeplabv3",
        axes=dict(learning_rate=[1.5e-3, 3e-3, 6e-3, 1.2e-2]),
    )
]
seeds = 5
