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


class Share(_Strict):
    """How somebody's training was dealt out.

    Attributes:
        batch_size: images per device and step.
        devices: how many.
        device: which, a name of `benchmark.speed.cost_model.DEVICES`.
    """

    batch_size: PositiveInt
    devices: PositiveInt
    device: str


class Geometry(_Strict):
    """What is measured.

    Attributes:
        architecture: a key of `backbones.architectures.ARCHITECTURES`.
        image_size: pixels per side.
        classes: of the vocabulary, for objectives that read labels.
        objectives: name -> the recipe's options for it.
        batch_size: images per device and step where none is asked for.
        samples: image–text pairs of a whole pre-training, for device-hours.
        published: name of an objective -> how the paper dealt its training out.
    """

    architecture: str
    image_size: PositiveInt
    classes: PositiveInt
    objectives: dict[str, dict[str, Any]]
    batch_size: PositiveInt
    samples: PositiveInt
    published: dict[str, Share] = Field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """The ViT's shape."""
        return replace(ARCHITECTURES[self.architecture], image_size=self.image_size)


def load_geometry(name: str | Path) -> Geometry:
    """Read a geometry: a name of `list_geometries`, or a file.

    Raises:
        UserError: there is no such geometry, or its file has a mistake.
    """
    if str(name) in list_geometries():
        path = CONFIGS / "speed" / f"{name}.py"
    elif str(name).endswith(".py"):
        path = find_config(name)
    else:
        raise UserError(
            f"unknown geometry {str(name)!r}: {suggest(str(name), list_geometries())} (or a file)"
        )
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
