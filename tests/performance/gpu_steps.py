"""Pre-training steps on random batches, as a training makes them: speed, memory, and whether a GPU computes
what a CPU does. Parts of gpu_check.py."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, repeat
from typing import Any

import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import Tensor, nn

from common.machine import forget_peak_memory, peak_memory_bytes
from common.training.average import FusedMovingAverage
from pretraining import optimizer
from pretraining.cost import flops_per_image
from pretraining.data.prefetch import batches_on
from pretraining.data.readings import Reading
from pretraining.model import ImageTextModel
from pretraining.objectives import load_objective
from pretraining.objectives.base import ImageTextBatch
from pretraining.recipe import Optimizer, Recipe
from pretraining.train import build_model

LABELS = 4
"""Synsets per caption."""
LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-4, 1e-3
"""Relative differences between two devices in float32 that are put down to the order of sums. The gradient's
is that of the norms, over all parameters. A wrong kernel, or TF32's 10 bits, is far beyond."""
_END_OF_TEXT = 49_407  # the last of OpenCLIP's BPE tokens
_COMPILING = 35.0
"""Seconds to keep for the measurement with torch.compile."""

Note = Callable[[str, Any], None]
"""Told of each figure as soon as there is one."""


@dataclass(frozen=True)
class Geometry:
    """What is measured; the defaults are the paper's ViT-B/16.

    Attributes:
        architecture: a key of `backbones.architectures.ARCHITECTURES`.
        image_size: pixels per side.
        classes: of CatLIP: the synsets that CoreNet keeps (METHODOLOGY.md, "Vocabulary").
        text: options of CLIP.
        compared_batch: images of the comparison with the CPU.
        first_batch, last_batch: images per step to begin with, and never to exceed, in doubling them.
        warmup, steps: steps before the clock is started, and those that it counts.
        compiled: measure torch.compile, too.
    """

    architecture: str = "vit_base_conv16"
    image_size: int = 224
    classes: int = 24_320
    text: dict[str, int] = field(default_factory=dict)
    compared_batch: int = 4
    first_batch: int = 128
    last_batch: int = 16_384
    warmup: int = 3
    steps: int = 10
    compiled: bool = True


PAPER = Geometry()
MINIATURE = Geometry(
    architecture="vit_nano_conv16",
    image_size=32,
    classes=50,
    text={"embed_dim": 8, "text_width": 8, "text_layers": 1, "text_heads": 1, "context_length": 8},
    compared_batch=2,
    first_batch=2,
    last_batch=4,
    warmup=1,
    steps=2,
    compiled=False,
)


class RandomReading(Reading):
    """What would be read of pairs whose captions say anything: BPE tokens, or a few labels each."""

    blank = None

    def __init__(self, objective: str, geometry: Geometry) -> None:
        self.objective = objective
        self.classes = geometry.classes
        self.length = geometry.text.get("context_length", 77)
        counts = [10**7 // rank for rank in range(1, geometry.classes + 1)]  # Zipf's law
        self.found = {"class_counts": counts, "num_captions": 10**8} if objective == "catlip" else {}

    def collate(self, items: list[None]) -> dict[str, Any]:
        if self.objective == "clip":
            text = torch.randint(1, _END_OF_TEXT, (len(items), self.length))
            text[:, -1] = _END_OF_TEXT
            return {"text": text}
        return {
            "label_rows": torch.arange(len(items)).repeat_interleave(LABELS),
            "label_classes": torch.randint(self.classes, (LABELS * len(items),)),
        }

    def batch(self, size: int, image_size: int) -> ImageTextBatch:
        """A batch of noise, as a loader would hand it on."""
        images = torch.randint(256, (size, 3, image_size, image_size), dtype=torch.uint8)
        return ImageTextBatch(images, [""] * size, **self.collate([None] * size))


class Step:
    """One step as a training has it: forward, backward, optimizer, moving average, a look at the loss."""

    def __init__(self, model: nn.Module, wrapper: OptimWrapper, average: FusedMovingAverage) -> None:
        self.model = model.train()
        self.wrapper = wrapper
        self.average = average

    def __call__(self, batch: Any) -> float:
        """The loss of the batch; the device has done the step when it is known.

        Raises:
            FloatingPointError: it is not finite.
        """
        outputs = self.model.train_step(batch, self.wrapper)
        self.average.update_parameters(self.model)
        loss = outputs["loss"].item()
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss}")
        return loss

    def timed(self, batches: Iterator[Any], warmup: int, steps: int, device: torch.device) -> dict[str, Any]:
        """Seconds per step and the most memory (bytes, warming up included)."""
        forget_peak_memory(device)
        begin = time.perf_counter()
        for batch in islice(batches, warmup):
            self(batch)
        warm = time.perf_counter()
        for batch in islice(batches, steps):
            self(batch)
        return {
            "seconds_warming_up": warm - begin,
            "seconds_per_step": (time.perf_counter() - warm) / steps,
            "peak_memory_bytes": peak_memory_bytes(device),
        }


