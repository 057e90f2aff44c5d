"""How the recipes of the demo's trained classification tasks were chosen: on its validation images.

Protocol: the demo's pre-trained backbones (python run_suite.py makes them), fine-tuned by three learning
rates on each rung; top-1 on val/, whose images nothing else of these tasks looks at, with a tenth of train/
held out in its place; mAP on val/ of the detection data. Nothing here looks at the demo's test images. What
was found is in tuning_classification.csv; the rate with the best mean over both objectives was taken.

Command:
    python run_suite.py --suite tuning_classification

Published: none, the data are drawn by this project.
"""

_judged_by_val = {"task.test": "val", "task.val": None}
tuning = True
data = dict(
    demo_classification="{results}/data/demo/classification",
    demo_coco="{results}/data/demo/coco",
)
backbones = dict(
    clip="run:{results}/demo/pretrain/clip",
    catlip="run:{results}/demo/pretrain/catlip",
)
tasks = [
    dict(config=f"classification/{_name}.py", set=_judged_by_val, axes=dict(learning_rate=_rates))
    for _name, _rates in dict(
        demo_finetune=[1e-3, 3e-3, 1e-2],
        demo_lora=[2e-3, 5e-3, 1e-2],
        demo_attentive_probe=[3e-3, 1e-2, 3e-2],
        demo_multilabel=[1e-3, 3e-3, 1e-2],
    ).items()
]
