"""CoreNet's checkpoints against the outputs of CoreNet's own ViT (tests/fixtures/corenet_vit_tiny.json).

The fixture holds no weights: every tensor follows from its key by the formula below.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from backbones import UserError, load_backbone
from backbones.catalog import backbone_digest

FIXTURE = json.loads((Path(__file__).parents[2] / "fixtures" / "corenet_vit_tiny.json").read_text())


def tensor_of(key: str, shape: list[int]) -> torch.Tensor:
    r = np.random.RandomState(zlib.crc32(key.encode()))
    if key.endswith("num_batches_tracked") or key.startswith("neural_augmentor"):
        return torch.zeros(shape)
    if key.endswith("running_var"):
        return torch.from_numpy(np.asarray(r.uniform(0.5, 1.5, shape))).float()
    z = r.standard_normal(shape)
    if key.endswith(("running_mean", "pos_embed", "cls_token")):
        z = 0.1 * z
    elif len(shape) >= 2:
        z = z / np.sqrt(np.prod(shape[1:]))
    elif key.endswith(".weight"):
        z = 1 + 0.05 * z
    else:
        z = 0.05 * z
    return torch.from_numpy(np.asarray(z)).float()


@pytest.fixture(scope="module")
def state():
    return {key: tensor_of(key, shape) for key, shape in FIXTURE["state_dict"].items()}


@pytest.fixture(scope="module")
def folder(state, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corenet")
    torch.save(state, folder / "vit_tiny.pt")
    rows = "".join(f"{1000 + i},thing{i}.n.01,{100 - i}\n" for i in range(16))
    (folder / "classes.csv").write_text(f"synset,name,count\n{rows}")
    return folder


@pytest.fixture(scope="module")
def vit(folder):
    return load_backbone(f"corenet:{folder / 'vit_tiny.pt'}?vocabulary={folder / 'classes.csv'}")


@pytest.mark.parametrize("case", FIXTURE["cases"], ids=lambda case: f"{case['height']}x{case['width']}")
def test_logits_are_corenets_own(vit, case):
    height, width = case["height"], case["width"]
    image = np.random.RandomState(1000 * height + width).rand(1, 3, height, width).astype(np.float32)
    with torch.no_grad():
        tokens = vit(torch.from_numpy(image))
    head = vit.synset_classifier
    logits = tokens.class_token @ head.weight.T + head.bias
    torch.testing.assert_close(logits[0], torch.tensor(case["logits"]).flatten(), atol=1e-4, rtol=0)
    assert tokens.patches.shape == (1, 192, height // 16, width // 16)


def by_hand(state, image):
    """CoreNet's forward pass in plain functions, for a size that the fixture lacks."""
    import torch.nn.functional as F

    def norm(x, key):
        return F.layer_norm(x, (192,), state[f"{key}.weight"], state[f"{key}.bias"], 1e-6)

    def linear(x, key):
        return F.linear(x, state[f"{key}.weight"], state[f"{key}.bias"])

    x = image
    for i, (stride, padding) in enumerate([(4, 1), (2, 0), (2, 0)]):
        name = f"patch_emb.{i}.block"
        x = F.conv2d(x, state[f"{name}.conv.weight"], state.get(f"{name}.conv.bias"), stride, padding)
        if i < 2:
            running = [state[f"{name}.norm.running_{part}"] for part in ("mean", "var")]
            x = F.gelu(F.batch_norm(x, *running, state[f"{name}.norm.weight"], state[f"{name}.norm.bias"]))
    x = x.flatten(2).transpose(1, 2)
    positions = state["pos_embed.pos_embed.pos_embed"].reshape(1, 1, 196, 192)
    x = x + F.interpolate(positions, (x.shape[1], 192), mode="bilinear")[:, 0]
    x = torch.cat([state["cls_token"], x], 1)
    for i in range(12):
        name = f"transformer.{i}.pre_norm_mha"
        qkv = linear(norm(x, f"{name}.0"), f"{name}.1.qkv_proj").reshape(1, -1, 3, 3, 64)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = (q @ k.transpose(-1, -2) / 8).softmax(-1) @ v
        x = x + linear(mixed.transpose(1, 2).flatten(2), f"{name}.1.out_proj_attn")
        name = f"transformer.{i}.pre_norm_ffn"
        x = x + linear(F.gelu(linear(norm(x, f"{name}.0"), f"{name}.1")), f"{name}.4")
    return norm(x, "post_transformer_norm")


