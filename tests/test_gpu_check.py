"""The parts of performance/gpu_check.py in miniature on the CPU, and how it deals with those that fail."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

import gpu_check
import gpu_dense
import gpu_steps
import pytest
import torch

from common.files import read_json

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def noted():
    found = {}
    return found, lambda key, value: found.__setitem__(key, value)


@pytest.mark.parametrize("objective", ["catlip", "clip"])
def test_speed_is_measured_in_batches_that_double(one_thread, noted, objective):
    found, note = noted
    gpu_steps.speed(objective, gpu_steps.MINIATURE, CPU, 1e12, 100.0, note)
    assert [row["batch_size"] for row in found["steps"]] == [2, 4]
    for row in found["steps"]:
        assert row["images_per_second"] == pytest.approx(row["batch_size"] / row["seconds_per_step"])
        expected = row["images_per_second"] * found["flops_per_image"] / 1e12
        assert row["mfu"] == pytest.approx(expected) and row["peak_memory_bytes"] > 0
    # memory was never full, so that nothing is said of what is the most that fits
    assert found["largest_batch"] is None and found["out_of_memory_at"] is None
    assert "compiled" not in found


def test_nothing_is_made_up_where_the_peak_is_unknown(one_thread, noted):
    found, note = noted
    gpu_steps.speed("catlip", gpu_steps.MINIATURE, CPU, None, 100.0, note)
    assert {row["mfu"] for row in found["steps"]} == {None}


def test_the_largest_batch_is_the_last_before_memory_was_full(one_thread, noted, monkeypatch):
    found, note = noted
    rate = gpu_steps._rate

    def full_at_four(step, reading, geometry, size, device):
        if size == 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return rate(step, reading, geometry, size, device)

    monkeypatch.setattr(gpu_steps, "_rate", full_at_four)
    gpu_steps.speed("catlip", gpu_steps.MINIATURE, CPU, None, 100.0, note)
    assert (found["largest_batch"], found["out_of_memory_at"]) == (2, 4)

    def broken(*arguments):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(gpu_steps, "_rate", broken)
    with pytest.raises(RuntimeError, match="illegal"):
        gpu_steps.speed("catlip", gpu_steps.MINIATURE, CPU, None, 100.0, note)


def test_the_fastest_batch_is_measured_again_with_compiled_blocks(one_thread, noted, monkeypatch):
    import pretraining.train as train

    found, note = noted
    compiled = []
    monkeypatch.setattr(train, "compile_blocks", compiled.append)  # what it does has tests of its own
    geometry = gpu_steps.Geometry(**{**vars(gpu_steps.MINIATURE), "compiled": True})
    gpu_steps.speed("catlip", geometry, CPU, None, 100.0, note)
    fastest = max(found["steps"], key=lambda row: row["images_per_second"])
    assert len(compiled) == 1 and found["compiled"]["batch_size"] == fastest["batch_size"]


def test_a_batch_is_as_large_as_time_allows(one_thread, noted):
    found, note = noted
    gpu_steps.speed("catlip", gpu_steps.MINIATURE, CPU, None, 0.0, note)
    assert [row["batch_size"] for row in found["steps"]] == [2] and found["largest_batch"] is None


def test_a_step_is_a_whole_one_of_a_training(one_thread):
    reading = gpu_steps.RandomReading("clip", gpu_steps.MINIATURE)
    step = gpu_steps.step_of(gpu_steps.recipe_of("clip", gpu_steps.MINIATURE, "bf16"), reading, CPU)
    assert step.wrapper.precision == "bf16" and step.wrapper.optimizer.defaults["fused"]
    before = {name: value.clone() for name, value in step.average.module.state_dict().items()}
    for _ in range(3):
        step(reading.batch(2, 32))
    after = step.average.module.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    step.model.objective.image_projection.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError):
        step(reading.batch(2, 32))


def test_float32_is_compared_and_a_device_that_is_wrong_found_out(one_thread, noted, monkeypatch):
    found, note = noted
    gpu_steps.compare_float32(gpu_steps.MINIATURE, CPU, note)
    assert found["catlip"]["gradient_difference"] < 1e-6 and found["clip"]["loss_difference"] < 1e-6
    honest = gpu_steps.gradients

    def elsewhere(objective, geometry, device):
        loss, found = honest(objective, geometry, CPU)
        wrong = 1.0 if device == CPU else 1.01
        return loss, {name: wrong * value for name, value in found.items()}

    monkeypatch.setattr(gpu_steps, "gradients", elsewhere)
    with pytest.raises(ArithmeticError, match=r"beyond the tolerances.*catlip.*clip"):
        gpu_steps.compare_float32(gpu_steps.MINIATURE, torch.device("cuda:7"), note)
    assert found["catlip"]["gradient_difference"] > gpu_steps.GRADIENT_TOLERANCE


def test_tf32_is_off_for_the_comparison_and_left_as_it_was():
    switches = lambda: (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)  # noqa: E731
    before = switches()
    with gpu_steps.without_tf32():
        assert switches() == (False, False)
    assert switches() == before


@pytest.mark.parametrize(("name", "images"), [("mask_rcnn", 2), ("deeplabv3", 4)])
def test_a_dense_iteration_by_the_papers_config(noted, name, images):
    found, note = noted
    gpu_dense.iteration(name, True, CPU, note)
    assert found["batch_size"] == images and found["precision"] == "float32"
    assert found["seconds_per_step"] > 0 and found["peak_memory_bytes"] > 0
    assert (ROOT / found["config"]).is_file()


@pytest.mark.parametrize(
    ("card", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989.4e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA A100 80GB PCIe", 312e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA GeForce RTX 4090", 165.2e12),
        ("NVIDIA L40", None),
        ("NVIDIA H100 NVL", None),
        ("NVIDIA GH200 480GB", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("Tesla T4", None),
    ],
)
def test_a_card_is_known_or_it_is_not(card, peak):
    assert gpu_check.peak_flops(card) == peak


def test_what_a_suite_left_is_read_with_the_device(tmp_path):
    left = gpu_check.left_by(ROOT / "tests" / "fixtures" / "finished_suite")
    assert len(left["cells"]) == 9
    assert left["cells"]["random/demo_linear_probe"]["status"] == "done"
    assert left["cells"]["random/demo_linear_probe"]["value"] == pytest.approx(4.96, abs=0.01)
    folder = tmp_path / "pretrain" / "clip"
    folder.mkdir(parents=True)
    cost = {"images_per_second": 5.0, "precision": "bf16", "peak_memory_bytes": 7, "samples": 3}
    (folder / "backbone.json").write_text(json.dumps({"cost": cost, "environment": {"device": "a card"}}))
    expected = {"images_per_second": 5.0, "precision": "bf16", "peak_memory_bytes": 7, "device": "a card"}
    assert gpu_check.left_by(tmp_path)["pretraining"] == {"clip": expected}
    assert gpu_check.left_by(tmp_path / "nothing") == {"cells": {}, "pretraining": {}}


@pytest.mark.parametrize(
    ("does", "error", "kept"),
    [
        ('write(\'{"x": 1, "error": null}\')', None, {"x": 1}),
        ('write(\'{"x": 1, "error": "it broke"}\'); sys.exit(1)', "it broke", {"x": 1}),
        ("write('{\"x\": 1}'); sys.exit('killed: no memory')", "exit code 1: killed: no memory", {"x": 1}),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9: nothing was said", {}),
        ("time.sleep(600)", "ended after its 1 seconds", {}),
    ],
)
def test_whatever_becomes_of_a_part_it_is_said_in_one_line(tmp_path, does, error, kept):
    out = tmp_path / "part.json"
    code = f"import sys, time; write = open({str(out)!r}, 'w', 1).write; {does}"
    found = gpu_check.in_its_own_process([sys.executable, "-c", code], out, 1 if "sleep" in does else 60)
    seconds = found.pop("seconds")
    assert found == {"error": error, **kept} and seconds < 60


def test_a_part_that_fails_leaves_the_others_alone(tmp_path, monkeypatch, capsys):
    def one(command, out, seconds):
        name = command[command.index("--part") + 1]
        assert command[-3:-1] == ["--device", "cpu"] and 0 < seconds <= gpu_check.BUDGETS[name]
        return {"error": "it broke" if name == "float32" else None, "seconds": 1.0}

    monkeypatch.setattr(gpu_check, "in_its_own_process", one)
    out = tmp_path / "out.json"
    assert gpu_check.main([str(out), "--device", "cpu"]) == 1
    written = read_json(out)
    assert written["failed"] == ["float32"] and list(written["parts"]) == list(gpu_check.BUDGETS)
    assert written["command"].startswith("python tests/performance/gpu_check.py")
    assert "6 of 7 parts" in capsys.readouterr().out
    assert gpu_check.main([str(out), "--device", "cpu", "--only", "smoke", "clip"]) == 0


@pytest.mark.parametrize(
    ("ends", "seconds", "error"),
    [
        ("", 60, None),
        ("; sys.exit('no')", 60, "exit code 1: no"),
        ("; time.sleep(60)", 0.2, "not done after"),
    ],
)
def test_the_smoke_suites_end_is_noted_with_what_it_left(tmp_path, noted, ends, seconds, error):
    found, note = noted
    folder = tmp_path / "results" / "smoke" / "clip" / "probe" / "seed0"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text('{"status": "failed", "metrics": {}}')
    command = [sys.executable, "-c", f"import sys, time; print('a line'){ends}"]
    with pytest.raises(RuntimeError, match=error) if error else nullcontext():
        gpu_check.smoke(tmp_path / "results", seconds, note, command)
    assert found["cells"] == {"clip/probe": {"status": "failed", "value": None, "device": None}}
    assert found["suite_seconds"] >= 0 and found["pretraining"] == {}


def test_the_machine_is_described_by_what_is_known_of_it():
    facts = gpu_check.machine(CPU)
    assert facts["torch"] == torch.__version__ and facts["cores"] > 0 and facts["peak_bf16_flops"] is None


def test_the_parts_together_stay_within_eight_minutes():
    assert sum(gpu_check.BUDGETS.values()) + 10 <= gpu_check.LIMIT <= 480


def test_a_child_keeps_what_it_found_before_it_failed(tmp_path, monkeypatch):
    def fails(name, quick, device, deadline, scratch, note):
        note("x", 1)
        raise ValueError("broken.\nAnd more of it")

    monkeypatch.setattr(gpu_check, "run_part", fails)
    assert gpu_check.child("clip", True, CPU, 1.0, tmp_path / "clip.json") == 1
    assert read_json(tmp_path / "clip.json") == {"x": 1, "error": "ValueError: broken"}


def test_without_a_gpu_one_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main([str(tmp_path / "out.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())
