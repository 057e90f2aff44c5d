"""What the suite does on one GPU: whether it is right, how fast, how much memory. At most eight minutes.

    python tests/performance/gpu_check.py [results/gpu_check.json]      # or: make gpu-check

Parts, each a process of its own with its own share of the time, so that one that fails or hangs spoils no
other: the machine; float32 against the CPU; training steps of ViT-B/16 in bf16 under CatLIP and CLIP, of the
bare ViT and of OpenCLIP's own (images per second, MFU, memory, largest batch, phases); an iteration of Mask
R-CNN and one of DeepLabv3 at the paper's size; the smoke suite; steps with compiled blocks; a linear probe
of ImageNet-1k's size. The file is written after every part; those that ``--only`` leaves out keep what an
earlier call found, if it was on the same card. Exit code 1: a part failed (its ``error`` says why); 2: there
is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from common.errors import first_line
from common.files import read_json, tail, write_json
from common.machine import cores
from common.processes import end_with_parent

ROOT = Path(__file__).parents[2]
Note = Callable[[str, Any], None]
"""Told of each figure as soon as there is one."""
LIMIT = 480
"""Seconds that all parts may take together."""
BUDGETS = {
    "machine": 30,
    "float32": 30,
    "speed": 115,
    "mask_rcnn": 35,
    "deeplabv3": 30,
    "smoke": 125,
    "compiled": 45,
    "probe": 60,
}
"""Seconds that each part may take."""
TARGET = {"card": "H100", "model": "ViT-B/16 at 224 px", "mfu": 0.4, "images_per_second": 3750}
"""What is aimed at; no figure here was measured."""
PEAKS = {
    r"NVIDIA H100 \d+GB HBM3": 989.4e12,  # SXM
    r"NVIDIA H100 PCIe": 756e12,
    r"NVIDIA H200": 989.4e12,
    r"NVIDIA A100(-SXM4|-PCIE)-\d+GB|NVIDIA A100 \d+GB PCIe": 312e12,
    r"NVIDIA L4": 121e12,
    r"NVIDIA L40S": 362e12,
    r"NVIDIA GeForce RTX 4090": 165.2e12,
}
"""FLOPs per second in dense bf16 by the vendor's data sheets, by the whole name that torch says."""


