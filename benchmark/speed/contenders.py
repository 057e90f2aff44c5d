"""What is measured: the training steps of objectives, of the bare ViT, and of OpenCLIP."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import SimpleNamespace

import torch
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from backbones.vit import Tokens
from benchmark.speed.geometry import Geometry, Published
from common.machine import launched, world_size
from common.training import group
from common.training.average import FusedMovingAverage
from common.training.runner import distributed
from pretraining import optimizer
from pretraining.data.readings import Reading
from pretraining.model import ImageTextModel
from pretraining.objectives import load_objective
from pretraining.objectives.base import ImageTextBatch, Objective
from pretraining.recipe import Optimizer, Recipe
from pretraining.train import build_model

FLOOR, REFERENCE = "vit", "open_clip"
"""Contenders that are no objectives: the bare ViT, and OpenCLIP's own model in OpenCLIP's own loop."""


class BareViT(Objective):
    """No objective at all: what any must cost that trains this ViT."""

    name = FLOOR

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, tokens: Tokens, batch: ImageTextBatch) -> dict[str, Tensor]:
        return {"loss": tokens.class_token.float().square().mean()}


def objective_of(name: str) -> type[Objective]:
    """The objective of a contender.

    Raises:
        UserError: there is none of this name.
    """
    return BareViT if name == FLOOR else load_objective(name)


def recipe_of(
    name: str, geometry: Geometry, batch_size: int, precision: str = "auto", compile: bool = False
) -> Recipe:
    """The recipe that is measured, the same for all objectives; so small a rate leaves weights alone."""
    return Recipe(
        objective={"type": name, **geometry.objectives.get(name, {})},
        optimizer=Optimizer(lr=1e-5),
        architecture=geometry.architecture,
        image_size=geometry.image_size,
        token_drop={"rate": geometry.token_drop} if geometry.token_drop else None,
        samples=geometry.samples,
        batch_size=batch_size,
        precision=precision,
        compile=compile,
    )


def reading_of(name: str, geometry: Geometry) -> Reading:
    """What the objective reads, of pairs that nobody has."""
    return objective_of(name).reads.synthetic(geometry.objectives.get(name, {}), geometry.classes)


def model_of(recipe: Recipe, reading: Reading) -> ImageTextModel:
    """The recipe's model on the CPU, the same at every call."""
    torch.manual_seed(0)
    options = {key: value for key, value in recipe.objective.items() if key != "type"}
    return build_model(recipe, objective_of(recipe.objective["type"]), options | reading.found)


def noise(reading: Reading, images: int, image_size: int) -> ImageTextBatch:
    """A batch of noise, as a loader would hand it on."""
    pixels = torch.randint(256, (images, 3, image_size, image_size), dtype=torch.uint8)
    fields = reading.collate([reading.invented() for _ in range(images)])
    return ImageTextBatch(pixels, [""] * images, **fields)


class Contender(abc.ABC):
    """A training that is measured.

    Attributes:
        name: of an objective, `FLOOR` or `REFERENCE`.
        model: what is trained, as built.
        wrapped: the same, as several processes share its gradients.
    """

    name: str
    model: nn.Module
    wrapped: nn.Module

    @abc.abstractmethod
    def train(self, batches: Iterable[ImageTextBatch]) -> None:
        """Make a step with each batch; the device may still be at it when this returns."""

    def apart(self) -> AbstractContextManager[None]:
        """A context in which processes do not share their gradients."""
        shares = isinstance(self.wrapped, nn.parallel.DistributedDataParallel)
        return self.wrapped.no_sync() if shares else nullcontext()

    @abc.abstractmethod
    def state_bytes(self) -> int:
        """Memory of what lives from step to step: weights, average, gradients, the optimizer's state."""


