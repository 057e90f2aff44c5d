"""What a step does, counted without doing it."""

from __future__ import annotations

import pytest

from benchmark.speed.contenders import model_of, reading_of, recipe_of
from benchmark.speed.counting import count
from benchmark.speed.geometry import Geometry
from pretraining.cost import flops_per_image

TEXT = {"embed_dim": 8, "text_width": 16, "text_layers": 1, "text_heads": 2, "context_length": 8}
GEOMETRY = Geometry(
    architecture="vit_nano_conv16",
    image_size=32,
    classes=50,
    objectives={"catlip": {}, "clip": TEXT},
    batch_size=2,
    samples=100,
)


def model(name: str):
    return model_of(recipe_of(name, GEOMETRY, 2, "float32"), reading_of(name, GEOMETRY))


def test_products_are_those_that_pytorch_counts():
    expected = flops_per_image(model("catlip"), reading_of("catlip", GEOMETRY), 32, 2)["total"]
    assert count("catlip", GEOMETRY, 2).flops() == 2 * expected


@pytest.mark.parametrize("name", ["catlip", "clip", "vit"])
def test_parameters_and_what_is_kept_of_each(name):
    work = count(name, GEOMETRY, 2)
    assert work.parameters == sum(parameter.numel() for parameter in model(name).parameters())
    # Weight, average and two moments of four bytes; counters and buffers are hardly anything.
    assert 16 * work.parameters <= work.state_bytes < 16.5 * work.parameters + 2000
    assert work.gradient_bytes == 4 * work.parameters


def test_the_optimizer_reads_and_writes_each_parameter():
    operators = count("vit", GEOMETRY, 2).operators
    moved = {operator.name: amount.bytes for operator, amount in operators.items()}
    parameters = count("vit", GEOMETRY, 2).parameters
    assert moved["aten._fused_adamw_.default"] >= 2 * 16 * parameters
    assert moved["aten._foreach_lerp_.Scalar"] >= 2 * 8 * parameters


def test_memory_of_catlip_is_a_line_in_the_batch():
    small, middle, large = (count("catlip", GEOMETRY, batch).memory for batch in (64, 128, 192))
    assert small < middle < large
    assert large - middle == pytest.approx(middle - small, rel=0.01)


def test_similarities_of_clip_grow_with_the_square_and_with_processes():
    # Tokens are as many per image; only similarities are more than proportional.
    small, middle, large = (count("clip", GEOMETRY, batch).kept_bytes for batch in (256, 512, 768))
    assert (large - middle) - (middle - small) > 256**2 * 4
    assert count("clip", GEOMETRY, 64, processes=64).flops() > count("clip", GEOMETRY, 64).flops()


def test_only_what_contrasts_sends_features():
    assert count("catlip", GEOMETRY, 2, processes=4).gathered_bytes == 0
    assert count("clip", GEOMETRY, 2).gathered_bytes == 0
    assert count("clip", GEOMETRY, 2, processes=4).gathered_bytes == 2 * 2 * 8 * 4


def test_bf16_and_checkpointing_hold_less():
    plain = count("catlip", GEOMETRY, 64)
    assert count("catlip", GEOMETRY, 64, "bf16").kept_bytes < plain.kept_bytes
    again = count("catlip", GEOMETRY, 64, checkpointing=True)
    assert again.kept_bytes < plain.kept_bytes
    assert again.flops() > plain.flops()


def test_fused_attention_holds_no_scores():
    fused = count("catlip", GEOMETRY, 64, "bf16", "cuda")
    plain = count("catlip", GEOMETRY, 64, "bf16", "cuda", fused_attention=False)
    assert fused.kept_bytes < plain.kept_bytes
    assert count("clip", GEOMETRY, 4, "bf16", "cuda", checkpointing=True, fused_attention=False).flops() > 0


def test_gpus_compute_norms_in_float32():
    def norms(device: str) -> set[str]:
        operators = count("catlip", GEOMETRY, 2, "bf16", device).operators
        return {
            operator.dtype for operator in operators if operator.name.startswith("aten.native_layer_norm.")
        }

    assert norms("cuda") == {"float32"}
