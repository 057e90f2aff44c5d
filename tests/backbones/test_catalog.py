"""The catalogue: what is listed, how sources are found, and what another package adds."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from backbones import UserError, load_backbone
from backbones.catalog import SOURCES, backbone_digest, describe, list_backbones
from common import PROJECT

EXAMPLE = Path(__file__).parent / "example_package"


def named(pattern="*"):
    return {entry.name: entry for entry in list_backbones(pattern)}


def test_every_source_is_listed():
    assert {name.partition(":")[0] for name in named()} >= set(SOURCES)


def test_patterns_match_names_with_and_without_source():
    clip = named("vit*clip*")
    assert "timm:vit_base_patch16_clip_224.openai" in clip and all("clip" in name for name in clip)
    assert "corenet:vit_base.pt" in named("corenet:*")


def test_released_weights_say_what_they_are_and_where_they_are():
    released = [entry for entry in list_backbones() if entry.objective and entry.data]
    assert len(released) >= 12
    for entry in released:
        assert entry.architecture and entry.licence and entry.where, entry.name
        assert entry.where in entry.summary and entry.objective in entry.summary


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLE))


def test_another_package_adds_a_source(example):
    assert "example:vit_nano_conv16" in named("example:*")
    vit = load_backbone("example:vit_nano_conv16")
    assert torch.equal(vit.trunk.pos_embed, load_backbone("random:vit_nano_conv16", seed=7).trunk.pos_embed)
    assert describe("example:vit_nano_conv16")["cost"] == "nothing"
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