class Training(Contender):
    """A step of our own pre-training, as MMEngine's Runner makes it.

    Args:
        name: of the objective, or `FLOOR`.
        recipe: see `recipe_of`.
        reading: what the objective reads.
        device: where to train.
        published: a recipe to follow as far as `Published` has fields for it; default the shared one.
    """

    def __init__(
        self,
        name: str,
        recipe: Recipe,
        reading: Reading,
        device: torch.device,
        published: Published | None = None,
    ) -> None:
        self.name = name
        self._fused = published is None or published.fused_attention
        if published is not None and not published.clip_grad:
            recipe = recipe.model_copy(
                update={"optimizer": recipe.optimizer.model_copy(update={"clip_grad": None})}
            )
        self.model = model_of(recipe, reading).to(device).train()
        # Of several processes each has its own copy, whose gradients are averaged.
        self.wrapped = distributed(self.model, device) if launched() else self.model
        self.wrapper = build_optim_wrapper(self.model, optimizer.optim_wrapper(recipe, self.model))
        self.average = FusedMovingAverage(self.model, momentum=recipe.ema_momentum)
        self.precision: str = self.wrapper.precision

    def train(self, batches: Iterable[ImageTextBatch]) -> None:
        for batch in batches:
            self.step(batch)

    def step(self, batch: ImageTextBatch) -> dict[str, Tensor]:
        """Forward, backward, optimizer, moving average; what MMEngine logs of it."""
        with nullcontext() if self._fused else sdpa_kernel(SDPBackend.MATH):
            outputs = self.wrapped.train_step(batch, self.wrapper)
        self.average.update_parameters(self.model)
        return outputs

    def state_bytes(self) -> int:
        tensors = [*self.model.parameters(), *self.model.buffers(), *self.average.module.parameters()]
        tensors += [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        return _bytes(tensors) + _bytes(_state(self.wrapper.optimizer))


class OpenCLIP(Contender):
    """OpenCLIP's ViT and text tower of the same size, in OpenCLIP's own training loop.

    It is the outside reference: its ViT has a linear patch embedding, it keeps no moving average, and its
    images come normalised.

    Args:
        geometry: its ViT's size, and its text tower's (the options of ``clip``).
        precision: ``float32`` or ``bf16``.
        device: where to train.
    """

    name = REFERENCE

    def __init__(self, geometry: Geometry, precision: str, device: torch.device) -> None:
        import open_clip

        layout, options = geometry.layout, geometry.objectives.get("clip", {})
        width = options.get("text_width", 512)
        torch.manual_seed(0)
        self.model = open_clip.CLIP(
            options.get("embed_dim", 512),
            vision_cfg={
                "layers": layout.depth,
                "width": layout.embed_dim,
                "head_width": layout.embed_dim // layout.num_heads,
                "patch_size": layout.patch_size,
                "image_size": geometry.image_size,
            },
            text_cfg={
                "layers": options.get("text_layers", 12),
                "width": width,
                "heads": options.get("text_heads", 8),
                "context_length": options.get("context_length", 77),
                "vocab_size": 49_408,
            },
            output_dict=True,
        ).to(device)
        self.wrapped = nn.parallel.DistributedDataParallel(self.model) if launched() else self.model
        self.loss = open_clip.ClipLoss(
            local_loss=True, gather_with_grad=True, rank=group.rank(), world_size=world_size()
        )
        # As its `main` has them: no decay on what has fewer than two dimensions.
        flat = [parameter for parameter in self.model.parameters() if parameter.ndim < 2]
        rest = [parameter for parameter in self.model.parameters() if parameter.ndim >= 2]
        groups = [{"params": flat, "weight_decay": 0.0}, {"params": rest, "weight_decay": 0.2}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-5, fused=True)
        self._arguments = SimpleNamespace(
            device=str(device),
            precision="amp_bf16" if precision == "bf16" else "fp32",
            accum_freq=1,
            distill=False,
            skip_scheduler=True,
            grad_clip_norm=1.0,
            horovod=False,
            log_every_n_steps=1,
            rank=1,  # not the one that logs
        )

    def train(self, batches: Iterable[ImageTextBatch]) -> None:
        from open_clip_train.train import train_one_epoch

        data = {"train": SimpleNamespace(set_epoch=lambda epoch: None, dataloader=_Loader(batches))}
        train_one_epoch(self.wrapped, data, self.loss, 0, self.optimizer, None, None, None, self._arguments)

    def state_bytes(self) -> int:
        tensors = [*self.model.parameters(), *self.model.buffers()]
        tensors += [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        return _bytes(tensors) + _bytes(_state(self.optimizer))


class _Loader:
    """Batches as OpenCLIP's loop wants them."""

    num_batches = num_samples = 1

    def __init__(self, batches: Iterable[ImageTextBatch]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self._batches:
            yield batch.images, batch.text


def normalised(batch: ImageTextBatch) -> ImageTextBatch:
    """The batch with images as OpenCLIP's loader would hand them on."""
    return replace(batch, images=batch.images.float() / 127.5 - 1)


def contender_of(
    name: str,
    geometry: Geometry,
    device: torch.device,
    precision: str,
    batch_size: int,
    compile: bool = False,
    published: Published | None = None,
) -> tuple[Contender, ImageTextBatch]:
    """A contender, and a batch of noise for it in the CPU's memory.

    Args:
        name: of an objective, `FLOOR` or `REFERENCE`.
        geometry: what is measured.
        device: where to train.
        precision: ``float32`` or ``bf16``.
        batch_size: images per process and step.
        compile: the ViT's blocks; OpenCLIP's are left as they are.
        published: a recipe to follow as far as `Published` has fields for it; default the shared one.

    Raises:
        UserError: there is no such objective.
    """
    if name == REFERENCE:
        batch = noise(reading_of("clip", geometry), batch_size, geometry.image_size)
        return OpenCLIP(geometry, precision, device), normalised(batch)
    reading = reading_of(name, geometry)
    recipe = recipe_of(name, geometry, batch_size, precision, compile)
    training = Training(name, recipe, reading, device, published)
    return training, noise(reading, batch_size, geometry.image_size)


def _state(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [
        value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)
    ]


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
