"""What is written for other libraries computes there what it computed here."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from small import image, randomise, same

from backbones import UserError, load_backbone
from backbones.catalog import backbone_digest
from backbones.checkpoints import run
from backbones.convert import convert
from backbones.layout import Layout, mlp_ratio
from backbones.trunk import build_trunk
from backbones.vit import Preprocessing, SynsetClassifier, ViT
from benchmark.cli import main

BASE = Layout(64, 2, 4, stem="linear", image_size=64, embed_class=True)
PREPROCESSING = Preprocessing(64, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bicubic")


def saved(folder, layout, preprocessing=PREPROCESSING):
    """A backbone of this layout with random weights, as a folder of the suite."""
    vit = ViT(randomise(build_trunk(layout)), preprocessing)
    folder.mkdir()
    run.save(folder, vit, {"architecture": layout.to_dict()})
    return f"run:{folder}"


OPENCLIP = {
    "clip": {"pre_norm": True, "patch_bias": False, "norm_eps": 1e-5},
    "openai": {"pre_norm": True, "patch_bias": False, "norm_eps": 1e-5, "activation": "quick_gelu"},
    "clipa": {"patch_bias": False, "pooling": "avg", "norm": "after", "activation": "gelu_tanh"},
    "superclass": {"pre_norm": True, "patch_bias": False, "pooling": "avg", "layer_scale": True},
    "suite": {"embed_class": False},
    "vit": {"mlp_ratio": 2.5},
}


@pytest.mark.parametrize("kind", OPENCLIP)
def test_an_image_tower_for_open_clip(kind, tmp_path):
    from open_clip.model import CLIPVisionCfg, _build_vision_tower

    name = saved(tmp_path / "first", replace(BASE, **OPENCLIP[kind]))
    written, notes = convert(name, tmp_path / "out", "openclip")
    assert written == f"openclip:{tmp_path / 'out'}" and notes == []
    values = json.loads((tmp_path / "out" / "open_clip_config.json").read_text())
    config = values["model_cfg"]
    visual = _build_vision_tower(64, CLIPVisionCfg(**config["vision_cfg"]), config["quick_gelu"]).eval()
    visual.load_state_dict(load_file(tmp_path / "out" / "open_clip_model.safetensors"), strict=True)
    before, after = load_backbone(name), load_backbone(written)
    with torch.no_grad():
        for height, width in ((64, 64), (48, 96)):
            tokens = before(image(height, width))
            same(after(image(height, width)), tokens.class_token, tokens.patches.flatten(2).mT)
        torch.testing.assert_close(visual(image()), before(image()).class_token, atol=1e-4, rtol=0)
        patches = visual.ln_post(visual.transformer(visual._embeds(image())))[:, 1:]
        same(before(image()), visual(image()), patches)
    assert after.preprocessing == before.preprocessing


def test_open_clip_makes_a_model_of_the_folder(tmp_path):
    import open_clip

    name = saved(tmp_path / "first", replace(BASE, **OPENCLIP["openai"]))
    convert(name, tmp_path / "out", "openclip")
    model = open_clip.create_model(
        f"local-dir:{tmp_path / 'out'}",
        load_weights=False,
        pretrained_image_path=str(tmp_path / "out" / "open_clip_model.safetensors"),
    )
    with torch.no_grad():
        expected = load_backbone(name)(image()).class_token
        torch.testing.assert_close(model.eval().encode_image(image()), expected, atol=1e-4, rtol=0)
    preprocess = open_clip.get_model_preprocess_cfg(model)
    assert tuple(preprocess["mean"]) == PREPROCESSING.mean and preprocess["interpolation"] == "bicubic"


HF = {
    "clip": {"pre_norm": True, "patch_bias": False, "norm_eps": 1e-5, "activation": "quick_gelu"},
    "siglip": {"class_token": False, "embed_class": False, "pooling": "map", "activation": "gelu_tanh"},
    "vit": {"norm_eps": 1e-12, "norm": "after"},
    "vit without biases": {"qkv_bias": False, "patch_bias": False, "mlp_ratio": 2.5},
    "suite": {"embed_class": False},
    "dinov2": {"layer_scale": True},
    "dinov2 gated": {"layer_scale": True, "activation": "swiglu", "embed_dim": 48},
    "registers": {"layer_scale": True, "registers": 4, "embed_class": False, "positions": "timm"},
}


def hf_layout(kind):
    values = {"positions": "bicubic", **HF[kind]}
    # gated MLPs keep two thirds of the width they are given, and have two halves
    return replace(BASE, **{**values, "mlp_ratio": mlp_ratio(256, 48)} if kind == "dinov2 gated" else values)


@pytest.mark.parametrize("kind", HF)
def test_a_folder_for_transformers_is_read_back(kind, tmp_path):
    name = saved(tmp_path / "first", hf_layout(kind))
    written, notes = convert(name, tmp_path / "out", "hf")
    assert written == f"hf:{tmp_path / 'out'}" and notes == []
    before, after = load_backbone(name), load_backbone(written)
    with torch.no_grad():
        for height, width in ((64, 64), (48, 96)):
            tokens = before(image(height, width))
            same(after(image(height, width)), tokens.class_token, tokens.patches.flatten(2).mT)
    assert after.preprocessing == before.preprocessing


@pytest.mark.parametrize("kind", HF)
def test_transformers_computes_the_same(kind, tmp_path):
    import transformers

    name = saved(tmp_path / "first", hf_layout(kind))
    convert(name, tmp_path / "out", "hf")
    class_name = json.loads((tmp_path / "out" / "config.json").read_text())["architectures"][0]
    options = {"add_pooling_layer": False} if class_name == "ViTModel" else {}
    model, loading = getattr(transformers, class_name).from_pretrained(
        tmp_path / "out", output_loading_info=True, **options
    )
    assert not loading["missing_keys"] and not loading["unexpected_keys"]
    vit, prefix = load_backbone(name), 0 if kind == "siglip" else 1 + HF[kind].get("registers", 0)
    for height, width in ((64, 64), (48, 96)):
        other = (
            {"interpolate_pos_encoding": True}
            if height != width and "dinov2" not in class_name.lower()
            else {}
        )
        with torch.no_grad():
            out = model.eval()(pixel_values=image(height, width), **other)
            hidden = out.last_hidden_state
            if kind == "clip":  # its norm is for the pooled token only
                hidden = getattr(model, "vision_model", model).post_layernorm(hidden)
            pooled = out.pooler_output if kind == "siglip" else hidden[:, 0]
            same(vit(image(height, width)), pooled, hidden[:, prefix:])
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "out", use_fast=False)
    assert tuple(processor.image_mean) == PREPROCESSING.mean


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


def test_a_squashed_crop_survives_in_timms_format(tmp_path):
    shown = replace(PREPROCESSING, crop_pct=0.8, resize_mode="squash")
    written, notes = convert(saved(tmp_path / "first", BASE, shown), tmp_path / "out", "timm")
    assert notes == [] and load_backbone(written).preprocessing == shown


def test_what_a_format_does_not_keep_is_said(tmp_path):
    shown = replace(PREPROCESSING, crop_pct=0.8, resize_mode="squash")
    name = saved(tmp_path / "first", replace(BASE, **OPENCLIP["clip"]), shown)
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
    run.save(folder, vit, {"architecture": replace(BASE, **OPENCLIP["clip"]).to_dict()})
    assert "synset classifier is left out" in convert(name, tmp_path / "third", "openclip")[1][-1]


def test_a_crop_survives_every_format(tmp_path):
    shown = replace(PREPROCESSING, crop_pct=0.9)
    name = saved(tmp_path / "first", hf_layout("vit"), shown)
    assert convert(name, tmp_path / "hf", "hf")[1] == []
    again = load_backbone(f"hf:{tmp_path / 'hf'}").preprocessing
    assert round(again.size / again.crop_pct) == 71 and again.resize_mode == "shortest"


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
    name = saved(tmp_path / "first", replace(BASE, **OPENCLIP["clip"]))
    assert main(["convert", name, str(tmp_path / "out"), "--to", "hf"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == f"hf:{tmp_path / 'out'}"
    assert "positions are resized as bicubic, not timm" in " ".join(shown.err.split())
