"""How the recipes of the demo's pre-trainings were chosen: the same twelve trials for each objective.

Protocol: the demo's pairs and its shared base. Twelve trials for each objective, of a third of the demo's
samples: the recipe that was in use before, and a Latin hypercube of eleven points over learning rate, weight
decay, second beta, warm-up, smallest crop, batch size and the objective's own initial scalar, the same for
both. The two that do best by a linear probe are trained in full, and the better one by top-1 of the probe
plus box AP of a small Mask R-CNN, in points, is taken: criteria that belong to neither objective, on other
renderings of pre-training's own art (Twemoji, seed 1), judged by their validation images. No picture of the
demo's transfer tasks is looked at. tests/calibration/trials.py gathers what was found into a csv.

Command:
    python run_suite.py --suite tuning_pretraining

Published: none, the data are drawn by this project.
"""

tuning = True

_samples = 28_160
# learning rate, weight decay, second beta, share of warm-up, smallest crop, batch size, which initial scalar
_hypercube = [
    (0.0016, 0.074, 0.999, 0.14, 0.48, 256, 2),
    (0.00039, 0.028, 0.98, 0.07, 0.45, 128, 0),
    (0.00099, 0.025, 0.999, 0.17, 0.80, 64, 1),
    (0.00072, 0.057, 0.95, 0.11, 0.75, 256, 1),
    (0.0019, 0.091, 0.95, 0.25, 0.67, 128, 0),
    (0.0023, 0.43, 0.98, 0.10, 0.32, 128, 1),
    (0.0068, 0.23, 0.999, 0.18, 0.60, 64, 0),
    (0.00032, 0.2, 0.98, 0.22, 0.70, 256, 1),
    (0.0054, 0.12, 0.98, 0.06, 0.85, 128, 2),
    (0.0037, 0.042, 0.98, 0.21, 0.38, 64, 2),
    (0.00057, 0.33, 0.95, 0.13, 0.53, 64, 2),
]
_objectives = dict(
    clip=dict(
        before=5e-4, scalar="objective.init_temperature", values=[0.03, 0.07, 0.2], own=1, finalists=[2, 1]
    ),
    catlip=dict(
        before=2e-3,
        scalar="objective.initial_bias",
        values=["zero", "mean_log_odds", "log_odds"],
        own=2,
        finalists=[3, 6],
    ),
)

prepare = dict(
    demo=dict(type="benchmark.demo_data:draw", test_seed=100),
    tuning_pretraining=dict(
        type="benchmark.demo_data:draw",
        seed=1,
        art="twemoji",
        pairs=1,
        val_pairs=1,
        class_val=15,
        class_test=1,
        instances_val=100,
        instances_test=1,
        semantic_train=1,
        semantic_val=1,
        semantic_test=1,
    ),
)
data = dict(
    pairs="{results}/data/demo/pairs",
    demo_classification="{results}/data/tuning_pretraining/classification",
    demo_coco="{results}/data/tuning_pretraining/coco",
)
vocabulary = dict(min_count=20)

pretraining = {}
for _name, _objective in _objectives.items():
    _trials = [(_objective["before"], 0.2, 0.98, 0.16, 0.80, 128, _objective["own"]), *_hypercube]
    for _number, (_lr, _decay, _beta, _warmup, _crop, _batch, _scalar) in enumerate(_trials):
        for _stage, _length in (("", _samples), ("-whole", 80_000)):
            if _stage and _number not in _objective["finalists"]:
                continue
            pretraining[f"{_name}-{_number:02d}{_stage}"] = dict(
                config=f"pretraining/demo_{_name}.py",
                set={
                    "samples": _length,
                    "val_interval": 10**6 // _batch,
                    "batch_size": _batch,
                    "ema_momentum": 0.02 * _batch / 128,  # over as many samples
                    "optimizer.lr": _lr,
                    "optimizer.weight_decay": _decay,
                    "optimizer.betas": [0.9, _beta],
                    "optimizer.warmup_samples": int(_warmup * _length),
                    "augmentation.scale": [_crop, 1.0],
                    _objective["scalar"]: _objective["values"][_scalar],
                    **({"keep": [10_240, 20_480, 40_960]} if _stage else {}),  # as the demo keeps them
                },
            )
backbones = {name: "run:{suite}/pretrain/" + name for name in pretraining}
tasks = [
    dict(config="classification/demo_linear_probe.py", set={"task.test": "val", "task.val": None}),
    dict(
        config="detection/demo_mask_rcnn.py",
        set={
            "+task.test": "val",
            "train_cfg.max_iters": 200,
            "train_cfg.val_interval": 200,
            "param_scheduler.1.end": 200,
            "param_scheduler.1.T_max": 170,
        },
        backbones=[name for name in pretraining if name.endswith("-whole")],
    ),
]
