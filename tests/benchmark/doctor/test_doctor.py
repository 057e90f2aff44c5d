"""The doctor, on environments that were broken on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmark import doctor
from benchmark.doctor import child, stack
from benchmark.doctor.findings import Check, Finding
from common import PROJECT

BROKEN = "raise ImportError('libtorch_cpu.so: undefined symbol')"
PATIENT = 600.0  # where nothing hangs, on a machine that may be busy


@pytest.fixture
def check_command(check_shape):
    def check_command(modules: Path, *arguments: str, **variables: str) -> tuple[int, dict[str, dict]]:
        """Exit code and findings by name of ``doctor --json``; `modules` hides what is installed."""
        paths = [str(modules), *filter(None, [os.environ.get("PYTHONPATH")])]
        result = subprocess.run(
            [sys.executable, str(PROJECT / "run_suite.py"), "doctor", "--json", *arguments],
            capture_output=True,
            text=True,
            timeout=600,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables},
        )
        assert "Traceback" not in result.stderr, result.stderr
        found = json.loads(result.stdout)  # and nothing else is there
        for finding in found:
            check_shape(finding)
        return result.returncode, {finding["name"]: finding for finding in found}

    return check_command


# The whole command


def test_a_good_environment_has_no_error(tmp_path, check_command):
    code, found = check_command(
        tmp_path, "--results", str(tmp_path / "new" / "results"), "--patience", str(PATIENT)
    )
    assert code == 0, found
    names = (
        "Python packages forks variables PyTorch CPU GPU precision operators frameworks memory disk results"
    )
    assert list(found) == [*names.split(), "WordNet"]
    assert "nms and roi_align as expected" in found["operators"]["message"]
    assert "GFLOP/s" in found["CPU"]["message"] and torch.__version__ in found["PyTorch"]["message"]
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_torchvision_without_kernels(tmp_path, check_command):
    """And a module that prints to stdout while it is imported."""
    (tmp_path / "torchvision.py").write_text(
        "print('noise')\nraise RuntimeError('operator torchvision::nms does not exist')"
    )
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['open_clip'] = None")
    code, found = check_command(tmp_path, "--results", str(tmp_path), "--patience", str(PATIENT))
    assert code == 1
    assert found["operators"]["status"] == "error" and "torchvision::nms" in found["operators"]["message"]
    assert "uninstall -y torch torchvision" in found["operators"]["remedy"]
    assert found["packages"]["status"] == "error" and "module open_clip" in found["packages"]["message"]
    assert "'open_clip_torch" in found["packages"]["remedy"]
    assert found["PyTorch"]["status"] == "ok" and found["CPU"]["status"] != "error"


def test_many_things_broken_at_once(tmp_path, fake_distribution, check_command):
    (tmp_path / "torch.py").write_text(BROKEN)
    fake_distribution(tmp_path, "timm", "0.9.2")
    fake_distribution(tmp_path, "mmcv", "2.2.0")
    (tmp_path / "file").write_text("")
    coco = tmp_path / "coco"
    code, found = check_command(
        tmp_path, "--results", str(tmp_path / "file" / "results"), "--data", f"coco={coco}"
    )
    assert code == 1
    errors = {name for name, finding in found.items() if finding["status"] == "error"}
    assert errors == {"PyTorch", "packages", "forks", "results", "data coco"}
    assert "undefined symbol" in found["PyTorch"]["message"]
    for name in ("CPU", "GPU", "precision", "operators", "frameworks"):
        assert found[name]["remedy"] == "repair PyTorch first"
    assert "timm is 0.9.2" in found["packages"]["message"] and "'timm" in found["packages"]["remedy"]
    assert "pip uninstall -y mmcv &&" in found["forks"]["remedy"]
    assert str(coco) in found["data coco"]["message"]


def test_the_table_fits_a_terminal(monkeypatch, capsys):
    from rich.console import Console

    from benchmark.cli import main

    found = [
        Finding("packages", "error", "timm is 0.9.2, needed >=1.0 " * 5, "python -m pip install 'timm'"),
        Finding("GPU", "ok", "none: [bold]a CPU[/bold] is enough", ""),
    ]
    monkeypatch.setattr(doctor, "examine", lambda *arguments: found)
    monkeypatch.setattr(Console, "is_terminal", property(lambda self: True))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "→ python -m pip install 'timm'" in out and "[bold]a CPU[/bold]" in out
    assert "ok: 1, warning: 0, error: 1" in out
    assert main(["doctor", "--data", "coco"]) == 2


def test_without_typer_the_remedy_is_still_told(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['typer'] = None")
    result = subprocess.run(
        [sys.executable, str(PROJECT / "run_suite.py"), "doctor"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "module typer is missing: python -m pip install" in result.stderr


# A check that breaks down, hangs or crashes


@pytest.mark.parametrize("problem", [RuntimeError("two\nlines"), SystemExit(3), KeyError()])
def test_a_check_that_breaks_down_is_an_error(problem):
    def breaks() -> Finding:
        raise problem

    found = Check("this", breaks, "the remedy").run()
    assert (found.name, found.status, found.remedy) == ("this", "error", "the remedy")
    assert type(problem).__name__ in found.message and "\n" not in found.message


def stack_with(monkeypatch, modules: Path, patience: float, **sources: str) -> list[Finding]:
    modules.mkdir()
    for name, source in sources.items():
        (modules / f"{name}.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(modules))
    with child.StackChecks(patience) as checks:
        found = checks.findings()
    assert [finding.name for finding in found] == [check.name for check in stack.CHECKS]
    assert checks._child.process.returncode is not None and not Path(checks._folder.name).exists()
    return found


def test_an_import_that_hangs_is_given_up(monkeypatch, tmp_path):
    start = time.monotonic()
    hangs = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)"
    first, *others = stack_with(monkeypatch, tmp_path / "modules", 1.5, torch=hangs)
    assert first.status == "error" and "no sign of life" in first.message and first.remedy
    assert all(other.status == "warning" and "PyTorch" in other.message for other in others)
    assert time.monotonic() - start < 100  # it did not wait for the import


def test_an_import_that_crashes_is_survived(monkeypatch, tmp_path):
    crashes = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"
    first, *others = stack_with(monkeypatch, tmp_path / "modules", PATIENT, torch=crashes)
    assert first.status == "error" and "SIGSEGV" in first.message
    assert all(other.status == "warning" for other in others)


def test_what_was_found_before_a_crash_is_kept(tmp_path):
    with child.StackChecks(PATIENT) as checks:
        checks._child.stop(0.1)
        lines = [Finding("PyTorch", "ok", "fine", "", 1.0), "CPU"]
        text = [json.dumps("PyTorch"), json.dumps(vars(lines[0])), json.dumps("CPU"), '{"name": "CP']
        checks._lines.write_text("\n".join(text))
        found = checks.findings()
    assert found[0] == lines[0]
    assert [finding.status for finding in found[1:]] == ["error", *["warning"] * 4]
    assert "repair CPU first" in found[-1].remedy


# The stack, in this process


def test_operators_that_compute_something_else(monkeypatch, run):
    import mmcv

    from backbones.openmmlab import ops

    assert run(stack.operators).status == "ok"
    served = ops.install()
    import mmcv.ops

    right = mmcv.ops.nms
    with monkeypatch.context() as patch:
        patch.setattr(mmcv.ops, "nms", lambda boxes, scores, threshold: right(boxes, scores, 0.9))
        found = run(stack.operators)
        assert found.status == "error" and "nms keeps boxes [0, 1, 2]" in found.message
    right = mmcv.ops.roi_align
    with monkeypatch.context() as patch:
        patch.setattr(mmcv.ops, "roi_align", lambda *arguments: 1.01 * right(*arguments))
        assert "roi_align gives" in run(stack.operators).message
    with monkeypatch.context() as patch:
        patch.setattr(mmcv.ops, "roi_align", lambda x, *rest: right(x, *rest).detach() + 0 * x.sum())
        assert "gradient" in run(stack.operators).message
    if served:
        monkeypatch.setattr(ops._Extension, "__getattr__", lambda self, name: lambda *arguments: None)
        assert "not refused" in run(stack.operators).message


def test_the_precision_of_trainings_is_told(monkeypatch, run):
    from backbones import precision

    speeds = {192: precision.Speeds(60.0, 40.0), precision.WIDEST: precision.Speeds(70.0, 150.0)}
    monkeypatch.setattr(precision, "cpu_speeds", speeds.__getitem__)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = run(stack.precision)
    assert found.status == "ok"
    assert "in float32 at width 192 (float32 60, bf16 40 GFLOP/s on one core)" in found.message
    assert f"in bf16 at width {precision.WIDEST} (float32 70, bf16 150 GFLOP/s" in found.message
    assert str(precision.memory()) in found.message
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for supported, expected in ((True, "bf16"), (False, "float32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda supported=supported, **_: supported)
        assert f"trains in {expected} on the GPU" in run(stack.precision).message


def test_speeds_are_measured():
    assert stack.gflops() > 0.1


@pytest.mark.parametrize(
    ("build", "driver", "variables", "words", "remedy"),
    [
        (None, (13, 0), {}, "built without CUDA", "torch"),
        ("13.0", (12, 4), {}, "knows CUDA 12.4", "update the NVIDIA driver"),
        ("13.0", None, {}, "libcuda", "--gpus all"),
        ("13.0", (13, 1), {"CUDA_VISIBLE_DEVICES": ""}, "hides it", "unset CUDA_VISIBLE_DEVICES"),
        ("13.0", (13, 1), {}, "unknown error", "restart"),
    ],
)
def test_a_gpu_that_cannot_be_used(build, driver, variables, words, remedy, monkeypatch, run):
    def init() -> None:
        raise RuntimeError("CUDA unknown error")

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.setattr(torch.version, "cuda", build)
    monkeypatch.setattr(stack, "driver_cuda", lambda: driver)
    monkeypatch.setattr(stack, "nvidia_gpus", list)
    assert run(stack.gpu).status == "ok"  # without one a CPU is enough
    monkeypatch.setattr(stack, "nvidia_gpus", lambda: ["NVIDIA H100"])
    found = run(stack.gpu)
    assert found.status == "warning" and words in found.message and remedy in found.remedy
    assert "NVIDIA H100" in found.message


def test_a_gpu_is_tried(monkeypatch, run):
    def fake(product) -> SimpleNamespace:
        card = SimpleNamespace(name="NVIDIA H100", total_memory=80 << 30)
        cuda = SimpleNamespace(device_count=lambda: 1, get_device_properties=lambda index: card)
        return SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda="13.0"), ones=product)

    def no_kernel(*shape: int, device: str) -> torch.Tensor:
        raise RuntimeError("CUDA error: no kernel image is available")

    monkeypatch.setattr(stack, "driver_cuda", lambda: (13, 1))
    right = run(stack._usable_gpus, fake(lambda *shape, device: torch.ones(*shape)))
    assert right.status == "ok" and right.message.startswith(
        "NVIDIA H100, 80 GiB; PyTorch's CUDA 13.0, driver"
    )
    assert "driver's CUDA 13.1" in right.message
    for product, words in ((no_kernel, "no kernel image"), (lambda *s, device: torch.zeros(*s), "wrongly")):
        found = run(stack._usable_gpus, fake(product))
        assert found.status == "error" and words in found.message and "CUDA_VISIBLE_DEVICES" in found.remedy


def test_nvidia_smi_is_asked(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100'\necho 'NVIDIA H200'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert stack.nvidia_gpus() == ["NVIDIA H100", "NVIDIA H200"]