def test_tokens_of_a_size_that_is_not_square(vit, state):
    image = torch.rand(1, 3, 96, 176, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        tokens, expected = vit(image), by_hand(state, image)
    torch.testing.assert_close(tokens.class_token, expected[:, 0], atol=1e-4, rtol=0)
    torch.testing.assert_close(tokens.patches.flatten(2).mT, expected[:, 1:], atol=1e-4, rtol=0)


def test_what_became_of_every_key(vit, state):
    report = vit.key_report
    assert sorted(report.used + list(report.dropped)) == sorted(state)
    assert all(key.startswith("neural_augmentor.") for key in report.dropped) and len(report.dropped) == 6
    assert "RangeAugment" in report.dropped["neural_augmentor.noise._low"]
    assert report.missing == []
    assert vit.preprocessing.mean == (0, 0, 0) and vit.preprocessing.std == (1, 1, 1)
    assert vit.synset_classifier.synsets[:2] == (1000, 1001)


def test_without_vocabulary_the_classifier_is_dropped_and_said_so(folder):
    vit = load_backbone(f"corenet:{folder / 'vit_tiny.pt'}")
    assert vit.synset_classifier is None
    assert "vocabulary" in vit.key_report.dropped["classifier.weight"]


def test_a_vocabulary_beside_the_weights_is_found_and_is_part_of_the_digest(folder, state, tmp_path):
    torch.save(state, tmp_path / "vit.pt")
    before = backbone_digest(f"corenet:{tmp_path / 'vit.pt'}")
    (tmp_path / "vocabulary.csv").write_text((folder / "classes.csv").read_text())
    assert len(load_backbone(f"corenet:{tmp_path / 'vit.pt'}").synset_classifier.synsets) == 16
    assert backbone_digest(f"corenet:{tmp_path / 'vit.pt'}") != before


def in_clip(state):
    clip = {f"image_encoder.{key}": value for key, value in state.items() if "classifier" not in key}
    clip["image_encoder.classifier.proj"] = torch.zeros(192, 512)
    clip["text_encoder.projection_layer"] = torch.zeros(2, 2)
    return clip


def in_detector(state):
    """No classifier, other modules around it, and what a training program adds."""
    dense = {f"module.encoder.{key}": value for key, value in state.items() if "classifier" not in key}
    dense["module.box_head.weight"] = torch.zeros(2)
    return {"epoch": 3, "model_state_dict": dense}


def without_flash(state):
    return {key.replace("out_proj_attn", "out_proj"): value for key, value in state.items()}


@pytest.mark.parametrize("change", [in_clip, in_detector, without_flash], ids=lambda f: f.__name__)
def test_the_same_encoder_in_another_checkpoint(vit, state, change, tmp_path):
    torch.save(change(state), tmp_path / "other.pth")
    other = load_backbone(f"corenet:{tmp_path / 'other.pth'}")
    for key, value in vit.trunk.state_dict().items():
        assert torch.equal(other.trunk.state_dict()[key], value), key
    assert other.synset_classifier is None


def test_an_encoder_without_class_token_pools_the_patches(state, tmp_path):
    torch.save({key: value for key, value in state.items() if key != "cls_token"}, tmp_path / "dense.pt")
    vit = load_backbone(f"corenet:{tmp_path / 'dense.pt'}")
    with torch.no_grad():
        tokens = vit(torch.rand(1, 3, 64, 96))
    torch.testing.assert_close(tokens.class_token, tokens.patches.mean((2, 3)))
    assert any("no class token" in note for note in vit.key_report.notes)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("transformer.3.pre_norm_ffn.1.bias", "lacks 1 tensors of the backbone, first blocks.3.mlp.fc1.bias"),
        ("patch_emb.1.block.norm.running_mean", "lacks 1 tensors .* patch_embed.norm2.running_mean"),
        ("pos_embed.pos_embed.pos_embed", "lacks pos_embed"),
    ],
)
def test_a_missing_tensor_is_an_error(state, key, message, tmp_path):
    torch.save({name: value for name, value in state.items() if name != key}, tmp_path / "holed.pt")
    with pytest.raises(UserError, match=message):
        load_backbone(f"corenet:{tmp_path / 'holed.pt'}")


def test_a_tensor_of_the_encoder_that_nobody_knows_is_an_error(state, tmp_path):
    torch.save({**state, "transformer.0.pre_norm_mha.1.q_norm.weight": torch.ones(64)}, tmp_path / "new.pt")
    with pytest.raises(UserError, match=r"q_norm.*architecture is not supported"):
        load_backbone(f"corenet:{tmp_path / 'new.pt'}")


def test_a_vocabulary_of_another_length_is_an_error(folder, tmp_path):
    (tmp_path / "short.csv").write_text("synset,name,count\n1,a.n.01,1\n")
    with pytest.raises(UserError, match=r"1 synsets, the classifier .* 16 rows"):
        load_backbone(f"corenet:{folder / 'vit_tiny.pt'}?vocabulary={tmp_path / 'short.csv'}")
    with pytest.raises(UserError, match="the options here are vocabulary=VALUE"):
        load_backbone(f"corenet:{folder / 'vit_tiny.pt'}?vocabulray=x.csv")