def recipe_of(objective: str, geometry: Geometry, precision: str, compile: bool = False) -> Recipe:
    """The recipe that is measured; its learning rate keeps noise from blowing the weights up."""
    options = geometry.text if objective == "clip" else {}
    return Recipe(
        objective={"type": objective, **options},
        optimizer=Optimizer(lr=1e-5),
        architecture=geometry.architecture,
        image_size=geometry.image_size,
        samples=geometry.first_batch,
        batch_size=geometry.first_batch,
        precision=precision,
        compile=compile,
    )


def model_of(recipe: Recipe, reading: RandomReading) -> ImageTextModel:
    """The recipe's model on the CPU, the same at every call."""
    torch.manual_seed(0)
    options = {key: value for key, value in recipe.objective.items() if key != "type"}
    return build_model(recipe, load_objective(recipe.objective["type"]), options | reading.found)


def step_of(recipe: Recipe, reading: RandomReading, device: torch.device) -> Step:
    """A training's step of the recipe."""
    model = model_of(recipe, reading).to(device)
    wrapper = build_optim_wrapper(model, optimizer.optim_wrapper(recipe, model))
    return Step(model, wrapper, FusedMovingAverage(model, momentum=recipe.ema_momentum))


def speed(
    objective: str,
    geometry: Geometry,
    device: torch.device,
    peak: float | None,
    seconds: float,
    note: Note,
) -> None:
    """How fast an objective trains in bf16, in batches that double until memory is full.

    Args:
        objective: ``catlip`` or ``clip``.
        geometry: what is measured.
        device: where.
        peak: FLOPs per second that the device has at most in bf16; None where nobody knows.
        seconds: the time there is; what will not fit into it is left out, and so it says.
        note: told ``flops_per_image``, ``steps`` (a row per batch size), ``out_of_memory_at`` and
            ``largest_batch`` (None where memory was never full), and ``compiled``: the fastest batch again,
            with torch.compile.
    """
    deadline = time.perf_counter() + seconds
    reading = RandomReading(objective, geometry)
    recipe = recipe_of(objective, geometry, "bf16")
    step = step_of(recipe, reading, device)
    share = min(geometry.first_batch, 32)  # as a training counts them
    flops = flops_per_image(step.model, reading, geometry.image_size, share)["total"]
    note("flops_per_image", flops)

    def measured(step: Step, size: int) -> dict[str, Any] | None:
        found = _unless_memory_is_full(lambda: _rate(step, reading, geometry, size, device))
        if found is not None:
            rate = found["images_per_second"]
            found["mfu"] = rate * flops / peak if peak else None
        return found

    rows: list[dict[str, Any]] = []
    size, full = geometry.first_batch, None
    while size <= geometry.last_batch:
        begin = time.perf_counter()
        if (row := measured(step, size)) is None:
            full = size
            break
        rows.append(row)
        note("steps", rows)
        took = time.perf_counter() - begin
        size *= 2
        if time.perf_counter() + 2 * took > deadline - (_COMPILING if geometry.compiled else 0):
            break
    note("out_of_memory_at", full)
    note("largest_batch", rows[-1]["batch_size"] if rows and full else None)
    if not rows:
        raise MemoryError(f"a batch of {geometry.first_batch} does not fit")
    del step
    _free()
    if geometry.compiled:
        fastest = max(rows, key=lambda row: row["images_per_second"])["batch_size"]
        compiled = step_of(recipe.model_copy(update={"compile": True}), reading, device)
        note("compiled", measured(compiled, fastest))


