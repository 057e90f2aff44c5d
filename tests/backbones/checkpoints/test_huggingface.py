"""Folders of transformers, written by transformers itself from models with random weights."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from small import image, randomise, same

from backbones import UserError, load_backbone
from backbones.convert import convert

SIZES = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
SIZES |= {"image_size": 64, "patch_size": 16}
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
DINO = {key: value for key, value in SIZES.items() if key != "intermediate_size"}


def clip_model():
    text, vision = transformers.CLIPTextConfig(**TEXT), transformers.CLIPVisionConfig(**SIZES)
    config = transformers.CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict())
    return transformers.CLIPModel(config)


MODELS = {
    "clip": clip_model,
    "clip vision": lambda: transformers.CLIPVisionModel(
        transformers.CLIPVisionConfig(**SIZES, hidden_act="gelu")
    ),
    "siglip": lambda: transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**SIZES)),
    "vit": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**SIZES)),
    "vit without biases": lambda: transformers.ViTModel(transformers.ViTConfig(**SIZES, qkv_bias=False)),
    "dinov2": lambda: transformers.Dinov2Model(transformers.Dinov2Config(**DINO)),
    "dinov2 gated": lambda: transformers.Dinov2Model(transformers.Dinov2Config(**DINO, use_swiglu_ffn=True)),
    "registers": lambda: transformers.Dinov2WithRegistersModel(
        transformers.Dinov2WithRegistersConfig(**DINO, num_register_tokens=4)
    ),
}


def written(folder, kind):
    """The model, and the name of the folder that transformers saved it to."""
    model = randomise(MODELS[kind]()).eval()
    model.save_pretrained(folder)
    return f"hf:{folder}", model


def tokens_of(model, kind, pixels):
    """What transformers computes: class token [B, D] (SigLIP: pooled) and patch tokens [B, N, D]."""
    trunk = getattr(model, "vision_model", getattr(model, "vit", model))
    options = {} if kind.startswith(("dinov2", "registers")) else {"interpolate_pos_encoding": True}
    output = trunk(pixel_values=pixels, **options)
    if kind == "siglip":
        return output.pooler_output, output.last_hidden_state
    hidden = output.last_hidden_state
    if kind.startswith("clip"):  # it normalises the class token alone
        hidden = trunk.post_layernorm(hidden)
    return hidden[:, 0], hidden[:, 5 if kind == "registers" else 1 :]


@pytest.mark.parametrize("kind", MODELS)
def test_tokens_are_those_of_transformers(kind, tmp_path):
    name, model = written(tmp_path, kind)
    vit = load_backbone(name)
    with torch.no_grad():
        for height, width in ((64, 64), (48, 96)):
            pixels = image(height, width)
            same(vit(pixels), *tokens_of(model, kind, pixels))


def own_name(key):
    """A tensor's name without the prefixes that transformers' models with and without a head differ in."""
    return key.removeprefix("vit.").removeprefix("vision_model.")


@pytest.mark.parametrize("kind", MODELS)
def test_converted_to_its_own_format_every_tensor_comes_back(kind, tmp_path):
    name, _ = written(tmp_path, kind)
    convert(name, tmp_path / "again", "hf")
    before, after = (load_file(folder / "model.safetensors") for folder in (tmp_path, tmp_path / "again"))
    after = {own_name(key): value for key, value in after.items()}
    used = set(load_backbone(name).key_report.used)
    if kind == "registers":  # transformers keeps the class token's position beside it; timm adds the two
        used -= {"embeddings.cls_token", "embeddings.position_embeddings"}
    assert used
    for key in used:
        assert torch.equal(before[key], after[own_name(key)]), key


def test_the_clip_logits_are_those_of_transformers(tmp_path):
    name, model = written(tmp_path, "clip")
    with torch.no_grad():
        logits = load_backbone(name)(image()).class_token @ model.visual_projection.weight.T
        expected = model.visual_projection(model.vision_model(image()).pooler_output)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


def test_the_preprocessing_is_that_of_the_folder(tmp_path):
    name, _ = written(tmp_path, "vit")
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps(
            {"image_mean": [0.1] * 3, "image_std": [0.2] * 3, "size": 80, "crop_size": 64, "resample": 3}
        )
    )
    shown = load_backbone(name).preprocessing
    assert (shown.mean[0], shown.std[0], shown.size, shown.crop_pct) == (0.1, 0.2, 64, 0.8)
    assert shown.interpolation == "bicubic"


@pytest.mark.parametrize(
    ("kind", "mean", "resize_mode"),
    [("siglip", (0.5, 0.5, 0.5), "squash"), ("dinov2", (0.485, 0.456, 0.406), "shortest")],
)
def test_without_it_the_preprocessing_is_that_of_the_family(kind, mean, resize_mode, tmp_path):
    shown = load_backbone(written(tmp_path, kind)[0]).preprocessing
    assert (shown.mean, shown.resize_mode) == (mean, resize_mode)


@pytest.mark.parametrize(
    ("kind", "key", "reason"),
    [
        ("vit", "classifier.bias", "head of another task"),
        ("dinov2", "embeddings.mask_token", "mask token"),
        ("clip", "text_model.final_layer_norm.weight", "text tower"),
        ("clip", "visual_projection.weight", "text tower"),
    ],
)
def test_what_is_not_used_is_said(kind, key, reason, tmp_path):
    assert reason in load_backbone(written(tmp_path, kind)[0]).key_report.dropped[key]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json does not exist"),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "bert"}'),
            "'bert' model, which is not supp",
        ),
        (lambda f: (f / "config.json").write_text("{"), "not transformers' description"),
        (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda f: save_file({"a": torch.ones(1)}, f / "model.safetensors"), "holds no hf ViT"),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "vit", "hidden_act": "relu"}'),
            "hidden_act 'relu'",
        ),
    ],
)
def test_folders_that_do_not_fit_are_refused(change, message, tmp_path):
    name, _ = written(tmp_path, "vit")
    change(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load_backbone(name)
    assert "\n" not in str(caught.value)


def test_a_missing_block_tensor_is_an_error(tmp_path):
    name, _ = written(tmp_path, "vit without biases")
    state = load_file(tmp_path / "model.safetensors")
    del state["encoder.layer.1.output.dense.bias"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"lacks|too many"):
        load_backbone(name)
