"""The demo in miniature: every stage on a handful of samples; its figures mean nothing.

Protocol: the demo's configs, cut to ten steps of pre-training and three iterations of a transfer.

Command:
    python run_suite.py --suite smoke

Published: none, the data are drawn by this project.
"""

_miniature = {"samples": 1280, "val_samples": 64, "val_interval": 10, "checkpoint_interval": 10}

prepare = dict(
    smoke=dict(
        type="benchmark.demo_data:draw",
        concepts=12,
        pairs=400,
        val_pairs=64,
        pairs_per_shard=200,
        classes=6,
        class_train=4,
        class_val=2,
        class_test=4,
        class_shifted=1,
        categories=4,
        instances_train=8,
        instances_val=4,
        instances_test=4,
        things=4,
        semantic_train=8,
        semantic_val=4,
        semantic_test=4,
    )
)
data = dict(
    pairs="{results}/data/smoke/pairs",
    demo_classification="{results}/data/smoke/classification",
    demo_shifted="{results}/data/smoke/shifted",
    demo_coco="{results}/data/smoke/coco",
    demo_ade20k="{results}/data/smoke/ade20k",
)
vocabulary = dict(min_count=2)
pretraining = dict(
    clip=dict(config="pretraining/demo_clip.py", set=_miniature),
    catlip=dict(config="pretraining/demo_catlip.py", set=_miniature),
)
backbones = dict(
    random="random:vit_mini_conv16",
    clip="run:{suite}/pretrain/clip",
    catlip="run:{suite}/pretrain/catlip",
)
_short = {"train_cfg.max_epochs": 1, "train_dataloader.batch_size": 8}
tasks = [
    dict(config="classification/demo_linear_probe.py", further=["demo_shifted"]),
    "classification/demo_knn.py",
    dict(config="classification/demo_fewshot.py", set={"task.shots": [1, 2], "task.draws": 2}),
    "classification/demo_retrieval.py",
    dict(config="classification/demo_zero_shot.py", backbones=["clip", "catlip"]),
    dict(config="classification/demo_image_text.py", backbones=["clip"]),
    dict(config="classification/demo_attentive_probe.py", set=_short, backbones=["catlip"]),
    dict(config="classification/demo_lora.py", set=_short, backbones=["catlip"]),
    dict(config="classification/demo_finetune.py", set=_short, backbones=["catlip"]),
    dict(config="classification/demo_multilabel.py", set=_short),
    dict(
        config="classification/demo_linear_probe.py",
        name="data_efficiency",
        axes=dict(fraction=[0.5], init=["random", "transfer"]),
        backbones=["catlip"],
    ),
    dict(config="detection/demo_mask_rcnn.py", set={"train_cfg.max_iters": 3}),
    dict(config="segmentation/demo_deeplabv3.py", set={"train_cfg.max_iters": 3}),
]
curve = dict(samples=[640], tasks=["demo_linear_probe"])
seeds = 1
