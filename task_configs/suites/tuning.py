"""How the recipes of the demo's Mask R-CNN and DeepLabv3 were chosen: on another drawing of the data.

Needs the demo's pre-trained backbones (python run_suite.py). The drawings of objects are the demo's, the
pictures made of them are not: nothing here looks at the demo's test images.

Command:
    python run_suite.py --suite tuning
"""

_detection = [5e-4, 1e-3, 2e-3]
_segmentation = [1.5e-3, 3e-3, 6e-3, 1.2e-2]

prepare = dict(tuning=dict(seed=1, pairs=1, val_pairs=1, class_train=1, class_val=1, class_test=1))
data = dict(
    demo_coco="{results}/data/tuning/coco",
    demo_ade20k="{results}/data/tuning/ade20k",
)
backbones = dict(
    random="random:vit_mini_conv16",
    clip="run:{results}/demo/pretrain/clip",
    catlip="run:{results}/demo/pretrain/catlip",
)
_longer = {"train_cfg.max_iters": 400, "param_scheduler.1.end": 400, "param_scheduler.1.T_max": 370}
tasks = [
    dict(
        config="detection/demo_mask_rcnn.py",
        set={"optim_wrapper.optimizer.lr": lr, **_longer},
        name=f"mask_rcnn_400_{lr:g}",
    )
    for lr in _detection
]
tasks += [
    dict(
        config="segmentation/demo_deeplabv3.py",
        set={"optim_wrapper.optimizer.lr": lr},
        name=f"deeplabv3_200_{lr:g}",
    )
    for lr in _segmentation
]
tasks += [dict(config="detection/demo_mask_rcnn.py", name="mask_rcnn_300_0.001")]
seeds = 1
