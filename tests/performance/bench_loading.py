"""What loading and wrapping a backbone cost: against reading the bytes, and against timm's own forward pass.

python tests/performance/bench_loading.py [ARCHITECTURE]

Loading ViT-B from safetensors is to cost no more than 1.5 times reading the file's bytes into tensors, and
the wrapper's forward pass to be within 2 % of timm's own. Alternating rounds; medians are compared.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file

from backbones import load_backbone
from backbones.card import Card
from backbones.checkpoints import run

ROUNDS = 9


def seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def compare(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Median time of each, measured in turns; the first round warms up."""
    times = [(seconds(first), seconds(second)) for _ in range(ROUNDS + 1)][1:]
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def read_bytes(path: Path) -> torch.Tensor:
    """The file's bytes in a tensor's memory, and nothing more."""
    buffer = torch.empty(path.stat().st_size, dtype=torch.uint8)
    with path.open("rb", buffering=0) as file:
        view = memoryview(buffer.numpy())
        done = 0
        while done < len(view):
            done += file.readinto(view[done:])
    return buffer


def load_tensors(path: Path) -> int:
    """What safetensors makes of the file; it maps the file, so every byte is copied to have been read."""
    return sum(tensor.clone().numel() for tensor in load_file(path).values())


def touch(vit: torch.nn.Module) -> int:
    """A loaded model's bytes, read as well, so that lazily mapped memory does not flatter it."""
    return sum(tensor.clone().numel() for tensor in vit.trunk.state_dict().values())


def main(name: str = "vit_base_conv16") -> None:
    with tempfile.TemporaryDirectory() as folder:
        run.save(Path(folder), load_backbone(f"random:{name}"), Card())
        path = Path(folder) / "weights.safetensors"
        size = path.stat().st_size / 2**20

        def ours() -> int:
            return touch(load_backbone(f"run:{folder}"))

        for what, reference in (("reading the bytes", read_bytes), ("safetensors alone", load_tensors)):
            theirs, mine = compare(lambda read=reference: read(path), ours)
            ratio = mine / theirs
            print(f"{name}, {size:.0f} MiB: {what} {theirs:.3f} s, backbone {mine:.3f} s: {ratio:.2f} x")
        vit = load_backbone(f"run:{folder}")
    images = torch.rand(2, 3, vit.preprocessing.size, vit.preprocessing.size)

    def timms() -> torch.Tensor:
        return vit.trunk.forward_head(vit.trunk.forward_features(images), pre_logits=True)

    with torch.inference_mode():
        theirs, wrapped = compare(timms, lambda: vit(images))
    print(f"forward: timm {theirs:.3f} s, wrapper {wrapped:.3f} s: {wrapped / theirs - 1:+.1%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
