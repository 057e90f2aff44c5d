"""timm's own ViTs, from files and folders."""

import json

import pytest
import timm
import torch
from safetensors.torch import save_file
from small import image, same, timm_model

from backbones import UserError, empty_backbone, load_backbone


@pytest.fixture
def small(monkeypatch):
    """timm makes small models whatever their name is."""

    def create(name, pretrained=False, **options):
        assert not pretrained
        model = timm_model(**options)
        model.pretrained_cfg = timm.get_pretrained_cfg("vit_tiny_patch16_224").to_dict()
        return model

    monkeypatch.setattr(timm, "create_model", create)


@pytest.mark.parametrize("wrapping", ["plain", "training", "ema"])
def test_tokens_and_logits_at_two_sizes(small, wrapping, tmp_path):
    model = timm_model()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    noise = {key: torch.randn_like(value) for key, value in state.items()}
    saved = {
        "plain": state,
        "training": {"epoch": 1, "arch": "vit", "state_dict": {f"module.{k}": v for k, v in state.items()}},
        "ema": {"state_dict": noise, "state_dict_ema": state},
    }[wrapping]
    torch.save(saved, tmp_path / "vit.pth")
    vit = load_backbone(f"timm:vit_tiny_patch16_224:{tmp_path / 'vit.pth'}")
    with torch.no_grad():
        for images in (image(), image(48, 96)):
            features = model.forward_features(images)
            same(vit(images), features[:, 0], features[:, 1:])
            logits = vit(images).class_token @ model.head.weight.T + model.head.bias
            torch.testing.assert_close(logits, model(images), atol=1e-4, rtol=0)
    assert vit.key_report.dropped == dict.fromkeys(["head.weight", "head.bias"], "classifier of another task")


def test_a_file_fine_tuned_at_another_size_keeps_its_positions(small, tmp_path):
    torch.save(timm_model(img_size=96).state_dict(), tmp_path / "vit.pth")
    vit = load_backbone(f"timm:vit_tiny_patch16_224:{tmp_path / 'vit.pth'}")
    assert vit.trunk.patch_embed.grid_size == (6, 6) and vit.preprocessing.size == 96


def test_a_missing_or_misshapen_tensor_is_an_error(small, tmp_path):
    state = timm_model().state_dict()
    torch.save({**state, "norm.bias": torch.ones(3)}, tmp_path / "vit.pth")
    with pytest.raises(UserError, match=r"norm.bias is \(3,\) where the architecture has \(64,\)"):
        load_backbone(f"timm:vit_tiny_patch16_224:{tmp_path / 'vit.pth'}")
    del state["norm.bias"]
    torch.save(state, tmp_path / "vit.pth")
    with pytest.raises(UserError, match=r"lacks 1 tensors of the backbone, first norm\.bias"):
        load_backbone(f"timm:vit_tiny_patch16_224:{tmp_path / 'vit.pth'}")
    torch.save({**timm_model().state_dict(), "extra": torch.ones(1)}, tmp_path / "vit.pth")
    with pytest.raises(UserError, match="1 tensors too many, first extra"):
        load_backbone(f"timm:vit_tiny_patch16_224:{tmp_path / 'vit.pth'}")


def test_a_folder_that_is_not_timms_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(UserError, match=f"holds transformers weights, not timm: name it hf:{tmp_path}"):
        load_backbone(f"timm:{tmp_path}")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="not timm's description"):
        load_backbone(f"timm:{tmp_path}")


def test_other_kinds_of_models_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet10t"}))
    torch.save(timm_model().state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"not a plain VisionTransformer|could not make"):
        load_backbone(f"timm:{tmp_path}")


def test_timm_weights_from_a_local_file(tmp_path):
    model = timm.create_model("vit_tiny_patch16_224", num_classes=0).eval()
    save_file(model.state_dict(), tmp_path / "tiny.safetensors")
    vit = load_backbone(f"timm:vit_tiny_patch16_224:{tmp_path / 'tiny.safetensors'}")
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(vit(image).class_token, model(image), atol=1e-5, rtol=1e-5)
    assert vit.preprocessing.mean == tuple(model.pretrained_cfg["mean"])


def test_a_name_without_weights_needs_neither_network_nor_permission(monkeypatch):
    where = "timm.models._builder.load_state_dict_from_hf"
    monkeypatch.setattr(where, lambda *_, **__: pytest.fail("it is fetched"))
    vit = empty_backbone("timm:vit_base_patch14_dinov2.lvd142m")
    assert (vit.embed_dim, vit.patch_size, vit.preprocessing.size) == (768, 14, 518)


def test_a_file_without_weights_tells_its_own_image_size(small, tmp_path):
    torch.save(timm_model(img_size=96).state_dict(), tmp_path / "vit.pth")
    vit = empty_backbone(f"timm:vit_tiny_patch16_224:{tmp_path / 'vit.pth'}")
    assert (vit.embed_dim, vit.preprocessing.size) == (64, 96) and next(vit.parameters()).is_meta
