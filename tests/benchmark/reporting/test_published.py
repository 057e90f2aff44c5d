"""Measured beside published: what is compared with what, and what is said of protocols that differ."""

import csv
import io
from dataclasses import asdict

import pytest

from backbones.architectures import ARCHITECTURES
from backbones.card import Card
from benchmark import reporting
from benchmark.records.schema import BackboneInfo, DataInfo, Metric, Record, TaskInfo
from benchmark.records.store import write_record
from benchmark.reporting import published
from benchmark.reporting.results import of_folder

FINETUNE = "task_configs/classification/imagenet1k_finetune_vit_base.py"
DETECTION = "task_configs/detection/coco_mask_rcnn_vit_base.py"


def record(name="catlip", config=FINETUNE, metrics=None, spec="corenet:/weights/vit_base.pt", **changes):
    task = config.rpartition("/")[2].removesuffix(".py")
    metrics = metrics or {"top1": 84.0}
    values = {
        "status": "done",
        "suite": "toy",
        "backbone": BackboneInfo(name=name, spec=spec, description=changes.pop("description", {})),
        "task": TaskInfo(
            name=task,
            type="finetune",
            config=config,
            config_digest="c",
            protocol=1,
            axes=changes.pop("axes", {}),
        ),
        "data": DataInfo(name=changes.pop("data", "imagenet1k"), path="data", digest="d"),
        "seed": 0,
        "fingerprint": "f",
        "command": f"python run_suite.py run {config} --backbone {spec}",
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:00:10+00:00",
        "primary": next(iter(metrics)),
        "also": list(metrics)[1:],
        "metrics": {
            key: Metric(value=value, low=value - 1, high=value + 1, n=changes.get("n", 50_000))
            for key, value in metrics.items()
        },
    }
    changes.pop("n", None)
    return Record(**{**values, **changes})


@pytest.fixture
def results_of(tmp_path):
    def make(*records):
        for number, entry in enumerate(records):
            write_record(tmp_path / "toy" / f"{number}" / entry.task.name / f"seed{entry.seed}", entry)
        return of_folder(tmp_path / "toy")

    return make


def described(objective="catlip", architecture="vit_base_conv16", **more):
    card = {"source": "run", "objective": objective, "architecture": asdict(ARCHITECTURES[architecture])}
    return card | more


def test_released_weights_stand_beside_each_figure_of_theirs(results_of):
    found = published.beside(results_of(record(metrics={"top1": 84.0, "top5": 97.0})))
    assert [(line.metric, line.published, line.source) for line in found] == [
        ("top1", 84.3, "paper table 2"),
        ("top1", 84.158, "released weights (README)"),
        ("top5", 97.006, "released weights (README)"),
    ]
    first = found[0]
    assert first.difference == pytest.approx(-0.3) and (first.low, first.high) == (83.0, 85.0)
    assert first.published_for == "CatLIP ViT-B/16 on DataComp-1.3B"
    assert first.noise is first.within_noise is None  # nobody published how far two trainings are apart
    assert first.differs and not any("pre-trained" in words or "data" in words for words in first.differs)


def test_clip_is_held_against_clip_and_a_size_against_its_own(results_of):
    large = FINETUNE.replace("base", "large")
    found = published.beside(
        results_of(
            record("clip", spec="corenet:clip_vit_base.pt"),
            record("large", large, spec="corenet:vit_large.pt"),
            record("huge", FINETUNE.replace("base", "huge_512"), spec="corenet:vit_huge.pt"),
        )
    )
    told = {(line.backbone, line.published) for line in found}
    assert told == {("clip", 84.4), ("large", 86.5), ("large", 86.8), ("huge", 88.8)}


def test_other_pre_training_is_never_shown_without_saying_so(results_of):
    cost = {"samples": 80_000}
    found = published.beside(results_of(record(spec="run:/x", description=described(cost=cost))))
    assert {line.published_for for line in found} == {
        "CatLIP ViT-B/16 on DataComp-1.3B",
        "CatLIP ViT-B/16 on CC3M",
    }
    for line in found:
        assert line.differs[0] == "pre-trained here"
        assert line.differs[1].startswith("pre-training data pairs that nothing is known of; published for")
    assert found[0].differs[2] == "80,000 samples seen; published: 13,107,200,000"
    tuned = published.beside(results_of(record(spec="corenet:vit_base_imagenet1k.pt")))
    assert tuned[0].differs[0].startswith("pre-training data DataComp-1.3B, ImageNet-1k; published")


