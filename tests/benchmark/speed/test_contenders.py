"""What is measured is what is trained: a step of each contender learns, and none is less than a whole one."""

import pytest
import torch
from gpu_steps import MINIATURE

from benchmark.speed.contenders import FLOOR, REFERENCE, contender_of, noise, normalised, reading_of
from common.errors import UserError

CPU = torch.device("cpu")
ALL = (FLOOR, "catlip", "clip", REFERENCE)


@pytest.mark.parametrize("name", ALL)
def test_a_step_changes_the_weights_and_their_average(one_thread, name):
    contender, batch = contender_of(name, MINIATURE, CPU, "float32", 4)
    before = {key: value.clone() for key, value in contender.model.state_dict().items()}
    contender.train([batch] * 3)
    changed = [
        key for key, value in contender.model.state_dict().items() if not torch.equal(before[key], value)
    ]
    assert changed
    if name != REFERENCE:
        average = contender.average.module.state_dict()
        assert any(not torch.equal(before[key], average[key]) for key in changed)


@pytest.mark.parametrize("name", ALL)
def test_what_lives_from_step_to_step_is_counted(one_thread, name):
    contender, batch = contender_of(name, MINIATURE, CPU, "float32", 4)
    weights = 4 * sum(parameter.numel() for parameter in contender.model.parameters())
    contender.train([batch])
    # Weights and two moments; and their average, or OpenCLIP's gradients, which it forgets at the next step.
    assert contender.state_bytes() == pytest.approx(4 * weights, rel=0.02)


def test_objectives_differ_in_the_objective_alone(one_thread):
    first, *others = (contender_of(name, MINIATURE, CPU, "bf16", 4)[0] for name in (FLOOR, "catlip", "clip"))

    def settings(training):
        groups = training.wrapper.optimizer.param_groups
        return [{key: value for key, value in group.items() if key != "params"} for group in groups]

    for training in others:
        assert training.precision == first.precision == "bf16"
        assert training.wrapper.clip_grad_kwargs == first.wrapper.clip_grad_kwargs
        assert settings(training) == settings(first)
        pairs = zip(training.model.vit.parameters(), first.model.vit.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)


def test_openclips_model_has_the_size_of_ours(one_thread):
    reference, _ = contender_of(REFERENCE, MINIATURE, CPU, "float32", 4)
    clip, _ = contender_of("clip", MINIATURE, CPU, "float32", 4)
    blocks = lambda module: sum(p.numel() for p in module.parameters())  # noqa: E731
    assert blocks(reference.model.visual.transformer) == blocks(clip.model.vit.trunk.blocks)
    assert blocks(reference.model.transformer) == blocks(clip.model.objective.text.transformer)


def test_noise_is_a_batch_as_a_loader_hands_it_on():
    labels = noise(reading_of("catlip", MINIATURE), 5, 32)
    assert labels.images.shape == (5, 3, 32, 32) and labels.images.dtype == torch.uint8
    assert labels.label_rows.tolist() == sorted(4 * list(range(5)))
    assert labels.label_classes.max() < MINIATURE.classes
    text = noise(reading_of("clip", MINIATURE), 5, 32)
    assert text.text.shape == (5, 8) and text.label_rows is None
    floats = normalised(text).images
    assert floats.min() >= -1 and floats.max() <= 1


def test_an_unknown_objective_is_one_line():
    with pytest.raises(UserError, match="catlip"):
        contender_of("catlipp", MINIATURE, CPU, "float32", 4)
