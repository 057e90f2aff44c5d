"""Our configs by themselves: stock MMEngine runs them in a fresh process."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from dense_data import write_ade20k, write_coco
from mmengine.config import Config

from benchmark.suites.cell import load_task_config
from benchmark.tasks import check_settings
from common.configs import CONFIGS

ROOT = Path(__file__).parents[2] / "task_configs"
DENSE = sorted([*ROOT.glob("detection/*.py"), *ROOT.glob("segmentation/*.py")])

RUN = """if True:
    import ast, json, sys
    from mmengine.config import Config
    from mmengine.runner import Runner
    assert not any(name.startswith(("mmdet", "mmseg", "backbones", "benchmark")) for name in sys.modules)
    cfg = Config.fromfile(sys.argv[1])
    cfg.merge_from_dict(ast.literal_eval(sys.argv[2]))
    runner = Runner.from_cfg(cfg)
    before = {name: p.detach().clone() for name, p in runner.model.named_parameters()}
    losses = []
    def keep(batch_idx, outputs=None, **_):
        losses.append(outputs["loss"].item())
    hook = type("Keep", (type(runner.hooks[0]),), {"after_train_iter": lambda self, r, **kw: keep(**kw)})
    runner.register_hook(hook())
    runner.train()
    changed = sum(not p.detach().equal(before[name]) for name, p in runner.model.named_parameters())
    metrics = runner.test()
    assert not any(name.startswith("benchmark") for name in sys.modules)
    print("REPORT", json.dumps([losses, changed, len(before), {k: float(v) for k, v in metrics.items()}]))
"""


@pytest.mark.parametrize("path", DENSE, ids=lambda path: path.stem)
def test_a_config_is_for_its_framework_and_holds_no_path(path):
    cfg = Config.fromfile(path)
    assert cfg.task.type == path.parent.name
    assert cfg.default_scope == {"detection": "mmdet", "segmentation": "mmseg"}[path.parent.name]
    assert cfg.custom_imports.imports == ["backbones.openmmlab"]
    assert not re.search(r"""["'](/|~|[A-Z]:)""", cfg.pretty_text)
    assert cfg.model.data_preprocessor.mean == [0.0] * 3 and cfg.model.data_preprocessor.std == [255.0] * 3


def test_sizes_differ_from_the_base_only_where_the_recipe_says():
    base = Config.fromfile(ROOT / "detection" / "coco_mask_rcnn_vit_base.py")
    for size, width, decay, drop, epochs in (("large", 1024, 0.8, 0.4, 25), ("huge", 1280, 0.9, 0.5, 20)):
        cfg = Config.fromfile(ROOT / "detection" / f"coco_mask_rcnn_vit_{size}.py")
        assert cfg.model.neck.in_channels == width
        assert cfg.model.backbone.drop_path_rate == drop
        assert cfg.optim_wrapper.paramwise_cfg.layer_decay == decay
        assert cfg.train_cfg.max_epochs == cfg.param_scheduler[1].end == epochs
        for key in ("train_dataloader", "test_dataloader", "custom_hooks", "auto_scale_lr"):
            assert cfg[key] == base[key]
        assert cfg.model.roi_head == base.model.roi_head
    for size, width in (("large", 1024), ("huge", 1280)):
        cfg = Config.fromfile(ROOT / "segmentation" / f"ade20k_deeplabv3_vit_{size}.py")
        assert cfg.model.decode_head.in_channels == width
        assert cfg.optim_wrapper.optimizer.lr == 3e-5


@pytest.mark.parametrize(("folder", "batch"), [("detection", 128), ("segmentation", 32)])
def test_a_papers_batch_is_kept_and_the_learning_rate_scaled_only_on_request(folder, batch):
    paths = [
        path for path in DENSE if path.parent.name == folder and path.stem.startswith(("coco", "ade20k"))
    ]
    assert len(paths) >= 3
    for path in paths:
        cfg = Config.fromfile(path)
        assert cfg.auto_scale_lr == {"enable": False, "base_batch_size": batch}
        assert batch % cfg.train_dataloader.batch_size == 0


