"""On what machine and software a measurement was made. Light: no torch until asked about a device."""

from __future__ import annotations

import os
import platform
import resource
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


_CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores this process may use: fewer than the machine's, inside a batch job."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def launched() -> bool:
    """Whether this process is one of several that train together (torchrun says it)."""
    return "LOCAL_RANK" in os.environ


def world_size() -> int:
    """How many processes train together, known before they have found each other."""
    return int(os.environ.get("WORLD_SIZE", 1)) if launched() else 1


def available_memory() -> int | None:
    """Bytes that can still be had, by the system and by the control group (a container's limit)."""
    limits = []
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        limits.append(int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) << 10)
    with suppress(OSError, ValueError):  # "max" where there is no limit
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        with suppress(OSError):  # files that were read and can be forgotten
            rows = map(str.split, (_CGROUP / "memory.stat").read_text().splitlines())
            used -= sum(int(value) for key, value in rows if key in {"active_file", "inactive_file"})
        limits.append(max(0, limit - used))
    return min(limits, default=None)


def cores_with_memory(bytes_each: int) -> int:
    """As many of the cores as memory has room for, at so many bytes each; at least one."""
    memory = available_memory()
    return cores() if memory is None else min(cores(), max(1, memory // bytes_each))


def forget_peak_memory(device: torch.device) -> None:
    """Begin to watch the GPU's memory anew; a process's resident peak cannot be forgotten."""
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_bytes(device: torch.device) -> int:
    """Most memory held so far: allocated on the GPU, or resident in this process."""
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device)
    return peak_resident_bytes()


def peak_resident_bytes() -> int:
    """Most memory that this process has held so far, outside of any GPU."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def software(device: torch.device) -> dict[str, Any]:
    """Versions and hardware that a measurement depends on."""
    import timm
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "timm": timm.__version__,
        **{name: package_version(name) for name in ("pillow", "simplejpeg")},  # what pictures are decoded by
        "device": name,
        "threads": torch.get_num_threads(),
    }


def package_version(package: str) -> str | None:
    """The version of an installed package, without importing it; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """Name of the CPU."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
