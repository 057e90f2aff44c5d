"""The contract's questions and the catalogue's facts, for every name that `list backbones` shows.

Structure is asked at the true size: the source library's own architecture on the meta device gives the file's
keys and shapes, and our reader makes a `ViT` of them (no memory, no weights). Numbers are asked of the same
layout with fewer, narrower blocks. Names that stand for the user's own file (FILE, FOLDER) have no size; what
their readers compute is asked in checkpoints/test_contract.py.
"""

import csv
import re
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import open_clip
import pytest
import timm
import torch
from open_clip.pretrained import get_pretrained_cfg

from backbones import load_backbone
from backbones.architectures import ARCHITECTURES
from backbones.card import Card
from backbones.catalog import SOURCES, list_backbones
from backbones.checkpoints import corenet, openai, openclip, run
from backbones.checkpoints import timm as timm_reader
from backbones.layout import mlp_ratio
from backbones.trunk import build_trunk, layout_of
from backbones.vit import ViT, build_vit

OWN = re.compile(r"FILE|FOLDER")
ENTRIES = {entry.name: entry for entry in list_backbones() if not OWN.search(entry.name)}
SHAPES = {"B": (768, 12), "L": (1024, 24), "H": (1280, 32)}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def corenet_state(size, prefix=""):
    """What CoreNet would save: its key for each of ours, with our tensor's shape."""
    trunk = build_vit(ARCHITECTURES[f"vit_{size}_conv16"]).trunk
    blocks = "pre_norm_mha.0 norm1, pre_norm_mha.1.qkv_proj attn.qkv, pre_norm_mha.1.out_proj attn.proj, "
    blocks += "pre_norm_ffn.0 norm2, pre_norm_ffn.1 mlp.fc1, pre_norm_ffn.4 mlp.fc2"
    names = {ours: theirs for theirs, ours in (pair.split() for pair in blocks.split(", "))}
    state = {}
    for key, tensor in trunk.state_dict().items():
        if match := re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", key):
            key = f"transformer.{match[1]}.{names[match[2]]}.{match[3]}"
        elif match := re.fullmatch(r"patch_embed\.(conv|norm)(\d)\.(\w+)", key):
            key = f"patch_emb.{int(match[2]) - 1}.block.{match[1]}.{match[3]}"
        elif key == "pos_embed":
            key, tensor = "pos_embed.pos_embed.pos_embed", tensor[None]
        state[prefix + key.replace("norm.", "post_transformer_norm.", key.startswith("norm."))] = tensor
    return state


def clip_state(model):
    config = open_clip.get_model_config(model)
    return open_clip.CLIP(**config).state_dict()


@cache
def native(name):
    """The backbone at its true size, on the meta device, through its own reader."""
    source, _, rest = name.partition(":")
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        torch.device("meta"),
    ):
        if source == "random":
            return build_vit(ARCHITECTURES[rest])
        if source == "timm":
            return timm_reader.build(rest)
        patch.chdir(folder)
        Path(rest.partition("?")[0]).write_bytes(b"weights")
        for reader in (corenet, openclip, openai):
            patch.setattr(reader, "read_state", lambda *_: state_of(source, rest))
        return load_backbone(name)


def state_of(source, rest):
    """What the file of this name holds, on the default device."""
    if source != "corenet":
        return clip_state("ViT-B-16")
    prefix = "image_encoder." if rest.startswith("clip") else ""
    return corenet_state(re.search("base|large|huge", rest)[0], prefix)


