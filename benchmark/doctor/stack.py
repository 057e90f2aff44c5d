"""Checks that import PyTorch and the frameworks: in a child process, see `benchmark.doctor.child`."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.doctor.findings import REINSTALL, Check, Finding, error, ok, warning
from common.errors import one_line
from common.machine import cores

if TYPE_CHECKING:
    import torch

_SIZE = 768  # of the matrices multiplied: 0.9 GFLOP, at most half a second even without vector instructions
_SECONDS = 0.2  # that a speed is measured for
_CUDA_RETURNED = 0
_PURE_MMCV = "python -m pip install --force-reinstall --no-deps --no-cache-dir onedl-mmcv"
"""Without compiled operators, so that torchvision's serve."""


def pytorch() -> Finding:
    """Whether PyTorch can be imported and multiplies correctly. Nothing else can be tried without it."""
    import torch

    numbers = torch.arange(64).reshape(8, 8)
    if not torch.equal(numbers.float() @ numbers.float(), (numbers @ numbers).float()):
        return error(f"PyTorch {torch.__version__} multiplies matrices wrongly", REINSTALL_TORCH)
    return ok(f"PyTorch {torch.__version__}")


REINSTALL_TORCH = f"python -m pip uninstall -y torch torchvision && {REINSTALL}"


def blas() -> Finding:
    """What multiplies matrices on the CPU, and its speed."""
    import torch

    from backbones.precision import bf16_unit

    has = [
        name
        for name, there in (("MKL", torch.backends.mkl), ("oneDNN", torch.backends.mkldnn))
        if there.is_available()
    ]
    libraries = " + ".join(has) or "no BLAS"
    return ok(
        f"{torch.get_num_threads()} threads on {cores()} cores, {libraries}, {bf16_unit()}: "
        f"float32 {gflops():.0f} GFLOP/s"
    )


def gflops() -> float:
    """Best speed of a square matrix product on the CPU, in 10^9 floating-point operations per second."""
    import torch

    first, second = torch.ones(2, _SIZE, _SIZE)
    first[:256, :256] @ second[:256, :256]  # starts the threads and loads the kernels
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while (start := time.perf_counter()) < end:
        first @ second
        best = min(best, time.perf_counter() - start)
    return 2 * _SIZE**3 / best / 1e9


def gpu() -> Finding:
    """The GPUs PyTorch can use; one that is there but cannot be used is a warning."""
    import torch

    build = torch.version.cuda
    if torch.cuda.is_available():
        return _usable_gpus(torch)
    present = nvidia_gpus()
    if not present:
        return ok("none: a CPU is enough for small suites")
    there = f"{', '.join(present)} cannot be used"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in {"", "-1"}:
        return warning(f"{there}: CUDA_VISIBLE_DEVICES={hidden!r} hides it", "unset CUDA_VISIBLE_DEVICES")
    if build is None:
        return warning(f"{there}: PyTorch {torch.__version__} is built without CUDA", REINSTALL_TORCH)
    driver = driver_cuda()
    if driver is None:
        return warning(
            f"{there}: the driver's libcuda.so.1 is not found",
            "install the NVIDIA driver; in a container, start it with --gpus all",
        )
    if driver < tuple(map(int, build.split("."))):
        version = ".".join(map(str, driver))
        return warning(
            f"{there}: the driver knows CUDA {version}, PyTorch {torch.__version__} needs {build}",
            f"update the NVIDIA driver, or install a PyTorch built for CUDA {version} (see pytorch.org)",
        )
    reason = "PyTorch gives no reason"
    try:
        torch.cuda.init()
    except Exception as problem:
        reason = one_line(problem)
    return warning(
        f"{there}: {reason}", "restart the machine or reload the driver (nvidia-smi -q shows its state)"
    )


def _usable_gpus(torch) -> Finding:
    names = []
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        try:
            ones = torch.ones(64, 64, device=f"cuda:{index}")
            product = (ones @ ones).cpu()
        except RuntimeError as problem:
            return error(
                f"cuda:{index}, {device.name}, computes nothing: {one_line(problem)}",
                "export CUDA_VISIBLE_DEVICES='', or install a PyTorch built for it (see pytorch.org)",
            )
        if not bool((product == 64).all()):
            return error(
                f"cuda:{index}, {device.name}, multiplies wrongly",
                "export CUDA_VISIBLE_DEVICES='' and have the card looked at",
            )
        names.append(f"{device.name}, {device.total_memory / (1 << 30):.0f} GiB")
    driver = driver_cuda()
    knows = f", driver's CUDA {'.'.join(map(str, driver))}" if driver else ""
    return ok(f"{'; '.join(names)}; PyTorch's CUDA {torch.version.cuda}{knows}")


