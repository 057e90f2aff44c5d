"""OpenCLIP's towers against open_clip's own classes."""

import json

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from small import TEXT, VISION, clip_tokens, image, open_clip_model, randomise, same, timm_model

from backbones import UserError, load_backbone

VARIANTS = {
    "plain": {},
    "quick_gelu": {"quick_gelu": True},
    "layer_scale": {"ls_init_value": 0.1},
    "mean_after_norm": {"pool_type": "avg"},
    "mean_then_norm_without_pre_norm": {
        "pool_type": "avg",
        "final_ln_after_pool": True,
        "no_ln_pre": True,
        "act_kwargs": {"approximate": "tanh"},
        "norm_kwargs": {"eps": 1e-3},
    },
}


def write(folder, model, quick_gelu=False, state=None, **vision):
    config = {"embed_dim": 32, "quick_gelu": quick_gelu, "text_cfg": TEXT, "vision_cfg": {**VISION, **vision}}
    preprocess = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "interpolation": "bilinear"}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    )
    save_file(state or model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_openclip_tokens_at_the_native_and_another_size(variant, tmp_path):
    options = dict(VARIANTS[variant])
    quick = options.pop("quick_gelu", False)
    model = open_clip_model(quick_gelu=quick, **options)
    vit = load_backbone(f"openclip:{write(tmp_path, model, quick, **options)}")
    other = open_clip_model(image_size=(48, 96), quick_gelu=quick, **options)
    state = model.state_dict()
    positions = state["visual.positional_embedding"]
    # open_clip's own resizing is for square models; its call is bicubic, antialiased, as timm's is
    grid = positions[1:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, (3, 6), mode="bicubic", antialias=True)
    state["visual.positional_embedding"] = torch.cat([positions[:1], grid[0].flatten(1).T])
    other.load_state_dict(state)
    with torch.no_grad():
        for source, images in ((model, image()), (other, image(48, 96))):
            same(vit(images), *clip_tokens(source.visual, images))
        features = vit(image()).class_token @ model.visual.proj
        torch.testing.assert_close(features, model.encode_image(image()), atol=1e-4, rtol=0)
    assert vit.preprocessing.mean == (0.1, 0.2, 0.3) and vit.preprocessing.interpolation == "bilinear"
    assert "text tower" in vit.key_report.dropped["token_embedding.weight"]
    assert "projection" in vit.key_report.dropped["visual.proj"]


@pytest.mark.parametrize("shape", ["module.", "alone", "training"])
def test_openclip_state_dicts_in_other_wrappings(shape, tmp_path):
    model = open_clip_model()
    write(tmp_path, model)
    state = model.state_dict()
    if shape == "alone":
        state = model.visual.state_dict()
    elif shape == "module.":
        state = {f"module.{key}": value for key, value in state.items()}
    else:
        state = {"epoch": 1, "name": "x", "state_dict": {f"module.{k}": v for k, v in state.items()}}
    torch.save(state, tmp_path / "epoch_1.pt")
    vit = load_backbone(f"openclip:{tmp_path / 'epoch_1.pt'}")
    with torch.no_grad():
        same(vit(image()), *clip_tokens(model.visual, image()))


@pytest.mark.parametrize("pool", ["map", "avg", "token"])
@pytest.mark.parametrize("projection", ["linear", "none"])
def test_openclip_towers_of_timm(pool, projection, tmp_path, monkeypatch):
    import timm

    def create(name, pretrained=False, **options):
        shape = {"class_token": False, "global_pool": "map"} if pool == "map" else {}
        model = timm_model(**{**shape, **options})
        model.pretrained_cfg = {"mean": (0.5, 0.4, 0.3), "std": (0.1, 0.2, 0.3), "interpolation": "bicubic"}
        model.default_cfg = model.pretrained_cfg
        return model

    monkeypatch.setattr(timm, "create_model", create)
    vision = {"timm_model_name": "small", "timm_pool": pool, "timm_proj": projection, "image_size": 64}
    model = randomise(open_clip.model.CLIP(64, vision, TEXT))
    config = {"embed_dim": 64, "vision_cfg": vision, "text_cfg": TEXT}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    vit = load_backbone(f"openclip:{tmp_path / 'weights.pt'}")
    trunk = model.visual.trunk
    with torch.no_grad():
        for images in (image(), image(48, 96)):
            features = trunk.forward_features(images)
            patches = trunk.fc_norm(features[:, trunk.num_prefix_tokens :])
            same(vit(images), trunk.forward_head(features, pre_logits=True), patches)
            embedded = model.visual.head(vit(images).class_token)
            torch.testing.assert_close(embedded, model.visual(images), atol=1e-4, rtol=0)
    assert vit.preprocessing.mean == (0.5, 0.4, 0.3)


def test_openclip_does_not_guess_heads_or_activation(tmp_path):
    torch.save(open_clip_model().state_dict(), tmp_path / "epoch_9.pt")
    with pytest.raises(UserError, match=r"no model 'epoch_9'.*heads and activation are not in the weights"):
        load_backbone(f"openclip:{tmp_path / 'epoch_9.pt'}")
    with pytest.raises(UserError, match=r"has \(width, depth, patch, norm before the blocks\) \(64, 2, 16"):
        load_backbone(f"openclip:{tmp_path / 'epoch_9.pt'}?model=ViT-B-16")
    with pytest.raises(UserError, match=r"differ in their preprocessing.*pretrained=TAG"):
        load_backbone(f"openclip:{tmp_path / 'epoch_9.pt'}?model=ViT-L-14")
    with pytest.raises(UserError, match="no weights 'nope' of ViT-B-16"):
        load_backbone(f"openclip:{tmp_path / 'epoch_9.pt'}?model=ViT-B-16&pretrained=nope")


def test_openclip_refuses_what_it_cannot_compute(tmp_path):
    write(tmp_path, open_clip_model(), attentional_pool=True)
    with pytest.raises(UserError, match="attentional_pool, which is not supported"):
        load_backbone(f"openclip:{tmp_path}")
