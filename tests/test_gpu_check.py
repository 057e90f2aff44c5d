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
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import build_optim_wrapper
from torch import nn

from common.files import read_json

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parent.parent
PLAIN = {"optimizer": {"type": "SGD", "lr": 0.1}}


class _Plain(nn.Module):
    """What MMEngine makes a step of, at its least."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def train_step(self, data, wrapper):
        loss = self.model(data).square().mean()
        wrapper.update_params(loss)
        return {"loss": loss}

    def named_parameters(self, *args, **kwargs):
        return self.model.named_parameters(*args, **kwargs)

    def buffers(self, *args, **kwargs):
        return self.model.buffers(*args, **kwargs)


@pytest.fixture
def noted():
    found = {}
    return found, lambda key, value: found.__setitem__(key, value)


def test_speed_is_what_the_speed_command_measures(one_thread, noted):
    found, note = noted
    gpu_steps.speed(gpu_steps.MINIATURE, CPU, 1e12, note)
    for name in ("vit", "catlip", "clip"):
        row = found[name]["same_batch"]
        assert row["batch_size"] == 4 and row["peak_memory_bytes"] > 0
        expected = row["images_per_second"] * found[name]["flops_per_image"] / 1e12
        assert row["mfu"] == pytest.approx(expected)
        assert found[name]["phases"]["backward"] > 0
    assert found["open_clip"]["flops_per_image"] is None and found["open_clip"]["same_batch"]["mfu"] is None
    assert "times_cheaper_than_clip" not in found["clip"]
    value, low, high = found["catlip"]["times_cheaper_than_clip"]["cheaper_same_batch"]
    assert low <= value <= high


def test_steps_are_measured_with_compiled_blocks(one_thread, noted, monkeypatch):
    import pretraining.train as train

    found, note = noted
    compiled = []
    monkeypatch.setattr(train, "compile_blocks", compiled.append)  # what it does has tests of its own
    gpu_steps.compiled(gpu_steps.MINIATURE, CPU, 1e12, note)
    assert len(compiled) == 2
    assert all(found[name]["batch_size"] == 12 and found[name]["mfu"] > 0 for name in ("catlip", "clip"))


def test_nothing_is_made_up_where_the_peak_is_unknown():
    assert gpu_steps.mfu(10.0, {"total": 1e9}, None) is None
    assert gpu_steps.mfu(10.0, {"total": 1e9}, 1e11) == pytest.approx(0.1)


def test_a_step_is_a_whole_one_of_a_training(one_thread):
    model = nn.Linear(2, 1)
    step = gpu_dense.Step(_Plain(model), build_optim_wrapper(model, PLAIN), ExponentialMovingAverage(model))
    before = step.average.module.weight.clone()
    for _ in range(3):
        step(torch.ones(4, 2))
    assert not torch.equal(before, step.average.module.weight)
    model.weight.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError):
        step(torch.ones(4, 2))


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
    assert "7 of 8 parts" in capsys.readouterr().out
    assert gpu_check.main([str(out), "--device", "cpu", "--only", "smoke", "speed"]) == 0


def test_parts_that_are_left_out_keep_what_was_found_on_the_same_card(tmp_path, monkeypatch):
    card, found = ["A"], []

    def one(command, out, seconds):
        found.append(command[command.index("--part") + 1])
        return {"error": None, "seconds": 1.0, "device": card[0], "torch": "2", "turn": len(found)}

    monkeypatch.setattr(gpu_check, "in_its_own_process", one)
    out = tmp_path / "out.json"
    gpu_check.main([str(out), "--device", "cpu"])
    gpu_check.main([str(out), "--device", "cpu", "--only", "speed"])
    turns = {name: part["turn"] for name, part in read_json(out)["parts"].items()}
    kept = {"float32": 2, "mask_rcnn": 4, "deeplabv3": 5, "smoke": 6, "compiled": 7, "probe": 8}
    assert turns == {"machine": 9, "speed": 10, **kept}
    card[0] = "B"
    gpu_check.main([str(out), "--device", "cpu", "--only", "smoke"])
    assert list(read_json(out)["parts"]) == ["machine", "smoke"]


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
    assert gpu_check.child("speed", True, CPU, 1.0, tmp_path / "speed.json") == 1
    assert read_json(tmp_path / "speed.json") == {"x": 1, "error": "ValueError: broken"}


def test_without_a_gpu_one_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main([str(tmp_path / "out.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_a_probe_is_measured(one_thread, noted):
    import gpu_probe

    found, note = noted
    gpu_probe.probe(True, CPU, note)
    assert found["images"] == 2000 and found["passes"] >= 45 and found["largest_excess"] >= 0
    assert found["val_top1"] > 20 and found["streamed_peak_memory_bytes"] == [None, None]
