"""Which parameters are decayed, and how the learning rate goes."""

import pytest
import recipes
from mmengine.optim import build_optim_wrapper

import backbones.precision
from backbones.architectures import ARCHITECTURES
from backbones.precision import Speeds
from backbones.vit import build_vit
from pretraining.model import ImageTextModel
from pretraining.objectives.catlip import CatLIP
from pretraining.objectives.clip import CLIP
from pretraining.optimizer import optim_wrapper, schedule
from pretraining.recipe import load_recipe

HEADS = {
    "catlip": (CatLIP, {"class_counts": [2, 1], "num_captions": 3}, {"classifier.weight"}),
    "clip": (
        CLIP,
        {"embed_dim": 8, "text_width": 8, "text_layers": 1, "text_heads": 1, "context_length": 8},
        {"image_projection", "text.token_embedding.weight", "text.text_projection"}
        | {
            f"text.transformer.resblocks.0.{name}.weight"
            for name in ("attn.out_proj", "mlp.c_fc", "mlp.c_proj")
        }
        | {"text.transformer.resblocks.0.attn.in_proj_weight"},
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_nothing_of_fewer_than_two_dimensions_is_decayed(config, name):
    head, options, decayed_of_head = HEADS[name]
    model = ImageTextModel(build_vit(ARCHITECTURES["vit_nano_conv16"]), head(32, **options))
    groups = build_optim_wrapper(model, optim_wrapper(load_recipe(config), model)).optimizer.param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decay = {names[id(p)]: group["weight_decay"] for group in groups for p in group["params"]}
    assert decay.keys() == set(names.values())
    block = ("attn.qkv.weight", "attn.proj.weight", "mlp.fc1.weight", "mlp.fc2.weight")
    expected = {f"vit.trunk.patch_embed.conv{n}.weight" for n in (1, 2, 3)}
    expected |= {f"vit.trunk.blocks.{n}.{name}" for n in range(2) for name in block}
    expected |= {f"objective.{name}" for name in decayed_of_head}
    assert {name for name, value in decay.items() if value} == expected


def test_the_learning_rate_rises_and_falls(config):
    rise, fall = schedule(load_recipe(config))  # 16 samples of warm-up in batches of 8, 12 steps in all
    assert (rise["begin"], rise["end"], fall["begin"], fall["end"], fall["T_max"]) == (0, 2, 2, 12, 10)
    assert rise["start_factor"] == pytest.approx(1e-3) and fall["eta_min"] == pytest.approx(1e-5)
    long = load_recipe(config, {"optimizer.warmup_samples": 10_000})
    assert schedule(long)[0]["end"] == 6  # half of the run at most
    assert len(schedule(load_recipe(config, {"optimizer.warmup_samples": 1}))) == 1


@pytest.mark.parametrize("speeds", [Speeds(10.0, 20.0), Speeds(20.0, 10.0)])
def test_a_recipe_may_leave_the_precision_to_the_machine(tmp_path, monkeypatch, speeds):
    asked = []
    monkeypatch.setattr(backbones.precision, "cpu_speeds", lambda width: asked.append(width) or speeds)
    expected = "bf16" if speeds.bf16 > speeds.float32 else "float32"
    for name, text in (("catlip", recipes.CATLIP), ("clip", recipes.CLIP)):
        config = tmp_path / f"{name}.py"
        config.write_text(text)
        head, options, _ = HEADS[name]
        model = ImageTextModel(build_vit(ARCHITECTURES["vit_nano_conv16"]), head(32, **options))
        said, left = (load_recipe(config, {"precision": value}) for value in ("bf16", "auto"))
        assert build_optim_wrapper(model, optim_wrapper(said, model)).precision == "bf16"
        assert not asked
        assert build_optim_wrapper(model, optim_wrapper(left, model)).precision == expected
        assert asked == [32]  # the backbone's width, whatever the objective
        asked.clear()