def run(path, options, tmp_path):
    environment = {"PYTHONPATH": str(ROOT.parent), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(
        [sys.executable, "-c", RUN, str(ROOT / path), repr(options)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    report = next(line for line in result.stdout.splitlines() if line.startswith("REPORT "))
    return json.loads(report.removeprefix("REPORT "))


def schedule(cfg, iterations=2):
    """Cut training to a few iterations and one evaluation."""
    options = {"train_cfg": {"_delete_": True, "type": "IterBasedTrainLoop", "max_iters": iterations}}
    options["train_dataloader.sampler"] = {"type": "InfiniteSampler", "shuffle": True}
    for split in ("train", "val", "test"):
        options[f"{split}_dataloader.num_workers"] = 0
        options[f"{split}_dataloader.persistent_workers"] = False
        options[f"{split}_dataloader.batch_size"] = 2
    options["train_cfg"]["val_interval"] = 100
    options["param_scheduler"] = []
    options["work_dir"] = "work"  # the stock training scripts set it
    return options


@pytest.mark.slow
def test_the_coco_config_trains_and_evaluates_a_vit_base_with_stock_tools(tmp_path):
    data = write_coco(tmp_path / "coco", {"train2017": 4, "val2017": 2}, 96)
    path = "detection/coco_mask_rcnn_vit_base.py"
    options = schedule(Config.fromfile(ROOT / path))
    pipeline = "train_dataloader.dataset.dataset.pipeline.2.scales"
    options |= {"model.backbone.weights": "random:vit_base_conv16", pipeline: [(96, 96), (128, 96)]}
    options |= {f"{split}_dataloader.dataset.pipeline.1.scale": (128, 128) for split in ("val", "test")}
    options |= {"train_dataloader.dataset.dataset.data_root": str(data)}
    for split in ("val", "test"):
        options[f"{split}_dataloader.dataset.data_root"] = str(data)
        options[f"{split}_evaluator.ann_file"] = str(data / "annotations" / "instances_val2017.json")
    options |= {
        "model.roi_head.bbox_head.num_classes": 2,
        "model.roi_head.mask_head.num_classes": 2,
        "model.train_cfg.rcnn.sampler.num": 16,
        "model.train_cfg.rpn_proposal": {"nms_pre": 50, "max_per_img": 20},
        "model.test_cfg.rpn": {"nms_pre": 50, "max_per_img": 20},
        "model.test_cfg.rcnn": {"score_thr": 0.0, "max_per_img": 5},
    }
    names = {"classes": ["red", "green"]}
    for dataset in ("train_dataloader.dataset.dataset", "val_dataloader.dataset", "test_dataloader.dataset"):
        options[f"{dataset}.metainfo"] = names
    losses, changed, parameters, metrics = run(path, options, tmp_path)
    assert len(losses) == 2 and all(0 < loss < 100 for loss in losses)
    assert changed > 0.9 * parameters  # drop path may leave out a block
    assert 0 <= metrics["coco/bbox_mAP"] <= 1 and 0 <= metrics["coco/segm_mAP"] <= 1


@pytest.mark.slow
def test_the_ade20k_configs_train_and_evaluate_with_stock_tools(tmp_path):
    data = write_ade20k(tmp_path / "ade", {"training": 4, "validation": 2}, 64, classes=None)
    for path in ("segmentation/ade20k_deeplabv3_vit_base.py", "segmentation/ade20k_linear.py"):
        options = schedule(Config.fromfile(ROOT / path))
        options |= {f"{split}_dataloader.dataset.data_root": str(data) for split in ("train", "val", "test")}
        options |= {f"{split}_dataloader.dataset.pipeline.1.scale": (64, 64) for split in ("val", "test")}
        options |= {
            "model.backbone.weights": "random:vit_base_conv16",
            "model.data_preprocessor.size": (64, 64),
            "train_dataloader.dataset.pipeline.2.scales": [(1024, 64), (1024, 80)],
            "train_dataloader.dataset.pipeline.3.crop_size": (64, 64),
        }
        if "linear" in path:
            options |= {"model.backbone.weights": "random:vit_nano_conv16"}
            options |= {"model.decode_head.in_channels": 32, "model.decode_head.channels": 32}
        losses, changed, parameters, metrics = run(path, options, tmp_path)
        assert len(losses) == 2 and all(0 < loss < 20 for loss in losses)
        assert changed == (2 if "linear" in path else parameters)
        assert 0 <= metrics["mIoU"] <= 100 and "aAcc" in metrics


@pytest.mark.parametrize(
    "path", sorted((CONFIGS / "classification").glob("*.py")), ids=lambda path: path.stem
)
def test_a_classification_task_understands_its_config(path):
    task = load_task_config(path, data=["mine"])
    check_settings(task.cfg.task)
    if task.type in ("finetune", "multilabel"):
        epochs, schedule = task.cfg.train_cfg.max_epochs, task.cfg.param_scheduler[-1]
        assert schedule.T_max == schedule.end == epochs == task.cfg.train_cfg.val_interval
        sizes = {task.cfg[f"{part}_dataloader"].dataset.transform.input_size for part in ("train", "test")}
        assert len(sizes) == 1 and (sizes == {512}) == ("_512" in path.stem or "coco" in path.stem)
