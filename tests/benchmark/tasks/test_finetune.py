"""Fine-tuning, its cheaper rungs, and what of a model each trains."""

from pathlib import Path

import numpy as np
import pytest
import torch
from image_data import draw_images
from PIL import Image

from backbones import UserError, load_backbone
from benchmark.tasks import openmmlab_runner
from benchmark.tasks.base import TaskContext
from benchmark.tasks.finetune import Finetune
from benchmark.tasks.multilabel import MultiLabel
from common.configs import read_config

CONFIGS = Path(__file__).parents[3] / "task_configs" / "classification"
SMALL = {
    "train_cfg.max_epochs": 2,
    "train_cfg.val_interval": 2,
    "train_dataloader.batch_size": 6,
    "train_dataloader.dataset.transform.input_size": 32,
    "val_dataloader.dataset.transform.input_size": 32,
    "test_dataloader.dataset.transform.input_size": 32,
    "optim_wrapper.precision": "float32",
    "param_scheduler": [],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_images(tmp_path_factory.mktemp("data") / "images")


def context(data, out, config="demo_finetune.py", backbone="random:vit_nano_conv16", seed=0, **overrides):
    out.mkdir(exist_ok=True)
    cfg = read_config(CONFIGS / config, {**SMALL, **overrides})
    return TaskContext(cfg, data, out, backbone, seed, lambda *entry, **pace: None)


@pytest.fixture
def models(monkeypatch):
    """The models of finished trainings."""
    found, finish = [], openmmlab_runner.finish
    monkeypatch.setattr(
        openmmlab_runner,
        "finish",
        lambda runner, *rest: (found.append(runner.trained_model), finish(runner, *rest)),
    )
    return found


def test_a_cell_is_trained_tested_and_written_down(data, tmp_path):
    outcome = Finetune().run(context(data, tmp_path / "cell", **{"optim_wrapper.optimizer.lr": 1e-2}))
    assert outcome.primary == "top1" and {"top1", "ece", "nll_scaled"} <= set(outcome.metrics)
    assert outcome.metrics["top1"].n == 3 and outcome.metrics["top1_over_images"].n == 24
    assert outcome.details["images"] == {"train": 18, "val": 12, "test": 24}
    assert outcome.details["iterations"] == 6 and outcome.details["classes"] == 3
    table = outcome.per_image
    assert list(table["path"][:2]) == ["test/blue/0.png", "test/blue/1.png"] and len(table) == 24
    assert outcome.metrics["top1"].value == pytest.approx(100 * table["correct"].mean())
    assert not list((tmp_path / "cell").glob("logits_*")) and not list((tmp_path / "cell").rglob("*.pth"))
    assert outcome.images == 6 * 6 + 24


def test_colours_are_learnt(data, tmp_path):
    options = {"train_cfg.max_epochs": 15, "optim_wrapper.optimizer.lr": 3e-3, "model.label_smoothing": 0.0}
    options["train_dataloader.dataset.transform.color_jitter"] = None
    outcome = Finetune().run(context(data, tmp_path / "cell", **options))
    assert outcome.metrics["top1"].value > 80


def test_the_seed_decides(data, tmp_path):
    found = [
        Finetune().run(context(data, tmp_path / f"cell{number}", seed=seed)).metrics["nll"].value
        for number, seed in enumerate((0, 0, 1))
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-5) and abs(found[0] - found[2]) > 1e-4


@pytest.mark.parametrize(
    ("config", "trained"), [("demo_lora.py", "lora"), ("demo_attentive_probe.py", "pool")]
)
def test_of_the_cheaper_rungs_the_backbone_stays_as_it_was(data, tmp_path, models, config, trained):
    options = {"model.attention_pool": 2} if trained == "pool" else {}
    outcome = Finetune().run(context(data, tmp_path / "cell", config, **options))
    (model,) = models
    moving = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert moving and all(trained in name or name.startswith("head.") for name in moving)
    assert outcome.details["trained_parameters"] == sum(
        parameter.numel() for parameter in model.parameters() if parameter.requires_grad
    )
    known = dict(load_backbone("random:vit_nano_conv16", seed=0).trunk.named_parameters())
    kept = {
        name.replace(".base_layer", ""): parameter
        for name, parameter in model.backbone.vit.trunk.named_parameters()
        if "lora" not in name
    }
    assert kept.keys() == known.keys()
    assert all(torch.equal(kept[name], known[name]) for name in known)
    if trained == "lora":
        assert any(float(p.detach().abs().max()) > 0 for n, p in model.named_parameters() if "lora_B" in n)


def test_mixup_trains_on_both_images_labels(data, tmp_path):
    options = {"+model.mixup": {"mixup_alpha": 0.2, "cutmix_alpha": 1.0}}
    assert Finetune().run(context(data, tmp_path / "cell", **options)).metrics["top1"].value >= 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"+model.mixup": {"mixup_alpha": 0.2}, "model.loss": "bce"}, "mixup is for loss='cross_entropy'"),
        ({"model.loss": "hinge"}, "cross_entropy, bce or asymmetric"),
        (
            {"+model.lora": {"r": 2}, "+model.backbone.frozen_stages": "all"},
            "leave model.backbone.frozen_stages",
        ),
        ({"train_dataloader.dataset.transform.auto_augment": "nonsense"}, "timm cannot make this"),
        ({"task.init": "transfer"}, "no classifier over synsets"),
        (
            {"+model.mixup": {"mixup_alpha": 0.2}, "+auto_scale_lr": {"base_batch_size": 36}},
            "18 training images make no batch of 36",
        ),
    ],
)
def test_what_cannot_be_is_the_users_to_mend(data, tmp_path, options, message):
    options = {("+" + key if key.startswith("task.init") else key): value for key, value in options.items()}
    with pytest.raises(UserError, match=message):
        Finetune().run(context(data, tmp_path / "cell", **options))


