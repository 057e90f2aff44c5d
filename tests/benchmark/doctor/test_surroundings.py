"""The checks of what is installed and of what a run needs, each made to fail."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from benchmark.doctor import findings, installation, resources
from common import machine

# What is installed


def test_python_of_another_version(monkeypatch, run):
    assert run(installation.python).status == "ok"
    for version in ("3.9.18", "3.13.0"):
        monkeypatch.setattr(installation.platform, "python_version", lambda version=version: version)
        found = run(installation.python)
        assert found.status == "error" and version in found.message and "make env" in found.remedy


def test_packages_missing_and_old(monkeypatch, tmp_path, run, fake_distribution):
    assert run(installation.packages).status == "ok"
    fake_distribution(tmp_path, "torch", "2.4.0+cpu")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = run(installation.packages)
    assert found.status == "error" and "torch is 2.4.0+cpu" in found.message
    assert found.remedy.startswith("python -m pip install 'torch") and "timm" not in found.remedy
    for name in ("timm", "nltk", "pandas", "scipy"):
        fake_distribution(tmp_path, name, "0.1")
    assert run(installation.packages).remedy == findings.REINSTALL


def test_ranges_come_from_the_installed_project_where_there_is_no_pyproject(tmp_path, monkeypatch):
    info = tmp_path / "catlip_transfer-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: catlip-transfer\nVersion: 0.1.0\nRequires-Python: >=3.10,<3.13\n"
        "Requires-Dist: torch>=2.9\nRequires-Dist: pytest>=8; extra == 'test'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    needs = installation.declared(tmp_path)
    assert [str(need) for need in needs.packages] == ["torch>=2.9"] and "3.12" in needs.python
    ours = installation.declared()
    assert {need.name for need in ours.packages} >= {"torch", "onedl-mmcv", "typer"}


@pytest.mark.parametrize("name", ["mmcv", "mmcv-lite", "mmdet", "mmsegmentation", "mmengine"])
def test_upstream_beside_the_forks(name, monkeypatch, tmp_path, run, fake_distribution):
    assert run(installation.forks).status == "ok"
    fake_distribution(tmp_path, name, "2.2.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = run(installation.forks)
    fork = installation.UPSTREAM[name]
    assert found.status == "error" and f"uninstall -y {name} &&" in found.remedy
    assert f"--no-deps '{fork}>=" in found.remedy or f"--no-deps '{fork}<" in found.remedy


def test_variables_that_spoil_things(monkeypatch, run):
    for name in (*installation._THREADS, *installation._CAPS, "CUDA_LAUNCH_BLOCKING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    assert run(installation.environment).status == "ok"
    for name, value in (
        ("OMP_NUM_THREADS", "1"),
        ("MKL_NUM_THREADS", "64"),
        ("ATEN_CPU_CAPABILITY", "default"),
        ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            found = run(installation.environment)
            assert found.status == "warning" and found.remedy == f"unset {name}"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    assert run(installation.environment).status == "ok"  # two cores: others may need the second


# What a run needs


Usage = namedtuple("Usage", "total used free")


def test_little_disk_and_memory(monkeypatch, tmp_path, run):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, 1 << 40, 3 << 30))
    found = run(resources.disk, tmp_path / "new")
    assert found.status == "warning" and "3.0 GiB" in found.message and str(tmp_path) in found.message
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, 0, 1 << 40))
    assert run(resources.disk, tmp_path).status == "ok"
    for free, status in ((1 << 30, "warning"), (64 << 30, "ok"), (None, "ok")):
        monkeypatch.setattr(resources, "available_memory", lambda free=free: free)
        assert run(resources.memory).status == status


def test_memory_of_a_container_counts(monkeypatch, tmp_path):
    free = machine.available_memory()
    assert free is None or 0 < free < 1 << 50
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine.available_memory() == 3000
    # what was read and can be forgotten is free
    (tmp_path / "memory.stat").write_text("anon 5000\nactive_file 100\ninactive_file 400\n")
    assert machine.available_memory() == 3500


def test_results_that_cannot_be_written(tmp_path, run):
    assert run(resources.write_access, tmp_path).status == "ok"
    assert run(resources.write_access, tmp_path / "a" / "b").status == "ok"
    (tmp_path / "file").write_text("kept")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for path in ("file", "file/results", "dangling"):
        found = run(resources.write_access, tmp_path / path)
        assert found.status == "error" and "no folder" in found.message
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dangling", "file"]
    if Path("/proc/self").is_dir():
        assert run(resources.write_access, Path("/proc/self")).status == "error"


def test_a_broken_lexicon(monkeypatch, tmp_path, run):
    from pretraining.labels import lexicon, synsets

    assert run(resources.lexicon).status == "ok"
    with monkeypatch.context() as patch:
        read = lexicon.read_table
        patch.setattr(synsets, "read_table", lambda name: read(name).replace(" dog ", " dig "))
        assert run(resources.lexicon).status == "error"
    with monkeypatch.context() as patch:
        content = (Path(lexicon.__file__).parent / lexicon.NOUNS).read_bytes()
        (tmp_path / lexicon.NOUNS).write_bytes(content[:5000])
        patch.setattr(lexicon, "__file__", str(tmp_path / "__init__.py"))
        found = run(resources.lexicon)
        assert found.status == "error" and "LZMAError" in found.message
    with monkeypatch.context() as patch:
        patch.setitem(resources.KNOWN_SYNSETS, "dog.n.01", 2083346)  # canine.n.02
        found = run(resources.lexicon)
        assert found.status == "error" and "dog.n.01 is 2084071" in found.message


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")


def draw(kind: str, root: Path) -> list[Path]:
    """Files that make a folder look like the data set; each of them is needed."""
    files = {
        "imagenet1k": ["train/n01/a.JPEG", "val/n01/a.JPEG"],
        "coco": [
            *("annotations/instances_train2017.json", "annotations/instances_val2017.json"),
            *("train2017/1.jpg", "val2017/2.jpg"),
        ],
        "ade20k": [
            f"{folder}/{split}/a{suffix}"
            for folder, suffix in (("images", ".jpg"), ("annotations", ".png"))
            for split in ("training", "validation")
        ],
        "pairs": ["train/00000.tar"],
    }
    touch(*(paths := [root / file for file in files[kind]]))
    return paths


@pytest.mark.parametrize("kind", ["imagenet1k", "coco", "ade20k", "pairs"])
def test_data_folders(kind, tmp_path, run):
    def look(name: str, path: Path) -> findings.Finding:
        return run(resources.data_folder, name, path, tmp_path / "results")

    assert look(kind, tmp_path / kind).status == "error"
    files = draw(kind, tmp_path / kind)
    for name in (kind, f"demo_{kind}", "mine"):
        assert look(name, tmp_path / kind).status == "ok"
    found = look(kind, tmp_path)
    assert found.status == "error" and f"--data {kind}={tmp_path / kind}" in found.remedy
    for file in files:
        file.unlink()
        assert look(kind, tmp_path / kind).status == "error"
        touch(file)
    assert look("mine", tmp_path).status == "warning"


def test_data_that_a_suite_draws_are_drawn_by_its_command(tmp_path, run):
    for name, command in (("demo_coco", "python run_suite.py prepare demo"), ("coco", "--data coco=PATH")):
        found = run(resources.data_folder, name, tmp_path / "gone", tmp_path)
        assert found.status == "error" and command in found.remedy
