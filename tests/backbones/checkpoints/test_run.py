"""The suite's own folder."""

import json
from dataclasses import replace

import pytest
import torch

from backbones import UserError, empty_backbone, load_backbone
from backbones.architectures import ARCHITECTURES
from backbones.card import Card, TrainingCost
from backbones.catalog import backbone_digest, describe
from backbones.checkpoints import run
from backbones.vit import SynsetClassifier, build_vit


@pytest.fixture
def folder(tmp_path):
    vit = build_vit(replace(ARCHITECTURES["vit_nano_conv16"], image_size=96))
    vit.synset_classifier = SynsetClassifier(torch.randn(2, 32), torch.randn(2), (2084071, 2121620))
    (tmp_path / "vocabulary.csv").write_text("synset,name,count\n2084071,dog.n.01,9\n2121620,cat.n.01,4\n")
    run.save(tmp_path, vit, Card(objective="catlip", cost=TrainingCost(seconds=1.0)))
    return tmp_path, vit.eval()


def test_checkpoint_folder_survives_save_and_load(folder):
    path, vit = folder
    loaded = load_backbone(f"run:{path}")
    image = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(loaded(image).class_token, vit(image).class_token)
    assert loaded.preprocessing == vit.preprocessing
    assert loaded.synset_classifier.synsets == (2084071, 2121620)
    assert torch.equal(loaded.synset_classifier.weight, vit.synset_classifier.weight)
    assert describe(f"run:{path}").objective == "catlip"


def test_digest_follows_the_weights(folder):
    path, _ = folder
    before = backbone_digest(f"run:{path}")
    weights = path / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    assert backbone_digest(f"run:{path}") != before


def test_a_folder_without_resize_mode_keeps_the_shape_of_images(folder):
    path, _ = folder
    values = json.loads((path / "backbone.json").read_text())
    assert values["preprocessing"].pop("resize_mode") == "shortest"
    (path / "backbone.json").write_text(json.dumps(values))
    assert load_backbone(f"run:{path}").preprocessing.resize_mode == "shortest"
    values["preprocessing"]["resize_mode"] = "stretch"
    (path / "backbone.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match="resize_mode is shortest or squash, not 'stretch'"):
        load_backbone(f"run:{path}")


def _truncate(path):
    weights = path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def _wrong_shape(path):
    text = json.loads((path / "backbone.json").read_text())
    text["architecture"]["embed_dim"] = 48
    (path / "backbone.json").write_text(json.dumps(text))


def _newer(path):
    text = json.loads((path / "backbone.json").read_text())
    (path / "backbone.json").write_text(json.dumps(text | {"format": 99}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, "weights.safetensors cannot be read"),
        (_wrong_shape, "does not fit backbone.json"),
        (_newer, "newer than"),
        (lambda path: (path / "backbone.json").write_text("{"), "backbone.json cannot be read"),
        (lambda path: (path / "backbone.json").unlink(), "pre-train it first"),
    ],
)
def test_damaged_folders_are_refused_in_one_line(folder, damage, message):
    path, _ = folder
    damage(path)
    with pytest.raises(UserError, match=message) as caught:
        load_backbone(f"run:{path}")
    assert "\n" not in str(caught.value)


def test_without_weights_the_card_alone_is_read(folder):
    path, vit = folder
    (path / "weights.safetensors").unlink()
    empty = empty_backbone(f"run:{path}")
    assert (empty.embed_dim, empty.depth, empty.preprocessing) == (32, 2, vit.preprocessing)
    assert all(tensor.is_meta for tensor in [*empty.parameters(), *empty.buffers()])


def test_a_folder_of_an_older_version_is_read(folder):
    """It said seven fields of the architecture; the others had what are the defaults now."""
    path, vit = folder
    values = json.loads((path / "backbone.json").read_text())
    seven = ("embed_dim", "depth", "num_heads", "patch_size", "stem", "image_size", "mlp_ratio")
    values["architecture"] = {key: values["architecture"][key] for key in seven}
    values["what nobody knows"] = [1, 2]
    (path / "backbone.json").write_text(json.dumps(values))
    image = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(load_backbone(f"run:{path}")(image).class_token, vit(image).class_token)
    assert describe(f"run:{path}").to_dict()["what nobody knows"] == [1, 2]


def test_a_computation_that_is_not_known_is_refused(folder):
    path, _ = folder
    values = json.loads((path / "backbone.json").read_text())
    values["architecture"]["rotary"] = True
    (path / "backbone.json").write_text(json.dumps(values))
    for ask in (load_backbone, describe, empty_backbone):
        with pytest.raises(UserError, match=r"no ViT that is known here \(architecture.Layout.rotary"):
            ask(f"run:{path}")
    del values["architecture"]
    (path / "backbone.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match="has no architecture"):
        load_backbone(f"run:{path}")
