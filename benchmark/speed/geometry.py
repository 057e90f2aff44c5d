"""The shapes that pre-training is measured in: configs of `task_configs/speed`. Light: no torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from backbones.architectures import ARCHITECTURES
from backbones.layout import Layout
from common.configs import CONFIGS, find_config, read_config
from common.errors import UserError
from common.names import suggest


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Published(_Strict):
    """How an objective was trained in the paper and its released code.

    Attributes:
        batch_size: images per device and step.
        devices: how many.
        device: which, a name of `benchmark.speed.devices.DEVICES`.
        clip_grad: gradients were clipped.
        fused_attention: attention did without its N x N matrix.
        differs: what else was not as here, and is not measured.
    """

    batch_size: PositiveInt
    devices: PositiveInt
    device: str
    clip_grad: bool = True
    fused_attention: bool = True
    differs: list[str] = Field(default_factory=list)

    def differences(self) -> list[str]:
        """What sets the recipe apart from the shared one, in words."""
        measured = [
            *(["no gradient clipping"] if not self.clip_grad else []),
            *(["attention that is not fused"] if not self.fused_attention else []),
        ]
        return measured + [f"{difference} (not measured)" for difference in self.differs]


class Geometry(_Strict):
    """What is measured.

    Attributes:
        architecture: a key of `backbones.architectures.ARCHITECTURES`.
        image_size: pixels per side.
        classes: of the vocabulary, for objectives that read labels.
        objectives: name -> the recipe's options for it.
        batch_size: images per device and step where none is asked for.
        samples: image–text pairs of a whole pre-training, for device-hours.
        token_drop: share of an image's patch tokens that training leaves out.
        published: name of an objective -> how it was trained in the paper.
    """

    architecture: str
    image_size: PositiveInt
    classes: PositiveInt
    objectives: dict[str, dict[str, Any]]
    batch_size: PositiveInt
    samples: PositiveInt
    token_drop: float = Field(0.0, ge=0, lt=1)
    published: dict[str, Published] = Field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """The ViT's shape."""
        return replace(ARCHITECTURES[self.architecture], image_size=self.image_size)


def geometry_file(name: str | Path) -> Path:
    """The file of a geometry: a name of `list_geometries`, or a file.

    Raises:
        UserError: there is no such geometry.
    """
    if str(name) in list_geometries():
        return CONFIGS / "speed" / f"{name}.py"
    if str(name).endswith(".py"):
        return find_config(name)
    known = suggest(str(name), list_geometries())
    raise UserError(f"unknown geometry {str(name)!r}: {known} (or a file)")


def load_geometry(name: str | Path) -> Geometry:
    """Read a geometry; see `geometry_file`.

    Raises:
        UserError: there is no such geometry, or its file has a mistake.
    """
    path = geometry_file(name)
    values = {key: value for key, value in read_config(path).to_dict().items() if not key.startswith("_")}
    try:
        geometry = Geometry(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise UserError(f"{path}: {where}: {problem['msg']}") from None
    if geometry.architecture not in ARCHITECTURES:
        raise UserError(f"{path}: architecture: {suggest(geometry.architecture, ARCHITECTURES)}")
    return geometry


def list_geometries() -> list[str]:
    """Names of the geometries that come with the project."""
    return sorted(path.stem for path in (CONFIGS / "speed").glob("*.py") if path.stem != "__init__")
