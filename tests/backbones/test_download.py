"""Weights are fetched only when the user said so, and then by the source's own library."""

import sys

import open_clip
import pytest
import timm
import torch
from safetensors.torch import save_file

from backbones import UserError, catalog, download, load_backbone
from benchmark.cli import main
from benchmark.running.launchers.local import LocalLauncher

NAME = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"


@pytest.fixture(autouse=True)
def no_permission(monkeypatch, tmp_path):
    """Without permission, with an empty cache; setting the variable first has it restored afterwards."""
    monkeypatch.setenv(download.VARIABLE, "0")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def no_network(monkeypatch):
    """Calls of timm's own downloader."""
    asked = []

    def fetch(repository, *arguments, **options):
        asked.append(repository)
        raise ConnectionError("no route to the hub\nmore of it")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", fetch)
    return asked


def test_without_permission_the_remedy_is_named_and_nothing_is_asked(no_network):
    for ask in (catalog.ready, load_backbone):
        with pytest.raises(
            UserError, match=r"add --download to let timm fetch them.*timm:\S+:FILE"
        ) as caught:
            ask(f"timm:{NAME}")
        assert "\n" not in str(caught.value) and f"timm/{NAME}" in str(caught.value)
    assert no_network == []
    catalog.backbone_digest(f"timm:{NAME}")  # results of weights that are gone can still be reported


def test_with_permission_and_no_network_there_is_one_line(no_network):
    download.allow()
    catalog.ready(f"timm:{NAME}")
    with pytest.raises(UserError, match=r"could not fetch the weights .*no route to the hub\)") as caught:
        load_backbone(f"timm:{NAME}")
    assert no_network == [f"timm/{NAME}"]
    assert "\n" not in str(caught.value) and f"timm:{NAME}:FILE" in str(caught.value)


def test_the_cache_needs_no_permission_and_no_network(no_network, tmp_path):
    folder = tmp_path / "hub" / f"models--timm--{NAME}"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    whole = timm.create_model(NAME, num_classes=0).eval()
    save_file(
        {**whole.state_dict(), "head.weight": torch.ones(1000, 192), "head.bias": torch.ones(1000)},
        folder / "snapshots" / "abc" / "model.safetensors",
    )
    catalog.ready(f"timm:{NAME}")
    vit = load_backbone(f"timm:{NAME}")
    assert torch.equal(vit.trunk.blocks[11].mlp.fc1.weight, whole.blocks[11].mlp.fc1.weight)
    assert vit.trunk.pretrained_cfg["state_dict"] is None and no_network == []


def test_a_name_without_weights_says_so():
    for ask in (load_backbone, catalog.backbone_digest):
        with pytest.raises(UserError, match="no weights 'nope' of vit_tiny_patch16_224: it has augreg_in21k"):
            ask("timm:vit_tiny_patch16_224.nope")
    with pytest.raises(UserError, match="no weights of 'vit_base_patch16_18x2_224': name random:"):
        load_backbone("timm:vit_base_patch16_18x2_224")


def test_openclips_and_transformers_own_ways_are_told():
    asked = "openclip:/no/ViT-B-16.pt?pretrained=laion2b_s34b_b88k"
    for ask in (load_backbone, catalog.backbone_digest):
        with pytest.raises(UserError, match=r"fetch it with .*get_pretrained_cfg\('ViT-B-16', 'laion2b_s34b"):
            ask(asked)
        with pytest.raises(UserError, match=r"hf download REPOSITORY --local-dir FOLDER"):
            ask("hf:openai/clip-vit-base-patch16")
    assert callable(open_clip.download_pretrained) and open_clip.get_pretrained_cfg("ViT-B-16", "openai")


def test_other_sources_need_no_permission():
    catalog.ready("random:vit_nano_conv16")
    catalog.ready("run:/nowhere")


def test_the_flag_gives_the_permission(tmp_path, capsys, no_network):
    assert main(["convert", f"timm:{NAME}", str(tmp_path / "out")]) == 2
    assert "add --download" in capsys.readouterr().err
    assert main(["convert", f"timm:{NAME}", str(tmp_path / "out"), "--download"]) == 2
    assert "could not fetch" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_children_inherit_the_permission(monkeypatch, tmp_path):
    monkeypatch.setenv(download.VARIABLE, "0")
    assert not download.allowed()
    download.allow()
    code = "from backbones import download; print(download.allowed())"
    child = LocalLauncher().start([sys.executable, "-c", code], tmp_path / "child.log")
    assert child.process.wait(60) == 0 and child.tail() == ["True"]


@pytest.mark.parametrize("command", [["run"], ["convert"], []])
def test_every_command_that_loads_by_name_has_the_flag(command, capsys):
    assert main([*command, "--help"]) == 0
    assert "--download" in capsys.readouterr().out