def peak_flops(name: str) -> float | None:
    """The most a card can do in bf16; None for one that is not in the table, or a slice (MIG) of one."""
    return next((peak for pattern, peak in PEAKS.items() if re.fullmatch(pattern, name)), None)


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures depend on."""
    from benchmark.speed import study  # heavy: not for the process that starts the parts

    facts = study.machine(device) | {"peak_bf16_flops": None}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "peak_bf16_flops": peak_flops(properties.name),
            "multiprocessors": properties.multi_processor_count,
            "tf32": {  # PyTorch's defaults, which the suite leaves as they are
                "convolutions": torch.backends.cudnn.allow_tf32,
                "products": torch.backends.cuda.matmul.allow_tf32,
            },
        }
    return facts


def smoke(results: Path, seconds: float, note: Note, command: list[str] | None = None) -> None:
    """Run the smoke suite, on whatever device it finds, and note what it has left.

    Args:
        results: folder to write into.
        seconds: when to give up.
        note: told of it.
        command: that runs it; default the suite's own.

    Raises:
        RuntimeError: it failed; the message is its last line.
    """
    # Its cells are small beside the time that their processes take to start.
    jobs = ["--jobs", str(min(4, cores()))]
    own = [sys.executable, "run_suite.py", "--suite", "smoke", "--results", str(results), *jobs]
    command = command or own
    printed = results.with_suffix(".log")
    begin, code = time.perf_counter(), None
    # Into a file, because a pipe is held open by whatever the suite has started.
    with printed.open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(seconds)
        if code is None:
            process.terminate()  # asked, it stops what it has started; killed, it would leave that on the GPU
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()
    note("suite_seconds", round(time.perf_counter() - begin, 1))
    for key, value in left_by(results / "smoke").items():
        note(key, value)
    if code is None:
        raise RuntimeError(f"not done after {seconds:.0f} seconds")
    if code:
        raise RuntimeError(f"exit code {code}: {last_line(printed)}")


def last_line(log: Path) -> str:
    """What a program has said last."""
    return (tail(log, 1) or ["nothing was said"])[0].strip()[:160]


def left_by(suite: Path) -> dict[str, Any]:
    """What a suite's folder says of its cells and pre-trainings, and on what device each ran."""
    cells, pretraining = {}, {}
    for path in sorted(suite.glob("*/*/seed0/record.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        figure = record["metrics"].get(record.get("primary"), {}).get("value")
        device = (record.get("environment") or {}).get("device")
        cells["/".join(path.parts[-4:-2])] = {"status": record["status"], "value": figure, "device": device}
    for path in sorted(suite.glob("pretrain/*/backbone.json")):
        card = json.loads(path.read_text(encoding="utf-8"))
        kept = {name: card["cost"][name] for name in ("images_per_second", "precision", "peak_memory_bytes")}
        pretraining[path.parent.name] = {**kept, "device": card["environment"]["device"]}
    return {"cells": cells, "pretraining": pretraining}


def run_part(
    name: str, quick: bool, device: torch.device, deadline: float, scratch: Path, note: Note
) -> None:
    """One part, in this process; what it finds is noted as soon as it is found."""
    if name == "machine":
        for key, value in machine(device).items():
            note(key, value)
        return
    if name == "smoke":
        smoke(scratch / "results", deadline - 20 - time.time(), note)
        return
    if name == "probe":
        import gpu_probe

        gpu_probe.probe(quick, device, note)
        return
    import gpu_dense
    import gpu_steps

    geometry = gpu_steps.MINIATURE if quick else gpu_steps.PAPER
    if name == "float32":
        gpu_steps.compare_float32(geometry, device, note)
    elif name in ("speed", "compiled"):
        part = getattr(gpu_steps, name)
        part(geometry, device, machine(device)["peak_bf16_flops"], note)
    else:
        gpu_dense.iteration(name, quick, device, note)


def child(name: str, quick: bool, device: torch.device, deadline: float, out: Path) -> int:
    """Run a part, keeping in `out` what it has found so far, and in the end what went wrong.

    Returns:
        The exit code: 0, or 1 where it failed.
    """
    found: dict[str, Any] = {}

    def note(key: str, value: Any) -> None:
        found[key] = value
        write_json(out, found)

    try:
        run_part(name, quick, device, deadline, out.parent, note)
    except Exception as error:  # whatever it is, it is this part's alone
        note("error", f"{type(error).__name__}: {first_line(error)}")
        return 1
    note("error", None)
    return 0


def in_its_own_process(command: list[str], out: Path, seconds: float) -> dict[str, Any]:
    """Run `child` and return what it found, with ``seconds`` and ``error`` (None if all is well).

    Args:
        command: that runs it.
        out: the file that it writes.
        seconds: it is ended, with all that it started, when these are over.
    """
    begin = time.perf_counter()
    log = out.with_suffix(".log")
    code: int | None = None
    with log.open("w") as printed:  # MMEngine tells of every parameter
        process = subprocess.Popen(command, cwd=ROOT, stdout=printed, stderr=printed, start_new_session=True)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError):  # whatever it has started and left running goes with it
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    found = read_json(out) or {}
    error = found.pop("error", None)
    if code is None:
        error = f"ended after its {seconds:.0f} seconds"
    elif code and not error:
        error = f"exit code {code}: {last_line(log)}"
    return {"error": error, "seconds": round(time.perf_counter() - begin, 1), **found}


def check(parts: list[str], options: list[str], out: Path, facts: dict[str, Any]) -> int:
    """Run parts one after the other, and write what they found.

    Args:
        parts: keys of `BUDGETS`.
        options: for every child.
        out: the file.
        facts: what it says beside the parts.

    Returns:
        The exit code: 1 if a part failed.
    """
    begin = time.perf_counter()
    earlier = (read_json(out) or {}).get("parts", {})
    found: dict[str, dict[str, Any]] = {}
    parts = list(dict.fromkeys(["machine", *parts]))  # which says whose figures an earlier file holds
    for number, name in enumerate(parts, 1):
        print(f"[{number}/{len(parts)}] {name} (at most {BUDGETS[name]} s)", flush=True)
        seconds = min(BUDGETS[name], max(1.0, LIMIT - 10 - (time.perf_counter() - begin)))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            kept = Path(scratch) / f"{name}.json"
            words = ["--part", name, "--deadline", str(time.time() + seconds), *options, str(kept)]
            found[name] = in_its_own_process([sys.executable, __file__, *words], kept, seconds)
        found[name] = {"date": now(), **found[name]}
        before, here = earlier.get("machine", {}), found["machine"]
        same = all(before.get(key) == here.get(key) for key in ("device", "torch"))
        others = {key: value for key, value in earlier.items() if key in BUDGETS and same}
        written = {key: {**others, **found}[key] for key in BUDGETS if key in others or key in found}
        failed = [key for key, part in written.items() if part["error"]]
        took = round(time.perf_counter() - begin, 1)
        write_json(out, {**facts, "seconds": took, "failed": failed, "parts": written})
        print(f"    {found[name]['error'] or 'done'}, {found[name]['seconds']} s", flush=True)
    print(f"{out}: {len(written) - len(failed)} of {len(written)} parts are done", flush=True)
    return 1 if any(part["error"] for part in found.values()) else 0


def shown(word: str) -> str:
    """A word of the command line as others can use it: a file of this machine by its name alone."""
    return Path(word).name if Path(word).is_absolute() else word


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def main(arguments: list[str] | None = None) -> int:
    """The command; see the module's documentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=ROOT / "results" / "gpu_check.json")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try this script")
    parser.add_argument("--quick", action="store_true", help="miniature sizes: the figures mean nothing")
    parser.add_argument("--only", nargs="+", choices=BUDGETS, default=list(BUDGETS), help="parts to run")
    parser.add_argument("--part", choices=BUDGETS, help=argparse.SUPPRESS)
    parser.add_argument("--deadline", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("there is no GPU that PyTorch can use: nothing was measured", file=sys.stderr)
        return 2
    if given.part:
        end_with_parent()
        return child(given.part, given.quick, device, given.deadline, given.out)
    options = ["--device", given.device, *(["--quick"] if given.quick else [])]
    # Nothing of the machine is asked here: what this process held on the GPU would be missed by the parts.
    words = map(shown, arguments or sys.argv[1:])
    facts = {
        "date": now(),
        "command": shlex.join(["python", "tests/performance/gpu_check.py", *words]),
        "miniature": given.quick,
        "target": TARGET,
    }
    return check(given.only, options, given.out.resolve(), facts)


if __name__ == "__main__":
    sys.exit(main())
