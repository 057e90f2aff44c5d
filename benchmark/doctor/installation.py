"""Checks of what is installed: Python, the packages and their versions, and who overwrites whom.

Versions are read from metadata and modules are only looked for, so that nothing heavy or broken is imported.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmark.doctor.findings import REINSTALL, Finding, error, ok, warning
from common import PROJECT
from common.machine import cores

if TYPE_CHECKING:  # packaging may be what is missing
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

PROJECT_NAME = "catlip-transfer"

MODULES = {
    "open_clip_torch": "open_clip",
    "onedl-mmengine": "mmengine",
    "onedl-mmcv": "mmcv",
    "onedl-mmdetection": "mmdet",
    "onedl-mmsegmentation": "mmseg",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
}
"""Distribution -> the module it brings, where that is not its name with underscores."""

UPSTREAM = {
    "mmengine": "onedl-mmengine",
    "mmengine-lite": "onedl-mmengine",
    "mmcv": "onedl-mmcv",
    "mmcv-full": "onedl-mmcv",
    "mmcv-lite": "onedl-mmcv",
    "mmdet": "onedl-mmdetection",
    "mmsegmentation": "onedl-mmsegmentation",
}
"""OpenMMLab's own distributions -> the maintained fork that writes the same files."""

_MANY = 4  # more packages than this are repaired by installing the project again
_MANY_CORES = 4
_CAPS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Needs(NamedTuple):
    """What the project declares: a range of Python versions and of every package's."""

    python: SpecifierSet
    packages: list[Requirement]


def declared(project: Path = PROJECT) -> Needs:
    """The ranges of ``pyproject.toml``, or of the installed project where that cannot be read.

    Raises:
        importlib.metadata.PackageNotFoundError: the project is not installed either.
    """
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    try:
        import tomllib  # Python 3.11

        table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        python, packages = table["requires-python"], table["dependencies"]
    except (ModuleNotFoundError, FileNotFoundError):
        installed = metadata.metadata(PROJECT_NAME)
        python, packages = installed["Requires-Python"], installed.get_all("Requires-Dist") or []
    requirements = map(Requirement, packages)
    wanted = [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
    return Needs(SpecifierSet(python), wanted)


def python() -> Finding:
    """Whether this Python is one that the packages are made for."""
    version, needed = platform.python_version(), declared().python
    if needed.contains(version, prereleases=True):
        return ok(f"{version}, needed {needed}")
    return error(
        f"{version} is not one of {needed}",
        "rm -rf .venv && make env PYTHON=/path/to/python3.11",
    )


def packages() -> Finding:
    """Whether every package is there, in a version that works with the others, with its module."""
    problems, wanted, lost = [], [], []
    needs = declared().packages
    for need in needs:
        module = MODULES.get(need.name, need.name.replace("-", "_"))
        requirement = f"'{need.name}{need.specifier}'"
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            problems.append(f"{need.name} is missing")
            wanted.append(requirement)
        else:
            if not need.specifier.contains(version, prereleases=True):
                problems.append(f"{need.name} is {version}, needed {need.specifier}")
                wanted.append(requirement)
            elif not _is_there(module):
                problems.append(f"module {module} is missing, though {need.name} {version} is installed")
                lost.append(requirement)
    if not problems:
        return ok(f"{len(needs)} packages in the versions that work together")
    repairs = []
    if wanted:
        few = len(wanted) <= _MANY
        repairs.append(f"python -m pip install {' '.join(wanted)}" if few else REINSTALL)
    if lost:  # pip takes them for installed
        repairs.append(f"python -m pip install --force-reinstall --no-deps {' '.join(lost)}")
    return error("; ".join(problems), " && ".join(repairs))


def forks() -> Finding:
    """Whether OpenMMLab's own packages stand beside the forks, whose files they overwrite."""
    upstream = [name for name in UPSTREAM if _installed(name)]
    if not upstream:
        return ok("OpenMMLab's maintained forks (onedl-*) alone")
    specifiers = {need.name: need.specifier for need in declared().packages}
    hurt = dict.fromkeys(UPSTREAM[name] for name in upstream)
    again = " ".join(f"'{fork}{specifiers.get(fork, '')}'" for fork in hurt)
    return error(
        f"{', '.join(upstream)} and {', '.join(hurt)} write the same files: what is imported is a mixture",
        f"python -m pip uninstall -y {' '.join(upstream)} && "
        f"python -m pip install --force-reinstall --no-deps {again}",
    )


def environment() -> Finding:
    """Environment variables that make things slow or unsafe."""
    available = cores()
    problems = {}
    for name in _THREADS:
        threads = os.environ.get(name, "").strip()
        if threads == "1" and available >= _MANY_CORES:
            problems[name] = f"{name}=1 leaves {available - 1} of {available} cores idle"
        elif threads.isdigit() and int(threads) > 2 * available:
            problems[name] = f"{name}={threads} is far more than the {available} cores there are"
    for name in _CAPS:
        if value := os.environ.get(name):
            problems[name] = f"{name}={value} keeps PyTorch from the processor's fast instructions"
    if os.environ.get("CUDA_LAUNCH_BLOCKING", "0") not in {"", "0"}:
        problems["CUDA_LAUNCH_BLOCKING"] = "CUDA_LAUNCH_BLOCKING makes a GPU wait for every kernel"
    unsafe = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    if os.environ.get(unsafe, "0").lower() in {"1", "y", "yes", "true"}:
        problems[unsafe] = f"{unsafe} lets libraries run the code in other people's checkpoints"
    if not problems:
        return ok("no variable that slows or endangers a run")
    return warning("; ".join(problems.values()), f"unset {' '.join(problems)}")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
