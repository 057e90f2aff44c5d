"""timm's folders compute there what they computed here."""

from dataclasses import replace

import timm
import torch
from small import BASE, PREPROCESSING, image, saved, timm_model

from backbones import load_backbone
from backbones.card import Card
from backbones.checkpoints import run
from backbones.convert import convert
from backbones.preprocessing import Preprocessing
from backbones.vit import ViT


def test_a_squashed_crop_survives_in_timms_format(tmp_path):
    shown = replace(PREPROCESSING, crop_pct=0.8, resize_mode="squash")
    written, notes = convert(saved(tmp_path / "first", BASE, shown), tmp_path / "out", "timm")
    assert notes == [] and load_backbone(written).preprocessing == shown


def test_timms_folder_is_read_here_and_by_timm(tmp_path):
    model = timm_model(num_classes=0, norm_layer="layernorm", reg_tokens=2, init_values=0.1)
    first = tmp_path / "first"
    first.mkdir()
    run.save(first, ViT(model, Preprocessing(64, std=(0.5,) * 3)), Card())
    written, _ = convert(f"run:{first}", tmp_path / "timm", "timm")
    assert written == f"timm:{tmp_path / 'timm'}"
    vit = load_backbone(written)
    theirs = timm.create_model(f"local-dir:{tmp_path / 'timm'}", pretrained=True).eval()
    with torch.no_grad():
        torch.testing.assert_close(vit(image()).class_token, model(image()), atol=1e-5, rtol=0)
        torch.testing.assert_close(theirs(image()), model(image()), atol=1e-5, rtol=0)
        assert vit(image(48, 96)).patches.shape == (2, 64, 3, 6)
    assert vit.preprocessing == Preprocessing(64, std=(0.5,) * 3, crop_pct=vit.preprocessing.crop_pct)
