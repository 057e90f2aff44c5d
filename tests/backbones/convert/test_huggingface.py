"""Folders for transformers compute there what they computed here."""

import json
from dataclasses import replace

import pytest
import torch
from small import BASE, PREPROCESSING, image, same, saved

from backbones import load_backbone
from backbones.convert import convert
from backbones.layout import mlp_ratio

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


def test_a_crop_survives_every_format(tmp_path):
    shown = replace(PREPROCESSING, crop_pct=0.9)
    name = saved(tmp_path / "first", hf_layout("vit"), shown)
    assert convert(name, tmp_path / "hf", "hf")[1] == []
    again = load_backbone(f"hf:{tmp_path / 'hf'}").preprocessing
    assert round(again.size / again.crop_pct) == 71 and again.resize_mode == "shortest"