def test_fewer_images_than_a_batch_are_a_step(data, tmp_path):
    options = {"+auto_scale_lr": {"base_batch_size": 36}}
    assert Finetune().run(context(data, tmp_path / "cell", **options)).details["iterations"] == 2


def test_the_asymmetric_loss_is_a_mean_over_images():
    from backbones.openmmlab import ImageClassifier

    backbone = {"type": "ViTBackbone", "weights": "random:vit_nano_conv16"}
    model = ImageClassifier(backbone, 3, loss="asymmetric")
    logits, labels = torch.randn(4, 3), torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]])
    single = [model._loss(logits[k : k + 1], labels[k : k + 1]) for k in range(4)]
    torch.testing.assert_close(model._loss(logits, labels), torch.stack(single).mean())
    positive, negative = torch.sigmoid(logits[1]), (1 - torch.sigmoid(logits[1]) + 0.05).clamp(max=1)
    expected = -((1 - negative) ** 4 * negative.log()).sum()  # nothing is there: gamma 4, shifted by 0.05
    assert positive.shape == (3,) and float(single[1]) == pytest.approx(float(expected), rel=1e-4)


def test_a_broken_picture_is_named(tmp_path):
    root = draw_images(tmp_path / "data")
    (root / "train" / "red" / "0.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"train/red/0\.png is no readable image"):
        Finetune().run(context(root, tmp_path / "cell"))


@pytest.fixture
def several(tmp_path):
    """A manifest of pictures of two coloured halves: each shows two of three colours, or one."""
    generator = np.random.default_rng(0)
    colours = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 210)}
    lines = ["path,label,split"]
    for number in range(60):
        names = generator.choice(list(colours), 2)
        picture = Image.new("RGB", (32, 32), colours[names[0]])
        picture.paste(colours[names[1]], (16, 0, 32, 32))
        picture.save(tmp_path / f"{number:02}.png")
        lines.append(f"{number:02}.png,{'|'.join(dict.fromkeys(names))},{'train' if number < 36 else 'test'}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.parametrize("loss", ["bce", "asymmetric"])
def test_several_labels_are_learnt(several, tmp_path, loss):
    options = {
        "task.val": None,
        "model.loss": loss,
        "train_cfg.max_epochs": 15,
        "optim_wrapper.optimizer.lr": 3e-3,
        "task.test": "test",
    }
    outcome = MultiLabel().run(context(several, tmp_path / "cell", "demo_multilabel.py", **options))
    assert outcome.primary == "mAP" and set(outcome.metrics) == {"mAP", "mAP_micro", "mAP_weighted"}
    assert outcome.metrics["mAP"].value > 85
    assert outcome.details["class_ap"].keys() == {"red", "green", "blue"}
    assert len(outcome.per_image) == 24 and len(outcome.per_image["probabilities"][0]) == 3
    assert outcome.metrics["mAP"].value == pytest.approx(np.mean(list(outcome.details["class_ap"].values())))


def test_transfer_init_starts_the_class_layer(tmp_path, catlip, models):
    colours = {"red": (210, 30, 20), "cat": (20, 40, 200), "sky": (30, 190, 40)}
    root = draw_images(tmp_path / "data", colours=colours)
    options = {"+task.init": "transfer", "optim_wrapper.optimizer.lr": 1e-12, "train_cfg.max_epochs": 1}
    outcome = Finetune().run(context(root, tmp_path / "cell", backbone=catlip, **options))
    assert outcome.details["transfer_init"]["labels"]["exact"] == 3
    source = load_backbone(catlip).synset_classifier
    rows = {tuple(row.tolist()) for row in source.weight.detach()}
    found = models[0].head.weight.detach()
    assert all(min((found[k] - torch.tensor(row)).abs().max() for row in rows) < 1e-5 for k in range(3))
