"""Recipes with wrong types and values: refused by the name of the entry, before anything runs."""

from __future__ import annotations

import pytest

from common.errors import UserError
from pretraining.recipe import load_recipe

CATLIP = """
architecture = "vit_nano_conv16"
objective = dict(type="catlip")
optimizer = dict(lr=1e-3)
image_size = 32
samples = 96
batch_size = 8
"""
CLIP = CATLIP.replace('"catlip"', '"clip", text_width=8, text_heads=2')


# Settings of recipes: what is set, and what the line must say.
SETTINGS = {
    "betas-a-number": (CATLIP, {"optimizer.betas": 2.0}, r"optimizer\.betas=2\.0"),
    "beta-above-one": (CATLIP, {"optimizer.betas": (0.9, 2.0)}, r"optimizer\.betas\.1=2\.0"),
    "lr-absurd": (CATLIP, {"optimizer.lr": 1e30}, r"optimizer\.lr=1e\+30"),
    "lr-no-number": (CATLIP, {"optimizer.lr": float("nan")}, r"optimizer\.lr=nan"),
    "lr-text": (CATLIP, {"optimizer.lr": "fast"}, r"optimizer\.lr='fast'"),
    "lr-by-its-long-name": (CATLIP, {"optimizer.learning_rate": 1e-3}, r"learning_rate.*\blr\b"),
    "batch-0": (CATLIP, {"batch_size": 0}, "batch_size=0"),
    "batch-absurd": (CATLIP, {"batch_size": 10**12}, "batch_size=1000000000000"),
    "samples-text": (CATLIP, {"samples": "many"}, "samples='many': give a whole number"),
    "samples-infinite": (CATLIP, {"samples": float("inf")}, "samples=inf"),
    "workers-negative": (CATLIP, {"num_workers": -1}, "num_workers=-1"),
    "image-of-a-pixel": (CATLIP, {"image_size": 1}, "image_size=1: a patch .* has 16 pixels"),
    "image-absurd": (CATLIP, {"image_size": 10**9}, "image_size=1000000000"),
    "architecture-a-list": (CATLIP, {"architecture": ["vit"]}, "architecture="),
    "architecture-mistyped": (CATLIP, {"architecture": "vit_bas_conv16"}, "did you mean vit_base_conv16"),
    "entry-mistyped": (CATLIP, {"batchsize": 8}, "no entry 'batchsize': did you mean batch_size"),
    "seed-negative": (CATLIP, {"seed": -1}, "seed=-1"),
    "scale-falls": (CATLIP, {"augmentation.scale": (1.0, 0.5)}, r"augmentation\.scale="),
    "ema-of-nothing": (CATLIP, {"ema_momentum": 1}, "ema_momentum=1"),
    "keep-a-number": (CATLIP, {"keep": 3}, "keep=3"),
    "optimizer-a-number": (CATLIP.replace("dict(lr=1e-3)", "5"), {}, "optimizer=5"),
    "objective-a-list": (CATLIP, {"objective": [1]}, "objective="),
    "objective-type-a-list": (CATLIP, {"objective.type": ["catlip"]}, "unknown objective"),
    "objective-mistyped": (CATLIP, {"objective.type": "catlp"}, "did you mean catlip"),
    "objective-is-no-objective": (CATLIP, {"objective.type": "json:dumps"}, "json:dumps is no Objective"),
    "min-count-text": (CATLIP, {"objective.min_count": "x"}, "objective: min_count='x'"),
    "heads-do-not-share": (CLIP, {"objective.text_heads": 3}, "3 heads"),
    "temperature-0": (CLIP, {"objective.init_temperature": 0}, "init_temperature=0"),
    "option-mistyped": (CLIP, {"objective.context": 9}, "did you mean context_length"),
    "config-that-exits": ("raise SystemExit(0)", {}, "no valid config"),
    "config-torn": ("samples = (", {}, "no valid config"),
    "config-empty": ("", {}, "is missing"),
}


@pytest.mark.parametrize(("text", "values", "message"), SETTINGS.values(), ids=SETTINGS)
def test_settings_are_refused_by_name(tmp_path, text, values, message):
    config = tmp_path / "recipe.py"
    config.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_recipe(config, values)
    assert "\n" not in str(caught.value) and [p.name for p in tmp_path.iterdir()] == ["recipe.py"]
