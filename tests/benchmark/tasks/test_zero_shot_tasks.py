"""Zero-shot classification and image–text retrieval, on tiny backbones that a text tower or rows go with."""

import io
import json
import tarfile

import numpy as np
import pytest
import torch
from image_data import COLOURS, draw_images
from mmengine.config import Config
from PIL import Image

from backbones import UserError, load_backbone
from backbones.card import Card
from backbones.checkpoints import run
from backbones.text import save_text, text_transformer
from benchmark.tasks import load_task
from benchmark.tasks.base import TaskContext
from benchmark.tasks.image_text import read_pairs
from common.progress import silent


@pytest.fixture
def clip(tmp_path):
    """``run:`` a tiny backbone with a text tower, both untrained."""
    folder = tmp_path / "clip"
    folder.mkdir()
    run.save(folder, load_backbone("random:vit_nano_conv16"), Card(objective="clip", cost=None))
    shape = {"context_length": 77, "width": 32, "heads": 2, "layers": 1, "embed_dim": 16}
    torch.manual_seed(0)
    state = {f"text.{key}": value for key, value in text_transformer(**shape).state_dict().items()}
    state |= {"image_projection": torch.randn(32, 16), "logit_scale": torch.tensor(3.0)}
    save_text(folder, shape, state)
    return f"run:{folder}"


def act(kind, data, backbone, out, **settings):
    cfg = Config({"task": dict(type=kind, data="toy", workers=0, **settings)})
    return load_task(kind).run(TaskContext(cfg, data, out, backbone, 0, silent))


def test_a_text_tower_reads_the_labels(tmp_path, clip):
    root = draw_images(tmp_path / "data")
    outcome = act("zero_shot", root, clip, tmp_path, templates="name")
    assert outcome.primary == "top1" and outcome.chosen == {"by": "captions"}
    assert outcome.metrics["top1"].n == 24
    assert "ece" in outcome.metrics and "ece_scaled" not in outcome.metrics
    assert len(outcome.per_image) == 24 and outcome.details["templates"] == "name"


def test_a_classifier_over_synsets_gives_its_rows(tmp_path, catlip):
    colours = {"red": (210, 30, 20), "cat": (20, 40, 200), "zzyzx": (30, 190, 40)}
    root = draw_images(tmp_path / "data", colours=colours)
    outcome = act("zero_shot", root, catlip, tmp_path, bias="zero")
    assert outcome.chosen == {"by": "synsets"} and outcome.details["bias"] == "zero"
    by_bias = outcome.details["top1_by_bias"]
    assert set(by_bias) == {"own", "zero", "rarity"} and outcome.notes[0].startswith("1 of 3 labels name no")
    assert outcome.metrics["top1"].value == pytest.approx(by_bias["zero"], abs=1e-3)
    assert not outcome.per_image.query("correct")["path"].str.contains("zzyzx").any()
    json.dumps([outcome.details, outcome.chosen])


def test_who_has_neither_is_refused(tmp_path, catlip):
    root = draw_images(tmp_path / "data")
    with pytest.raises(UserError, match="has no text tower"):
        act("zero_shot", root, "random:vit_nano_conv16", tmp_path)
    with pytest.raises(UserError, match="has no text tower"):
        act("zero_shot", root, catlip, tmp_path, by="captions")
    with pytest.raises(UserError, match="has no classifier over synsets"):
        act("zero_shot", root, "random:vit_nano_conv16", tmp_path, by="synsets")


@pytest.fixture
def pairs(tmp_path):
    """Two shards of six pairs each; every caption is there twice."""
    for split in ("train", "val"):
        (tmp_path / "pairs" / split).mkdir(parents=True)
        for shard in range(2):
            with tarfile.open(tmp_path / "pairs" / split / f"{shard}.tar", "w") as file:
                for number in range(6):
                    picture = io.BytesIO()
                    colour = list(COLOURS.values())[number % 3]
                    Image.new("RGB", (32, 32), colour).save(picture, "png")
                    caption = f"{list(COLOURS)[number % 3]} {shard}".encode()
                    for ending, content in (("png", picture.getvalue()), ("txt", caption)):
                        entry = tarfile.TarInfo(f"{number:03}.{ending}")
                        entry.size = len(content)
                        file.addfile(entry, io.BytesIO(content))
    return tmp_path / "pairs"


def test_recall_both_ways(tmp_path, pairs, clip):
    outcome = act("image_text", pairs, clip, tmp_path)
    assert outcome.primary == "image_to_text_r1" and outcome.also == ["text_to_image_r1"]
    assert outcome.details["images"] == {"val": 12} and outcome.details["different_captions"] == 6
    assert outcome.metrics["image_to_text_r10"].n == 12
    ranks = outcome.per_image["image_to_text"]
    assert outcome.metrics["image_to_text_r5"].value == pytest.approx(100 * np.mean(ranks < 5))
    assert outcome.per_image["caption"][0] == "blue 0" and outcome.per_image["path"][6] == "1.tar:000"


def test_pairs_are_read_up_to_a_number_and_all_must_be_sound(pairs):
    images, captions = read_pairs(pairs, "val", 4)
    assert len(images) == len(captions) == 4 and images.image(2).getpixel((0, 0)) == COLOURS["red"]
    before = images.state()
    with tarfile.open(pairs / "val" / "0.tar", "a") as file:
        entry = tarfile.TarInfo("999.png")
        file.addfile(entry, io.BytesIO(b""))
    assert read_pairs(pairs, "val", 4)[0].state() != before
    with pytest.raises(UserError, match=r"0\.tar:999: no \.txt and no \.json"):
        read_pairs(pairs, "val", 5000)
    with pytest.raises(UserError, match="does not exist"):
        read_pairs(pairs / "nowhere", "val", 4)
    for shard in (pairs / "val").glob("*.tar"):
        shard.unlink()
    (pairs / "val").rmdir()
    with pytest.raises(UserError, match=r"has no val/\*\.tar"):
        read_pairs(pairs, "val", 4)
