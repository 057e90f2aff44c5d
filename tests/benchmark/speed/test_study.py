"""A study as a whole, in miniature: what it leaves out, and what becomes of memory that does not suffice."""

from dataclasses import replace

import pytest
import torch
from gpu_steps import MINIATURE

import benchmark.speed.study as study
from benchmark.speed.ratios import bound, ratios
from common.errors import UserError

PLAN = study.Plan(MINIATURE, ("catlip", "clip"), 4, largest=False, precision="float32", rounds=5, turn=0.001)


@pytest.fixture(scope="module")
def measured():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield study.run(PLAN)
    torch.set_num_threads(threads)


def test_all_contenders_are_measured(measured):
    found, machine, seconds = measured
    assert list(found.found) == ["vit", "catlip", "clip", "open_clip"]
    assert found.processes == 1 and found.precision == "float32" and seconds > 0
    assert machine["cores"] > 0 and machine["torch"] == torch.__version__
    for name, row in found.found.items():
        assert len(row.same.seconds) == 5 and row.memory > 0 and row.parameters > 0
        assert row.largest is None and row.loaded is None and bound(row, 4) is None
        assert (row.flops is None) == (name == "open_clip")


def test_flops_are_those_that_pretraining_notes(measured):
    from benchmark.speed.contenders import model_of, reading_of, recipe_of
    from pretraining.cost import flops_per_image

    found, _, _ = measured
    for name in ("catlip", "clip"):
        reading = reading_of(name, MINIATURE)
        model = model_of(recipe_of(name, MINIATURE, 4), reading)
        assert found.found[name].flops == flops_per_image(model, reading, 32, 4)


def test_ratios_are_of_what_was_measured_and_nothing_else(measured):
    found, _, _ = measured
    by_name = {ratio.metric: ratio for ratio in ratios(found, "catlip", "clip", 4)}
    assert by_name.keys() == {"cheaper_flops", "cheaper_same_batch"}
    counted = found.found["clip"].flops["total"] / found.found["catlip"].flops["total"]
    assert by_name["cheaper_flops"].interval[:3] == (counted,) * 3 and by_name["cheaper_flops"].rounds is None
    itself = {ratio.metric: ratio for ratio in ratios(found, "clip", "clip", 4)}
    assert itself["cheaper_same_batch"].interval[:3] == pytest.approx((1.0, 1.0, 1.0))


def test_batches_that_differ_count_per_image():
    slow = study.Found(largest=study.Series(1, [1.0] * 5), largest_size=10)
    quick = study.Found(largest=study.Series(1, [1.0] * 5), largest_size=40)
    two = study.Study({"quick": quick, "slow": slow}, "bf16", 1, 1, [])
    (ratio,) = ratios(two, "quick", "slow", 4)
    assert ratio.metric == "cheaper_largest_batch" and ratio.interval.value == pytest.approx(4.0)


@pytest.mark.parametrize(("loader", "word"), [(10.0, "loader"), (1000.0, "step")])
def test_the_slower_one_bounds(loader, word):
    found = study.Found(same=study.Series(1, [0.1] * 5), loader=loader)
    assert bound(found, 4) == word


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError("no"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"),
    ],
)
def test_a_batch_that_does_not_fit_is_one_line(monkeypatch, error):
    def full(*arguments, **settings):
        raise error

    monkeypatch.setattr(study, "take_turns", full)
    with pytest.raises(UserError, match=r"4 images a process do not fit.*--batch"):
        study.run(PLAN)


def test_another_error_is_not_taken_for_a_full_memory(monkeypatch):
    def broken(*arguments, **settings):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(study, "take_turns", broken)
    with pytest.raises(RuntimeError, match="illegal"):
        study.run(replace(PLAN, objectives=("catlip",)))


def test_what_does_not_fit_beside_it_is_left_out_and_the_rest_kept(monkeypatch):
    def full(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(study, "_largest_batch", full)
    found, _, _ = study.run(replace(PLAN, objectives=("catlip",), largest=True))
    assert found.left_out == ["the largest batch"] and len(found.found["catlip"].same.seconds) == 5
