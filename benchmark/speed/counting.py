"""What a training step does, counted operator by operator on fake tensors: nothing is computed or allocated.

PyTorch's own dispatcher is listened to, so that autograd, autocast and the optimizer say themselves what they
run, in what precision, and how long they hold what they have made.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

from backbones.precision import autocast
from benchmark.speed.contenders import model_of, reading_of, recipe_of
from benchmark.speed.geometry import Geometry
from pretraining.model import ImageTextModel
from pretraining.objectives.base import ImageTextBatch

_FUSED = "_scaled_dot_product_flash_attention_for_cpu"
"""What a fake CPU runs as fused attention. Kernels of GPUs keep the same for backward (output, logsumexp)."""
_OPTIMIZER = ("_foreach", "_fused_adam")
_GATHERED = ("index.Tensor", "embedding.default", "index_select")
"""Operators that read no more of their first operand than they return."""
_FLOAT32_ON_GPUS = (
    *((F, name) for name in ("layer_norm", "softplus", "cross_entropy", "normalize", "softmax")),
    *((Tensor, name) for name in ("softmax", "sum", "exp", "norm")),
)
"""What autocast computes in float32 on GPUs, of what is used here; on CPUs it takes them as they come
(PyTorch's documentation, "Autocast Op Reference")."""


class Operator(NamedTuple):
    """A kind of kernel: what it does, and in what precision.

    Attributes:
        name: of PyTorch's operator, ``aten.mm.default``.
        dtype: of its first output, ``bfloat16``.
    """

    name: str
    dtype: str

    @property
    def term(self) -> str:
        """What it counts as: ``products``, ``attention``, ``optimizer`` or ``elementwise``."""
        if (
            "scaled_dot_product" in self.name
            or ".bmm." in self.name
            or "softmax" in self.name.split(".")[1][:9]
        ):
            return "attention"
        if any(part in self.name for part in _OPTIMIZER):
            return "optimizer"
        return (
            "products"
            if any(part in self.name for part in (".mm.", ".addmm.", ".convolution"))
            else "elementwise"
        )


@dataclass
class Amount:
    """How much of an operator a step has.

    Attributes:
        calls: how often it runs.
        flops: of its products; a multiply-add counts as two.
        bytes: read and written.
        examples: one of each shape, by what its arguments are.
    """

    calls: int = 0
    flops: int = 0
    bytes: int = 0
    examples: dict[str, Example] = field(default_factory=dict, repr=False)


@dataclass
class Example:
    """A call of an operator that can be repeated elsewhere: what `benchmark.speed.calibration` times.

    Attributes:
        function: the operator.
        arguments: its args and kwargs, tensors as `Spec`.
        bytes: that it reads and writes.
        flops: of its products.
        recent: its operands have just been made: of the forward pass. Those of the backward pass and of the
            optimizer were touched long ago, and are in no cache.
        calls: how often a step has it.
    """

    function: Callable[..., Any]
    arguments: tuple[tuple, dict[str, Any]]
    bytes: int
    flops: int
    recent: bool
    calls: int = 0

    @property
    def amount(self) -> int:
        """What its time goes with."""
        return self.flops or self.bytes


@dataclass(frozen=True)
class Spec:
    """A tensor without its values."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class Work:
    """One training step of one process.

    Attributes:
        operators: what runs.
        parameters: that are trained.
        state_bytes: weights, their average, the optimizer's two moments, buffers: what lives between steps.
        step_bytes: the most that a step holds beyond them: the batch, activations, gradients, temporaries.
        kept_bytes: of these, what the forward pass leaves for the backward pass.
        gathered_bytes: features that this process sends to every other, and whose gradients it gets back.
    """

    operators: dict[Operator, Amount]
    parameters: int
    state_bytes: int
    step_bytes: int
    kept_bytes: int
    gathered_bytes: int

    @property
    def memory(self) -> int:
        """Bytes that the step needs at its peak."""
        return self.state_bytes + self.step_bytes

    @property
    def gradient_bytes(self) -> int:
        """What processes add up at every step."""
        return 4 * self.parameters

    def flops(self, *terms: str) -> int:
        """Of the operators that count as these terms; of all where none is named."""
        return sum(a.flops for o, a in self.operators.items() if not terms or o.term in terms)


def count(
    name: str,
    geometry: Geometry,
    batch_size: int,
    precision: str = "float32",
    device: str = "cpu",
    processes: int = 1,
    checkpointing: bool = False,
    fused_attention: bool | None = None,
) -> Work:
    """Count a training step: forward, backward, clipping, AdamW, moving average.

    Args:
        name: of a contender that is an objective, or the bare ViT.
        geometry: its shape.
        batch_size: images per process.
        precision: ``float32`` or ``bf16``.
        device: ``cpu`` or ``cuda``: they differ in what autocast does, and in the ViT's attention.
        processes: how many train together: an objective that contrasts compares with the features of all.
        checkpointing: activations of blocks are computed anew for the backward pass (timm's and OpenCLIP's).
        fused_attention: of all attention; default: as `backbones.vit.tune` sets it on this device.
    """
    reading = reading_of(name, geometry)
    fields = reading.collate([reading.invented() for _ in range(batch_size)])
    with torch.device("meta"):
        model = model_of(recipe_of(name, geometry, batch_size, precision), reading).train()
    _set_up(model, device, processes, checkpointing, fused_attention)
    counter, gathered = _Counter(), []
    with ExitStack() as stack:
        stack.enter_context(FakeTensorMode())
        # A fake CPU stands for a GPU, too: autograd asks for the real one's driver.
        model._apply(lambda tensor: torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype))
        update = _Update(model)
        stack.enter_context(_gathering(processes, gathered))
        if fused_attention is False:
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(counter)
        batch = ImageTextBatch(
            torch.empty(batch_size, 3, geometry.image_size, geometry.image_size, dtype=torch.uint8),
            [""] * batch_size,
            **{key: torch.empty(value.shape, dtype=value.dtype) for key, value in fields.items()},
        )
        stack.enter_context(_following_gpus() if device == "cuda" else nullcontext())
        with autocast("cpu", precision):
            loss = model(batch)["loss"]
        kept, counter.forward = counter.live, False
        loss.backward()
        update()
    return Work(
        operators=dict(counter.operators),
        parameters=sum(parameter.numel() for parameter in update.parameters),
        state_bytes=update.lasting_bytes(),
        step_bytes=counter.peak,
        kept_bytes=kept,
        gathered_bytes=sum(gathered),
    )


def _set_up(
    model: ImageTextModel, device: str, processes: int, checkpointing: bool, fused_attention: bool | None
) -> None:
    for block in model.vit.trunk.blocks:
        block.attn.fused_attn = device == "cuda" if fused_attention is None else fused_attention
    if checkpointing:
        model.vit.trunk.set_grad_checkpointing()
        if model.objective.text_tower is not None:
            model.objective.text_tower.set_grad_checkpointing()
    for module in model.modules():
        if getattr(module, "gather_with_grad", False):  # OpenCLIP's losses; the one of validation is local
            module.world_size = processes


class _Update:
    """Clips, steps and averages as a training does.

    Args:
        model: of fake tensors.
    """

    def __init__(self, model: ImageTextModel) -> None:
        self.parameters = list(model.parameters())
        self._buffers = list(model.buffers())
        self._optimizer = torch.optim.AdamW(self.parameters, lr=1e-5, fused=True)
        self._average = [torch.empty_like(parameter) for parameter in self.parameters]
        for parameter in self.parameters:
            parameter.grad = torch.empty_like(parameter)
        self._optimizer.step()  # the first one makes the moments
        self._optimizer.zero_grad()

    def __call__(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self._optimizer.step()
        get_ema_multi_avg_fn(0.999)(self._average, self.parameters, None)

    def lasting_bytes(self) -> int:
        """Of what lives from step to step."""
        state = [
            leaf for leaf in tree_leaves(list(self._optimizer.state.values())) if isinstance(leaf, Tensor)
        ]
        tensors = [*self.parameters, *self._average, *self._buffers, *state]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@contextmanager
def _gathering(processes: int, sent: list[int]) -> Iterator[None]:
    """Features of all processes, where there is but one: as many copies of its own."""

    def all_gather(tensor: Tensor, group: Any = None) -> list[Tensor]:
        sent.append(tensor.numel() * tensor.element_size())
        return [tensor.repeat(processes, *[1] * (tensor.ndim - 1))]

    with mock.patch("torch.distributed.nn.all_gather", all_gather):
        yield


@contextmanager
def _following_gpus() -> Iterator[None]:
    """Autocast as on GPUs, on a CPU; where activations are computed anew, too."""
    with ExitStack() as stack:
        for owner, name in _FLOAT32_ON_GPUS:
            stack.enter_context(mock.patch.object(owner, name, _in_float32(getattr(owner, name))))
        yield


def _in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    def raised(*args: Any, **kwargs: Any) -> Any:
        if torch.is_autocast_enabled("cpu"):
            args = tree_map_only(Tensor, lambda t: t.float() if t.dtype == torch.bfloat16 else t, args)
        return function(*args, **kwargs)

    return raised


class _Counter(TorchDispatchMode):
    """Notes operators, and the bytes of all storages made since it was entered that are still alive."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: dict[Operator, Amount] = defaultdict(Amount)
        self.live = self.peak = 0
        self.forward = True
        self._storages: dict[int, weakref.ref] = {}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        outputs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        read = {tensor.untyped_storage()._cdata for tensor in inputs}
        made = [tensor for tensor in outputs if tensor.untyped_storage()._cdata not in read]
        for tensor in made:
            self._watch(tensor.untyped_storage())
        computes = made or function._schema.is_mutable  # else it is a view
        if computes and "empty" not in function._schema.name:
            self._note(function, args, kwargs, inputs, outputs, out)
        return out

    def _watch(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._storages:
            return

        def gone(_: weakref.ref) -> None:
            self.live -= size
            self._storages.pop(key, None)

        self._storages[key] = weakref.ref(storage, gone)
        self.live += size
        self.peak = max(self.peak, self.live)

    def _note(
        self, function: Any, args: tuple, kwargs: dict, inputs: list[Tensor], outputs: list[Tensor], out: Any
    ) -> None:
        name = str(function)
        written = outputs or inputs[:1]
        operator = Operator(name, str(written[0].dtype).removeprefix("torch.") if written else "float32")
        if any(part in name for part in _GATHERED):
            size = 2 * _bytes(outputs)
        else:
            size = _bytes(inputs) + _bytes(outputs or inputs)
        flops = _flops(function, args, kwargs, out)
        amount = self.operators[operator]
        amount.calls += 1
        amount.bytes += size
        amount.flops += flops
        spec = tree_map_only(Tensor, _spec, (args, kwargs))
        example = Example(function, spec, size, flops, self.forward)
        amount.examples.setdefault(f"{spec} {self.forward}", example).calls += 1


def _spec(tensor: Tensor) -> Spec:
    return Spec(tuple(tensor.shape), tensor.stride(), tensor.dtype)


def _bytes(tensors: list[Tensor]) -> int:
    """Of each tensor what is there: an expanded one repeats what it has."""
    return sum(min(t.numel() * t.element_size(), t.untyped_storage().nbytes()) for t in tensors)


def _flops(function: Any, args: tuple, kwargs: dict, out: Any) -> int:
    packet = function._overloadpacket
    if packet in flop_registry:
        return flop_registry[packet](*args, **kwargs, out_val=out)
    name = function._schema.name.removeprefix("aten::")
    if name == _FUSED:
        return sdpa_flop_count(*(tensor.shape for tensor in args[:3]))
    if name == f"{_FUSED}_backward":
        return sdpa_backward_flop_count(*(tensor.shape for tensor in args[:4]))
    return 0