def nvidia_gpus() -> list[str]:
    """GPUs of NVIDIA that are in the machine, whether or not PyTorch can use them."""
    if program := shutil.which("nvidia-smi"):
        with suppress(OSError, subprocess.TimeoutExpired):
            answer = subprocess.run(
                [program, "--query-gpu=name", "--format=csv,noheader"],
                capture_output=True,
                text=True,
                timeout=5,
            )
            if answer.returncode == 0 and answer.stdout.strip():
                return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    return [str(path) for path in sorted(Path("/dev").glob("nvidia[0-9]*"))]


def driver_cuda() -> tuple[int, int] | None:
    """The newest CUDA the installed driver serves, as (major, minor); None without a driver."""
    version = ctypes.c_int()
    try:
        returned = ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return None
    # 13010 is CUDA 13.1
    return divmod(version.value // 10, 100) if returned == _CUDA_RETURNED and version.value else None


def precision() -> Finding:
    """What trainings get that leave their precision to the machine, and the speeds that decided it."""
    import torch

    from backbones.architectures import ARCHITECTURES
    from backbones.precision import WIDEST, cpu_speeds, memory, resolve

    if torch.cuda.is_available():
        return ok(f"'auto' trains in {resolve('auto', 'cuda')} on the GPU")
    found = []
    for width in (ARCHITECTURES["vit_mini_conv16"].embed_dim, WIDEST):
        float32, bf16 = cpu_speeds(width)
        found.append(
            f"in {resolve('auto', 'cpu', width)} at width {width} "
            f"(float32 {float32:.0f}, bf16 {bf16:.0f} GFLOP/s on one core)"
        )
    return ok(f"'auto' trains {', '.join(found)} and above; remembered in {memory()}")


def operators() -> Finding:
    """Whose operators serve Mask R-CNN, and whether they compute what they should."""
    import torch

    from backbones.openmmlab import ops

    by_torchvision = ops.install()
    whose = "torchvision's kernels" if by_torchvision else "compiled mmcv"
    from mmcv.ops import nms, roi_align

    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        if wrong := _wrong_operator(torch.device(device), nms, roi_align):
            return error(f"{whose} on {device}: {wrong}", REINSTALL_TORCH if by_torchvision else _PURE_MMCV)
    if by_torchvision:
        try:
            sys.modules[ops.NAME].sigmoid_focal_loss_forward()
        except NotImplementedError:
            return ok(
                f"{whose}: nms and roi_align as expected on {' and '.join(devices)}; others are refused"
            )
        return error(
            "an operator that is not there was not refused", "git checkout -- backbones/openmmlab/ops.py"
        )
    return ok(f"{whose}: nms and roi_align as expected on {' and '.join(devices)}")


def _wrong_operator(device: torch.device, nms, roi_align) -> str | None:
    """What is wrong with the results on a tiny input, or None."""
    import torch

    # The second box overlaps the first by 81 / 119, the third stands alone.
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]], device=device)
    _, kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7], device=device), 0.5)
    if kept.tolist() != [0, 2]:
        return f"nms keeps boxes {kept.tolist()} instead of [0, 2]"
    # A region as large as the map, cut in four: each value is the mean of its quarter's four pixels.
    features = torch.arange(16.0, device=device).reshape(1, 1, 4, 4).requires_grad_()
    regions = torch.tensor([[0.0, 0, 0, 4, 4]], device=device)
    pooled = roi_align(features, regions, (2, 2), 1.0, 2, "avg", True)
    expected = torch.tensor([[2.5, 4.5], [10.5, 12.5]], device=device)
    if not torch.allclose(pooled[0, 0], expected, atol=1e-5):
        return f"roi_align gives {pooled[0, 0].tolist()} instead of {expected.tolist()}"
    pooled.sum().backward()
    if not torch.allclose(features.grad, torch.full_like(features, 0.25), atol=1e-5):
        return f"roi_align's gradient is {features.grad.flatten().tolist()} instead of 0.25 everywhere"
    return None


def frameworks() -> Finding:
    """Whether the frameworks take the suite's backbones: OpenMMLab's registries, timm and open_clip."""
    import mmdet
    import mmengine
    import mmseg
    import open_clip
    import timm

    import backbones.openmmlab  # noqa: F401  registers with MMDetection and MMSegmentation

    modules = (timm, open_clip, mmengine, mmdet, mmseg)
    return ok(", ".join(f"{module.__name__} {module.__version__}" for module in modules))


CHECKS = (
    Check("PyTorch", pytorch, REINSTALL_TORCH),
    Check("CPU", blas, REINSTALL),
    Check("GPU", gpu, REINSTALL_TORCH),
    Check("precision", precision, REINSTALL_TORCH),
    Check("operators", operators, REINSTALL_TORCH),
    Check("frameworks", frameworks, REINSTALL),
)
"""In the order they run; what comes after `pytorch` needs it."""