@cache
def small(name):
    """The same layout with three narrow blocks and random weights."""
    layout = layout_of(native(name).trunk, name)
    hidden = 2 * 88 if layout.activation == "swiglu" else 192
    layout = replace(
        layout,
        embed_dim=48,
        depth=min(layout.depth, 3),
        num_heads=3,
        image_size=4 * layout.patch_size,
        mlp_ratio=mlp_ratio(hidden, 48),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return layout, ViT(build_trunk(layout), native(name).preprocessing).eval()


def test_every_source_has_a_name_that_is_asked():
    asked = {name.partition(":")[0] for name in ENTRIES}
    assert asked | {"run", "hf", "superclass"} == set(SOURCES)  # those are folders and files of the user


@pytest.mark.parametrize("name", ENTRIES)
class TestEveryName:
    def test_shapes_at_three_sizes(self, name):
        vit = native(name)
        patch, size = vit.patch_size, vit.preprocessing.size
        for height, width in ((size, size), (6 * patch, 10 * patch), (5 * patch - 3, 7 * patch + 1)):
            tokens = vit(torch.empty(2, 3, height, width, device="meta"))
            assert tokens.class_token.shape == (2, vit.embed_dim)
            assert tokens.patches.shape == (2, vit.embed_dim, -(-height // patch), -(-width // patch))

    def test_every_tensor_of_the_source_is_used_or_dropped_for_a_reason(self, name):
        if native(name).key_report is None:
            assert name.startswith(("random:", "timm:"))  # built, not read
            return
        report = native(name).key_report
        assert report.used and not report.missing and all(report.dropped.values())

    def test_layer_of_covers_every_parameter_and_rises_with_depth(self, name):
        vit = native(name)
        layers = [vit.layer_of(parameter) for parameter, _ in vit.named_parameters()]
        assert layers == sorted(layers)
        assert set(layers) == set(range(vit.depth + 2))

    def test_gradients_reach_every_trainable_tensor(self, name):
        layout, vit = small(name)
        vit.zero_grad()
        tokens = vit(torch.rand(2, 3, layout.image_size, 6 * layout.patch_size))
        weights = torch.randn(48)
        loss = (tokens.class_token @ weights).sum() + (tokens.patches.flatten(2).mT @ weights).square().sum()
        loss.backward()
        assert [n for n, p in vit.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []

    def test_the_state_survives_saving_and_loading(self, name, tmp_path):
        layout, vit = small(name)
        run.save(tmp_path, vit, Card())
        again = load_backbone(f"run:{tmp_path}")
        images = torch.rand(1, 3, 3 * layout.patch_size, 6 * layout.patch_size)
        with torch.no_grad():
            assert torch.equal(vit(images).class_token, again(images).class_token)
            assert torch.equal(vit(images).patches, again(images).patches)
        assert again.preprocessing == vit.preprocessing

    def test_feature_maps_at_strides_4_to_32(self, name):
        layout, vit = small(name)
        patch = layout.patch_size
        for height, width in ((4 * patch, 4 * patch), (2 * patch, 7 * patch)):
            with torch.no_grad():
                maps = vit.feature_maps(torch.rand(1, 3, height, width))
            expected = [(-(-height // stride), -(-width // stride)) for stride in (4, 8, 16, 32)]
            assert [tuple(found.shape[2:]) for found in maps] == expected
            assert all(found.isfinite().all() and found.shape[1] == 48 for found in maps)

    def test_bf16_stays_close_to_float32(self, name):
        layout, vit = small(name)
        images = torch.rand(2, 3, layout.image_size, 6 * layout.patch_size)
        with torch.no_grad():
            exact = vit(images)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                rough = vit(images)
                maps = vit.feature_maps(images)
        for old, new in zip(exact, rough, strict=True):
            similarity = torch.nn.functional.cosine_similarity(old.flatten(1), new.float().flatten(1))
            assert similarity.min() > 0.99
        assert all(found.isfinite().all() for found in maps)


RELEASED = {name: entry for name, entry in ENTRIES.items() if not name.startswith("random:")}


@pytest.mark.parametrize("name", RELEASED)
def test_the_architecture_is_the_one_that_is_named(name):
    entry, vit = RELEASED[name], native(name)
    letter, patch, size = re.match(r"ViT-(\w)/(\d+).*?(\d+) px", entry.architecture).groups()
    assert (vit.embed_dim, vit.depth) == SHAPES[letter]
    assert (vit.patch_size, vit.preprocessing.size) == (int(patch), int(size))
    layout = layout_of(vit.trunk)
    assert (layout.stem == "conv") == ("convolutional stem" in entry.architecture)
    registers = re.search(r"(\d+) registers", entry.architecture)
    assert layout.registers == (int(registers[1]) if registers else 0)
    if "OpenAI" in entry.data:
        assert (layout.activation == "quick_gelu") == ("with GELU" not in entry.architecture)


@pytest.mark.parametrize("name", [name for name in RELEASED if name.startswith("timm:")])
def test_what_timm_says_of_its_weights(name):
    entry, config = RELEASED[name], timm.get_pretrained_cfg(name.partition(":")[2])
    assert timm.is_model_pretrained(name.partition(":")[2])
    assert entry.licence == config.license
    assert f"{config.hf_hub_id} on the Hugging Face hub" in entry.where
    shown = native(name).preprocessing
    assert (shown.mean, shown.std, shown.crop_pct) == (config.mean, config.std, config.crop_pct)
    if "epochs" in entry.cost and config.url:
        assert entry.cost.replace(" epochs", "ep") in config.url


@pytest.mark.parametrize("name", [name for name in RELEASED if name.startswith(("openclip:", "openai:"))])
def test_what_open_clip_says_of_its_weights(name):
    entry, tag = RELEASED[name], (re.search("pretrained=(.+)", name) or [None, "openai"])[1]
    config = get_pretrained_cfg("ViT-B-16", tag)
    if tag == "openai":
        assert entry.where == config["url"]
    else:
        assert entry.where.startswith(config["hf_hub"].strip("/"))
        samples, batch = re.search(r"s(\d+)b_b(\d+)k", tag).groups()
        assert entry.cost == f"{samples} G samples at batch {batch}k"
    shown = native(name).preprocessing
    assert (shown.mean, shown.std) == (config["mean"], config["std"])
    assert (shown.interpolation, shown.resize_mode) == (config["interpolation"], config["resize_mode"])


def test_corenets_weights_are_those_of_the_published_figures():
    path = Path(__file__).parents[2] / "results" / "published" / "published.csv"
    with path.open(newline="", encoding="utf-8") as file:
        known = {(row["backbone"], row["objective"], row["pretraining_data"]) for row in csv.DictReader(file)}
    entries = [entry for name, entry in RELEASED.items() if name.startswith("corenet:")]
    assert {entry.objective for entry in entries} == {"CatLIP", "CLIP"}
    for entry in entries:
        assert (entry.architecture.split()[0], entry.objective, entry.data.split(",")[0]) in known
        folder = "/clip/" if entry.objective == "CLIP" else "/catlip/"
        assert entry.where.startswith("https://docs-assets.developer.apple.com/") and folder in entry.where
        assert entry.where.rpartition("/")[2].startswith(("vit_", "clip_vit_"))
