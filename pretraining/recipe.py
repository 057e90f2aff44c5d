"""A pre-training recipe: what a config may say, and when a run of it is done."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from backbones.architectures import ARCHITECTURES
from common.configs import read_config
from common.digest import digest, file_digest
from common.errors import UserError
from common.names import suggest
from common.settings import Settings, checked
from pretraining import folder
from pretraining.objectives import objective_type

PROTOCOL = 3


_Share = Annotated[float, Field(gt=0, le=1)]
_Beta = Annotated[float, Field(ge=0, lt=1)]
_Many = 1 << 50  # samples, more than anybody has
_LARGEST_IMAGE = 8192  # pixels per side


class Augmentation(Settings):
    """Random resized crop and flip."""

    scale: tuple[_Share, _Share] = (0.5, 1.0)
    flip: float = Field(0.5, ge=0, le=1)

    @field_validator("scale")
    @classmethod
    def _rises(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if scale[0] > scale[1]:
            raise ValueError("the smallest share of the picture comes first")
        return scale


class Optimizer(Settings):
    """AdamW with linear warm-up and cosine decay. No decay on norms, biases, positions and tokens."""

    lr: float = Field(gt=0, le=10)
    betas: tuple[_Beta, _Beta] = (0.9, 0.999)
    weight_decay: float = Field(0.2, ge=0, le=100)
    warmup_samples: int = Field(10_000 * 65_536, ge=1, le=_Many)
    min_lr_ratio: float = Field(0.01, ge=0, le=1)
    clip_grad: float | None = Field(1.0, gt=0)


class TokenDrop(Settings):
    """Patch tokens are left out of training images, at random (`pretraining.token_drop`).

    Attributes:
        rate: share of an image's patch tokens.
        until: share of the training, after which all tokens are seen.
    """

    rate: float = Field(gt=0, lt=1)
    until: float = Field(1.0, gt=0, le=1)


class Recipe(Settings):
    """Everything that decides what a pre-training run learns, and how it is run.

    `RUN_FIELDS` change how a run proceeds and what is kept of it but not what it learns; they are not part of
    its fingerprint.

    Attributes:
        keep: sample counts on the way at which a checkpoint of the averaged weights is kept, at the last
            whole step up to each.
    """

    objective: dict[str, Any]
    optimizer: Optimizer
    architecture: str = "vit_base_conv16"
    drop_path_rate: float = Field(0.0, ge=0, lt=1)
    token_drop: TokenDrop | None = None
    image_size: int = Field(224, ge=1, le=_LARGEST_IMAGE)
    samples: int = Field(ge=1, le=_Many)
    batch_size: int = Field(ge=1, le=1 << 24)
    augmentation: Augmentation = Augmentation()
    ema_momentum: float = Field(5e-4, gt=0, lt=1)
    seed: int = Field(0, ge=0, lt=1 << 32)
    val_batch_size: PositiveInt = 64
    val_samples: PositiveInt | None = 4096

    num_workers: int = Field(4, ge=0, le=1024)
    precision: Literal["auto", "float32", "bf16"] = "auto"
    compile: bool = False
    shuffle_buffer: PositiveInt = 65_536
    val_interval: PositiveInt = 5000
    checkpoint_interval: PositiveInt = 1000
    keep: list[PositiveInt] = Field(default_factory=list)

    @field_validator("architecture")
    @classmethod
    def _is_known(cls, architecture: str) -> str:
        if architecture not in ARCHITECTURES:
            raise ValueError(suggest(architecture, ARCHITECTURES))
        return architecture

    @model_validator(mode="after")
    def _check_image(self) -> Recipe:
        patch = ARCHITECTURES[self.architecture].patch_size
        if self.image_size < patch:
            raise ValueError(
                f"image_size={self.image_size}: a patch of {self.architecture} has {patch} pixels"
            )
        return self

    @model_validator(mode="after")
    def _check_keep(self) -> Recipe:
        steps = [samples // self.batch_size for samples in self.keep]
        for samples, step in zip(self.keep, steps, strict=True):
            if not 1 <= step < self.iterations:
                raise ValueError(
                    f"keep: {samples} samples are not on the way: from {self.batch_size}, a step, to below "
                    f"{self.iterations * self.batch_size}, the end"
                )
        if any(first >= second for first, second in pairwise(steps)):
            raise ValueError(f"keep: {self.keep} are not rising by a step of {self.batch_size} each")
        return self

    def check_processes(self, processes: int) -> None:
        """Raise `UserError` where a batch cannot be dealt to so many processes evenly."""
        if processes < 1:
            raise UserError(f"{processes} processes cannot train: at least 1")
        if self.batch_size % processes:
            raise UserError(
                f"a batch of {self.batch_size} cannot be dealt to {processes} processes evenly: "
                "start a number that divides it"
            )

    @property
    def iterations(self) -> int:
        return max(1, self.samples // self.batch_size)

    @property
    def dropping_steps(self) -> int:
        """For how many steps, the first ones, tokens are left out."""
        return round(self.token_drop.until * self.iterations) if self.token_drop else 0

    @property
    def dropping(self) -> float:
        """The share of the training that these steps are."""
        return self.dropping_steps / self.iterations

    @property
    def kept_steps(self) -> dict[int, int]:
        """Step -> the entry of `keep` whose checkpoint is of that step."""
        return {samples // self.batch_size: samples for samples in self.keep}


RUN_FIELDS = {"num_workers", "precision", "compile", "val_interval", "checkpoint_interval", "keep"}


def load_recipe(config: Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read an MMEngine config into a checked recipe.

    Args:
        config: a Python config; its header docstring says what it reproduces.
        overrides: values that replace the config's, keys as ``optimizer.lr``; ``+`` before a key that is not
            in the config is understood, and not needed.

    Raises:
        UserError: the file is missing, is no config, or has an unknown or impossible value.
    """
    if not Path(config).is_file():
        raise UserError(f"{config} does not exist: task_configs/pretraining holds the configs of the suite")
    # with a plus, because a recipe has fields that its config need not name; a misspelt one is found below
    added = {f"+{key.removeprefix('+')}": value for key, value in (overrides or {}).items()}
    values = read_config(Path(config), added).to_dict()
    recipe = checked(Recipe, {key: value for key, value in values.items() if key[:1] != "_"}, str(config))
    options = objective_type(recipe.objective.get("type")).options
    if options is not None:
        said = {key: value for key, value in recipe.objective.items() if key != "type"}
        checked(options, said, f"{config}: objective")
    return recipe


