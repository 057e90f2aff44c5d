"""Energy that the machine says it has used: RAPL of Intel's and AMD's processors, NVML of NVIDIA's GPUs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


class Meter:
    """Sums the counters that can be read: of whole packages and GPUs, whoever uses them.

    Attributes:
        sources: what is counted, ``package-0``, ``NVIDIA H100 ...``; empty where nothing can be read.
    """

    def __init__(self, powercap: Path = POWERCAP, gpu: bool = True) -> None:
        self.sources: list[str] = []
        self._counters: list[tuple[Path, int]] = []
        self._last: list[int] = []
        self._total = 0.0
        # Packages alone: the zones below them (cores, memory controllers) are parts of them.
        for zone in sorted(powercap.glob("*-rapl:?")):
            with suppress(OSError, ValueError):  # only root may read them on many machines
                name = (zone / "name").read_text().strip()
                if name == "psys":  # the whole machine, its packages included
                    continue
                most = int((zone / "max_energy_range_uj").read_text())
                self._last.append(int((zone / "energy_uj").read_text()))
                self._counters.append((zone / "energy_uj", most))
                self.sources.append(name)
        self._gpu = _gpu_counter() if gpu else None
        if self._gpu:
            self.sources.append(self._gpu[0])

    def __bool__(self) -> bool:
        return bool(self.sources)

    def joules(self) -> float:
        """Since some moment before this was made; counters that began anew are followed.

        A counter is to be read more often than once around: every half hour or so.
        """
        for number, (path, most) in enumerate(self._counters):
            now = int(path.read_text())
            self._total += (now - self._last[number]) % (most + 1) / 1e6
            self._last[number] = now
        return self._total + (self._gpu[1]() if self._gpu else 0.0)


def _gpu_counter():
    """Name and counter (joules since the driver was loaded) of the GPU in use; None where there is none."""
    import torch

    if not torch.cuda.is_available():
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # no NVML, or a GPU older than Volta: its errors share no class with a missing package
        return None
    name = torch.cuda.get_device_name()
    return name, lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
