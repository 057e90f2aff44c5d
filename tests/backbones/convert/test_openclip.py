"""Image towers for OpenCLIP compute there what they computed here."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from small import BASE, PREPROCESSING, image, same, saved

from backbones import load_backbone
from backbones.convert import convert

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
