"""What every format has in common: what it cannot hold is refused, and what it does not keep is said."""

from dataclasses import replace

import pytest
import torch
from small import BASE, CLIP, PREPROCESSING, saved

from backbones import UserError, load_backbone
from backbones.card import Card
from backbones.catalog import backbone_digest
from backbones.checkpoints import run
from backbones.convert import convert
from backbones.vit import SynsetClassifier
from benchmark.cli import main


@pytest.mark.parametrize("read", ["run", "timm", "openclip", "hf"])
@pytest.mark.parametrize("written", ["suite", "timm", "openclip", "hf"])
def test_a_folder_under_another_source_is_told_its_name(written, read, tmp_path):
    name = saved(tmp_path / "first", replace(BASE, embed_class=False))
    proper, _ = convert(name, tmp_path / "out", written)
    asked = f"{read}:{tmp_path / 'out'}"
    if asked == proper:
        assert backbone_digest(asked)
        return
    for ask in (load_backbone, backbone_digest):
        with pytest.raises(UserError, match=f"weights, not {read}: name it {proper}$"):
            ask(asked)


def test_what_a_format_does_not_keep_is_said(tmp_path):
    shown = replace(PREPROCESSING, crop_pct=0.8, resize_mode="squash")
    name = saved(tmp_path / "first", CLIP, shown)
    _, notes = convert(name, tmp_path / "hf", "hf")
    assert notes == [
        "at other image sizes positions are resized as bicubic, not timm",
        "resized 80 is 64 in this format",
    ]
    again = load_backbone(f"hf:{tmp_path / 'hf'}").preprocessing
    assert again == replace(shown, crop_pct=1.0)
    _, notes = convert(name, tmp_path / "openclip", "openclip")
    assert notes == ["resized 80 is 64 in this format"]
    assert load_backbone(f"openclip:{tmp_path / 'openclip'}").preprocessing.resize_mode == "squash"
    folder = tmp_path / "first"
    vit = load_backbone(name)
    vit.synset_classifier = SynsetClassifier(torch.ones(1, 64), torch.ones(1), (5,))
    (folder / "vocabulary.csv").write_text("synset,name,count\n5,a.n.01,2\n")
    run.save(folder, vit, Card())
    assert "synset classifier is left out" in convert(name, tmp_path / "third", "openclip")[1][-1]


REFUSED = {
    ("openclip", "a convolutional stem"): {"stem": "conv"},
    ("openclip", "register tokens"): {"registers": 2},
    ("openclip", "no class token"): {"class_token": False, "embed_class": False, "pooling": "map"},
    ("openclip", "gated MLPs"): {"activation": "swiglu"},
    ("openclip", "positions of the kind 'corenet'"): {"positions": "corenet"},
    ("openclip", "images that are not square"): {"image_size": (64, 96)},
    ("openclip", "no final norm"): {"norm": "none"},
    ("hf", "a convolutional stem"): {"stem": "conv", "positions": "corenet"},
    ("hf", "positions of the kind 'corenet'"): {"positions": "corenet"},
    ("hf", "mean pooling beside a class token"): {"pooling": "avg"},
    ("hf", "registers with positions"): {"registers": 2, "layer_scale": True},
    ("hf", "layer scale outside DINOv2"): {"layer_scale": True, "pre_norm": True, "patch_bias": False},
    ("hf", "gated MLPs outside DINOv2"): {"activation": "swiglu"},
    ("hf", "MLPs 2.5 times as wide"): {"layer_scale": True, "mlp_ratio": 2.5},
    ("hf", "attention without biases"): {"qkv_bias": False, "pre_norm": True, "patch_bias": False},
    ("timm", "norms with epsilon 1e-05"): {"norm_eps": 1e-5},
    ("timm", "gated MLPs"): {"activation": "swiglu"},
}


@pytest.mark.parametrize(("to", "reason"), REFUSED)
def test_what_a_format_cannot_hold_is_refused_in_one_line(to, reason, tmp_path):
    name = saved(tmp_path / "first", replace(BASE, **REFUSED[to, reason]))
    with pytest.raises(UserError, match=reason) as caught:
        convert(name, tmp_path / "out", to)
    assert "\n" not in str(caught.value) and "leave --to out" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_the_command_says_what_was_not_kept(tmp_path, capsys):
    name = saved(tmp_path / "first", CLIP)
    assert main(["convert", name, str(tmp_path / "out"), "--to", "hf"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == f"hf:{tmp_path / 'out'}"
    assert "positions are resized as bicubic, not timm" in " ".join(shown.err.split())


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("random:vit_nano_conv16", "timm", "convolutional stem, which timm's config.json cannot say"),
        ("random:vit_nano_conv16", "hf", "convolutional stem, which no ViT of transformers has"),
        ("random:vit_nano_conv16", "openclip", "convolutional stem, which OpenCLIP's own ViT cannot compute"),
        ("random:vit_nano_conv16", "onnx", "the formats are suite, timm"),
        ("run:/no/such/folder", "suite", "does not exist"),
    ],
)
def test_what_cannot_be_written_is_said_and_leaves_nothing(name, to, message, tmp_path, capsys):
    assert main(["convert", name, str(tmp_path / "out"), "--to", to]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="is in use"):
        convert("random:vit_nano_conv16", tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep"
