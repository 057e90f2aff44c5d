"""The catalogue: what is listed, how sources are found, and what another package adds."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small import refused, refused_at_once, timm_model

from backbones import UserError, empty_backbone, load_backbone
from backbones.architectures import ARCHITECTURES
from backbones.catalog import SOURCES, backbone_digest, describe, list_backbones
from common import PROJECT

EXAMPLE = Path(__file__).parent / "example_package"


def named(pattern="*"):
    return {entry.name: entry for entry in list_backbones(pattern)}


def test_every_source_is_listed():
    assert {name.partition(":")[0] for name in named()} >= set(SOURCES)


def test_patterns_match_names_with_and_without_source():
    assert "random:vit_base_conv16" in named("vit_*_conv16")
    clip = named("vit*clip*")
    assert "timm:vit_base_patch16_clip_224.openai" in clip and all("clip" in name for name in clip)
    assert "corenet:vit_base.pt" in named("corenet:*")


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLE))


def test_another_package_adds_a_source(example):
    assert "example:vit_nano_conv16" in named("example:*")
    vit = load_backbone("example:vit_nano_conv16")
    assert torch.equal(vit.trunk.pos_embed, load_backbone("random:vit_nano_conv16", seed=7).trunk.pos_embed)
    assert describe("example:vit_nano_conv16").to_dict()["price"] == "nothing"
    assert backbone_digest("example:a") != backbone_digest("example:b")


def test_another_packages_backbone_is_listed_by_the_command():
    """In a process of its own, as a user's is: the package is known by its metadata on the path alone."""
    path = os.pathsep.join([str(EXAMPLE), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, str(PROJECT / "run_suite.py"), "list", "backbones", "*nano*"]
    with_it = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    without = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(line for line in with_it.stdout.splitlines() if line.startswith("example:vit_nano_conv16"))
    assert "an example of another package's backbone" in line
    assert "example:" not in without.stdout and "random:vit_nano_conv16" in without.stdout


def test_without_the_package_its_source_is_unknown():
    with pytest.raises(UserError, match="unknown backbone 'example:vit_nano_conv16'"):
        load_backbone("example:vit_nano_conv16")


def package(folder, source, module):
    info = folder / "other-0.1.dist-info"
    info.mkdir()
    shutil.copy(EXAMPLE / "catlip_example-0.1.dist-info" / "METADATA", info)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(f"[catlip_transfer.backbones]\n{source} = {module}\n")


def test_a_broken_package_does_not_take_the_list_away(tmp_path, monkeypatch, caplog):
    package(tmp_path, "broken", "no_such_module_anywhere")
    monkeypatch.syspath_prepend(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert "random:vit_base_conv16" in named()
    assert "'broken' cannot be listed" in caplog.text
    with pytest.raises(UserError, match="cannot be imported"):
        load_backbone("broken:x")


def test_another_package_cannot_replace_a_source(tmp_path, monkeypatch, caplog):
    package(tmp_path, "timm", "no_such_module_anywhere")
    monkeypatch.syspath_prepend(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert "timm:NAME[:FILE]" in named("timm:*")
    assert "which is taken" in caplog.text


def test_digests_follow_the_file_and_the_options(tmp_path):
    weights = tmp_path / "ViT-B-16.pt"
    weights.write_bytes(b"one")
    first = backbone_digest(f"openclip:{weights}")
    assert first == backbone_digest(f"openclip:{weights}")
    assert first != backbone_digest(f"openclip:{weights}?model=ViT-B-16-quickgelu")
    (tmp_path / "open_clip_config.json").write_text("{}")
    assert first != backbone_digest(f"openclip:{weights}")
    weights.write_bytes(b"two")
    assert first != backbone_digest(f"openclip:{weights}")
    for source in ("corenet", "openclip", "openai", "hf", "superclass"):
        with pytest.raises(UserError, match="does not exist"):
            backbone_digest(f"{source}:{tmp_path / 'nothing'}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("random:vit_mnii_conv16", "did you mean vit_mini_conv16"),
        ("random:vit_no_such_thing", "unknown architecture 'vit_no_such_thing', here or in timm"),
        ("random:resnet50", "unknown architecture 'resnet50'"),
        ("timm:vit_no_such_model", "timm has no model"),
        ("timm:resnet50", "not a plain VisionTransformer"),
        ("timm:swin_tiny_patch4_window7_224:/no/file", "does not exist"),
        ("hf:/no/such/folder", "does not exist"),
        ("run:/no/such/folder", "pre-train it first"),
    ],
)
def test_unknown_names_are_told_before_anything_is_loaded(name, message):
    refused_at_once(name, message)


def test_most_names_are_checked_without_torch(tmp_path):
    """In a process of its own: here torch is imported already."""
    save_file(timm_model().state_dict(), tmp_path / "vit.safetensors")
    code = (
        "import sys\n"
        "from backbones import UserError\n"
        "from backbones.catalog import backbone_digest\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        backbone_digest(name)\n"
        "    except UserError:\n"
        "        pass\n"
        "print('torch' in sys.modules)\n"
    )
    names = ["random:vit_base_conv16", "random:vit_bsae_conv16", f"corenet:{tmp_path / 'vit.safetensors'}"]
    out = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit_mini_conv16", "a name is SOURCE:REST"),
        ("rnadom:vit_mini_conv16", "did you mean random:"),
        ("random:vit_mnii_conv16", "did you mean vit_mini_conv16"),
        ("random:resnet50", "plain VisionTransformer|unknown architecture"),
        ("timm:vit_no_such_model", "timm has no model"),
        ("timm:vit_tiny_patch16_224:/no/such/file", "does not exist"),
        ("run:/no/such/folder", "pre-train it first"),
    ],
)
def test_unknown_names_say_what_would_be_right(name, message):
    refused(name, message)