def fingerprint(recipe: Recipe, pairs: Path, labels: Path | None = None) -> str:
    """Digest of what decides the outcome: the recipe's content, the data, the protocol version.

    The data count by the names and sizes of their shards, and by what else the objective reads of them.

    Args:
        labels: where that is, if not beside the shards.

    Raises:
        UserError: the objective is unknown.
    """
    pairs = Path(pairs)
    shards = sorted(pairs.rglob("*.tar"))
    data: dict[str, Any] = {
        "shards": [[shard.relative_to(pairs).as_posix(), shard.stat().st_size] for shard in shards]
    }
    for name in objective_type(recipe.objective.get("type")).files:
        if (place := Path(labels or pairs) / name).is_file():
            data[Path(name).stem] = file_digest(place)
    content = recipe.model_dump(mode="json", exclude=RUN_FIELDS)
    if recipe.token_drop is None:
        del content["token_drop"]  # recipes of before it was there are the same
    return digest({"protocol": PROTOCOL, "recipe": content, "data": data})


def finished(config: Path, out: Path, data: dict[str, Path], overrides: dict[str, Any] | None = None) -> bool:
    """Whether `out` holds the finished checkpoint of this very run, and those it is to keep on its way.

    Imports no torch.
    """
    return lacking(config, out, data, overrides) == []


def lacking(
    config: Path, out: Path, data: dict[str, Path], overrides: dict[str, Any] | None = None
) -> list[int] | None:
    """Which checkpoints a finished run has not kept: entries of ``keep``; None where it is not finished."""
    if not (Path(out) / "backbone.json").is_file():
        return None
    recipe = load_recipe(config, overrides)
    expected = fingerprint(recipe, data["pairs"], data.get("labels"))
    if not folder.is_checkpoint(out, expected):
        return None
    return [s for s in recipe.keep if not folder.is_checkpoint(folder.kept_folder(out, s), expected)]


def why_again(lacking: list[int]) -> str:
    """What to say of a finished run that is trained again for checkpoints that it has not kept."""
    counts = ", ".join(f"{samples:,}" for samples in lacking)
    return (
        f"it is finished, but kept no checkpoint at {counts} samples: it is trained again, and what is there "
        "goes to .superseded"
    )