def _rate(
    step: Step, reading: RandomReading, geometry: Geometry, size: int, device: torch.device
) -> dict[str, Any]:
    batch = reading.batch(size, geometry.image_size)
    if device.type == "cuda":
        batch = batch.pin_memory()
    batches = batches_on(repeat(batch), 1, device)
    found = step.timed(batches, geometry.warmup, geometry.steps, device)
    return {"batch_size": size, "images_per_second": size / found["seconds_per_step"], **found}


def _unless_memory_is_full(action: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What it returns; None where the GPU's memory does not suffice for it."""
    try:
        return action()
    except (
        RuntimeError
    ) as error:  # torch.OutOfMemoryError is one; libraries that find no room raise plain ones
        if not isinstance(error, torch.OutOfMemoryError) and "ALLOC_FAILED" not in str(error):
            raise
    _free()  # not before here: the exception held what the step had computed
    return None


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def without_tf32() -> Iterator[None]:
    """float32 in full: PyTorch would let convolutions on a GPU round to 10 bits."""
    backends = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [backend.allow_tf32 for backend in backends]
    for backend in backends:
        backend.allow_tf32 = False
    try:
        yield
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed


def gradients(objective: str, geometry: Geometry, device: torch.device) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients (by the parameter's name, on the CPU) of one batch in float32, the same anywhere."""
    reading = RandomReading(objective, geometry)
    model = model_of(recipe_of(objective, geometry, "float32"), reading).to(device).train()
    batch = reading.batch(geometry.compared_batch, geometry.image_size).to(device)
    with without_tf32():
        loss = model(batch)["loss"]
        loss.backward()
    found = {name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}
    return loss.item(), found


def difference(value: dict[str, Tensor], reference: dict[str, Tensor]) -> float:
    """Norm of the difference over all tensors, relative to that of the reference."""
    if value.keys() != reference.keys():
        raise ValueError("gradients of other parameters")
    squares = [
        ((value[name] - other).square().sum(), other.square().sum()) for name, other in reference.items()
    ]
    return math.sqrt(sum(float(a) for a, _ in squares) / sum(float(b) for _, b in squares))


def compare_float32(geometry: Geometry, device: torch.device, note: Note) -> None:
    """Compare loss and gradients of both objectives on a device with the CPU's.

    Raises:
        ArithmeticError: they differ by more than the tolerances.
    """
    note("tolerances", {"loss": LOSS_TOLERANCE, "gradient": GRADIENT_TOLERANCE})
    wrong = []
    for objective in ("catlip", "clip"):
        (expected, reference), (loss, gradient) = (
            gradients(objective, geometry, where) for where in (torch.device("cpu"), device)
        )
        off, apart = abs(loss / expected - 1), difference(gradient, reference)
        note(
            objective,
            {"cpu_loss": expected, "loss": loss, "loss_difference": off, "gradient_difference": apart},
        )
        if not (off <= LOSS_TOLERANCE and apart <= GRADIENT_TOLERANCE):
            wrong.append(f"{objective} (loss {off:.1g}, gradient {apart:.1g})")
    if wrong:
        raise ArithmeticError(f"beyond the tolerances, relative to the CPU: {', '.join(wrong)}")