def test_a_pre_training_by_the_configs_of_cc3m_is_held_against_cc3m(results_of):
    card = described(config="cc3m_catlip.py", cost={"samples": 5})
    (line,) = published.beside(results_of(record(spec="run:/x", description=card)))
    assert (line.published, line.differs[0]) == (67.3, "pre-trained here")
    assert not any("samples" in words or "pre-training data" in words for words in line.differs)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": "pets"}, "data pets; published: imagenet1k"),
        ({"n": 100}, "tested on 100 images; published: 50,000"),
        ({"axes": {"init": "transfer"}}, "init=transfer"),
        (
            {"command": "python run_suite.py run x --set train_cfg.max_epochs=1"},
            "set: train_cfg.max_epochs=1",
        ),
        ({"command": "run '"}, "set: a command that cannot be read"),
    ],
)
def test_whatever_else_is_not_as_published_is_named(results_of, changes, words):
    (line, *_) = published.beside(results_of(record(**changes)))
    assert words in line.differs


def test_several_seeds_are_a_mean(results_of):
    (line, *_) = published.beside(results_of(record(), record(seed=1, metrics={"top1": 85.0})))
    assert line.measured == 84.5 and "mean of 2 seeds; published: one run" in line.differs


def test_the_noise_between_seeds_says_what_a_difference_is_worth(results_of):
    metrics = {"bbox_mAP": 49.8, "segm_mAP": 43.3}
    box, mask = published.beside(results_of(record(config=DETECTION, metrics=metrics, data="coco")))
    assert (box.within_noise, mask.within_noise) == (True, False)
    assert box.noise == 0.1 and box.difference == pytest.approx(-0.1)


@pytest.mark.parametrize(
    "other",
    [
        {"config": "probe.py"},
        {"config": f"/tmp/{FINETUNE}"},
        {"spec": "random:vit_base_conv16", "description": described(None)},
        {"spec": "corenet:mine.pt"},
        {"spec": "run:/x", "description": described("siglip")},
        {"spec": "run:/x", "description": described(architecture="vit_mini_conv16")},
        {"spec": "run:/x", "description": {"architecture": {"name": "vit_base"}, "objective": "catlip"}},
        {"metrics": {"f1": 3.0}},
        {"status": "failed", "metrics": {}, "primary": None, "error": "it broke"},
    ],
)
def test_what_has_no_counterpart_has_none(results_of, other):
    results = results_of(record().model_copy(update=other) if "status" in other else record(**other))
    assert not published.beside(results) and not published.write(results)


def test_a_miniature_is_never_a_difference(results_of):
    config = "task_configs/segmentation/demo_deeplabv3.py"
    shown = {"mIoU_things": 8.0, "mIoU": 30.0}
    cards = {name: described(name, "vit_mini_conv16") for name in ("catlip", "clip")}
    results = results_of(
        *(record(name, config, shown, f"run:/{name}", description=card) for name, card in cards.items())
    )
    found = published.beside(results)
    assert {(line.backbone, line.metric, line.published) for line in found} == {
        ("catlip", "mIoU", 50.1),
        ("clip", "mIoU", 49.7),
    }
    assert all(line.difference is line.within_noise is None and line.differs for line in found)
    (sentence,) = published.sentences(results)
    assert "50.1 of CatLIP ViT-B/16 on DataComp-1.3B against 49.7 of CLIP" in sentence
    assert "another protocol" in sentence
    text = [path.read_text() for path in published.write(results)][1]
    assert "another protocol" in text and "difference" not in text


def test_the_tables_hold_every_line_escaped(results_of):
    results = results_of(record("cat|<b>"))
    assert reporting.update(results)
    lines = list(csv.DictReader(io.StringIO((results.folder / "tables" / "published.csv").read_text())))
    assert [line["published"] for line in lines] == ["84.3", "84.158"]
    assert lines[0]["backbone"] == "cat|<b>" and float(lines[0]["difference"]) == pytest.approx(-0.3)
    text = (results.folder / "tables" / "published.md").read_text()
    assert (
        r"cat\|&lt;b&gt;" in text
        and "| 84.0 [83.0, 85.0] | 84.3 | -0.3 |".replace("[", r"\[").replace("]", r"\]") in text
    )


def test_a_backbone_is_known_by_what_it_says_or_by_its_files_name():
    assert published.origin_of("corenet:~/w/vit_huge.pt?vocabulary=v.csv", Card()).shape == "ViT-H/16"
    openclip = "openclip:/w/ViT-B-16.pt?model=ViT-B-16&pretrained=laion2b_s34b_b88k"
    assert published.origin_of(openclip, Card()).data == "LAION-2B"
    assert published.origin_of("openclip:/w/ViT-B-16.pt", Card()).data is None
    assert published.origin_of("corenet:FILE?vocabulary=CSV", Card()).objective is None