def test_a_backbone_without_weights_knows_its_shape_and_costs_no_weights(monkeypatch):
    from backbones.checkpoints.random import RandomReader

    asked = []

    def load(self, rest, seed=0, weights=True):
        asked.append(weights)
        return original(self, rest, seed, weights)

    original = RandomReader.load
    monkeypatch.setattr(RandomReader, "load", load)
    for name, shape in {
        "random:vit_nano_conv16": (32, 2, 16),
        "random:vit_huge_patch16": (1280, 32, 16),
        "random:vit_giant_patch14_dinov2": (1536, 40, 14),
    }.items():
        vit = empty_backbone(name)
        assert (vit.embed_dim, vit.depth, vit.patch_size) == shape
        assert all(tensor.is_meta for tensor in [*vit.parameters(), *vit.buffers()])
    assert asked == [False] * 3


def test_what_another_package_loads_comes_without_weights_too(example):
    vit = empty_backbone("example:vit_nano_conv16")
    assert vit.embed_dim == 32 and next(vit.parameters()).is_meta


def test_an_entry_point_that_is_no_reader_is_refused(tmp_path, monkeypatch):
    package(tmp_path, "module", "json")
    monkeypatch.syspath_prepend(str(tmp_path))
    refused("module:x", r"json, which is no backbones\.checkpoints\.base\.Reader of that source")


def test_a_source_is_called_as_its_reader_says(tmp_path, monkeypatch, example):
    package(tmp_path, "other", "catlip_example:ExampleReader")
    monkeypatch.syspath_prepend(str(tmp_path))
    refused("other:x", "no .*Reader of that source")


def test_what_is_known_without_loading_has_the_source_in_it():
    card = describe("random:vit_nano_conv16")
    assert (card.source, card.objective, card.cost) == ("random", None, None)
    assert card.architecture == ARCHITECTURES["vit_nano_conv16"]
    assert describe("timm:vit_base_patch16_224").architecture.name == "vit_base_patch16_224"
