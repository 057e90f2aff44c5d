"""Every key of a file is accounted for."""

from pathlib import Path

import pytest
import torch
from torch import nn

from backbones import UserError
from backbones.checkpoints.keys import Dropped, KeyReport, adopt, depth_of, fill, rename, square_grid

PATH = Path("weights.pt")


def test_keys_are_used_dropped_for_a_reason_or_refused():
    names = {"a": "first", "b": Dropped("not needed")}
    renamed, report = rename({"a": torch.ones(1), "b": torch.ones(1)}, names.get, PATH, "timm")
    assert list(renamed) == ["first"] and report.used == ["a"] and report.dropped == {"b": "not needed"}
    assert report.lines() == ["1 tensors used, 1 dropped, 0 missing", "dropped 1: not needed"]
    with pytest.raises(UserError, match="has 'c', which no ViT of timm that is known here has"):
        rename({"c": torch.ones(1)}, names.get, PATH, "timm")
    with pytest.raises(UserError, match="two tensors for same"):
        rename({"a": torch.ones(1), "b": torch.ones(1)}, lambda key: "same", PATH, "timm")


def test_a_module_is_filled_strictly_and_in_float32():
    tensors = {"weight": torch.ones(2, 3).half(), "bias": torch.ones(4)[::2]}
    with torch.device("meta"):
        module = nn.Linear(3, 2)
    fill(module, dict(tensors), KeyReport(), PATH)
    assert module.weight.dtype == torch.float32 and module.bias.is_contiguous()
    assert module.bias.untyped_storage().nbytes() == 8
    for wrong, message in (
        ({"weight": tensors["weight"]}, "lacks 1 tensors of the backbone, first bias"),
        ({**tensors, "more": torch.ones(1)}, "1 tensors too many, first more"),
        ({**tensors, "bias": torch.ones(3)}, r"bias is \(3,\) where the architecture has \(2,\)"),
    ):
        with pytest.raises(UserError, match=message):
            fill(module, wrong, KeyReport(), PATH)


def test_norms_without_a_counter_of_steps_start_at_none():
    norm, report = nn.BatchNorm2d(2), KeyReport()
    state = {key: value for key, value in norm.state_dict().items() if "num_batches" not in key}
    fill(norm, state, report, PATH)
    assert norm.num_batches_tracked == 0 and report.notes == ["num_batches_tracked starts at 0"]


def test_adopted_tensors_are_the_modules_own_without_a_copy():
    module, weight, bias = nn.Linear(3, 2), torch.ones(2, 3), torch.ones(2)
    module.weight.requires_grad_(False)
    adopt(module, {"weight": weight, "bias": bias})
    assert module.weight.data_ptr() == weight.data_ptr()
    assert not module.weight.requires_grad and module.bias.requires_grad
    for wrong, message in (
        ({"weight": weight}, "bias is missing"),
        ({"weight": weight, "bias": torch.ones(3)}, "bias is"),
        ({"weight": weight, "bias": bias, "more": bias}, "more is not described"),
    ):
        with pytest.raises(ValueError, match=message):
            adopt(module, wrong)


def test_numbers_that_keys_and_shapes_tell():
    assert depth_of(["blocks.0.a", "blocks.11.b", "blocks.x", "other.99"], "blocks.") == 12
    assert depth_of([], "blocks.") == 0
    assert square_grid(196, PATH) == 14
    with pytest.raises(UserError, match="has 197 positions, no square grid"):
        square_grid(197, PATH)
