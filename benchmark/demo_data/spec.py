"""How much demo data is drawn, and from which seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from common.errors import UserError

#: Raised whenever the same spec would give other bytes (art, layout, text, file names).
DRAWING_VERSION = 2

#: Which fields each part depends on: a part is redrawn only when one of its own fields changed.
PART_FIELDS: dict[str, tuple[str, ...]] = {
    "pairs": ("seed", "concepts", "image_size", "pairs", "val_pairs", "pairs_per_shard"),
    "classification": (
        "seed",
        "test_seed",
        "concepts",
        "image_size",
        "classes",
        "class_train",
        "class_val",
        "class_test",
    ),
    "coco": (
        "seed",
        "test_seed",
        "concepts",
        "categories",
        "instances_train",
        "instances_val",
        "instances_test",
    ),
    "ade20k": ("seed", "test_seed", "concepts", "things", "semantic_train", "semantic_val", "semantic_test"),
}

_RANGES: dict[str, tuple[int, int]] = {
    "seed": (0, 2**32 - 1),
    "test_seed": (0, 2**32 - 1),
    "concepts": (2, 150),
    "image_size": (48, 512),
    "pairs": (1, 1_000_000),
    "val_pairs": (1, 100_000),
    "pairs_per_shard": (1, 10_000),
    "classes": (2, 150),
    "class_train": (1, 10_000),
    "class_val": (1, 10_000),
    "class_test": (1, 10_000),
    "categories": (1, 90),
    "instances_train": (1, 100_000),
    "instances_val": (1, 100_000),
    "instances_test": (1, 100_000),
    "things": (1, 138),
    "semantic_train": (1, 100_000),
    "semantic_val": (1, 100_000),
    "semantic_test": (1, 100_000),
}


@dataclass(frozen=True, kw_only=True)
class DemoSpec:
    """Sizes and seed of the demo data; the defaults are the full demo.

    Attributes:
        seed: everything drawn depends on this and on nothing else,
        test_seed: but for the test splits of the transfer tasks, which depend on this. None: `seed`. Raise it
            to replace test images that a choice was made on; everything else stays as it was.
        concepts: how many of the object concepts are used at all (spread evenly over the table).
        image_size: side of pre-training and classification images, in pixels.
        pairs, val_pairs: image-text pairs for pre-training and for watching it.
        pairs_per_shard: pairs in one WebDataset tar file.
        classes: concepts that are classes of the classification task.
        class_train, class_val, class_test: images per class.
        categories: concepts that are categories of the detection task (COCO format).
        instances_train, instances_val, instances_test: images of the detection task.
        things: concepts that are classes of the segmentation task, beside every background;
            other concepts are drawn there too, as index 0 ("other").
        semantic_train, semantic_val, semantic_test: images of the segmentation task.

    Raises:
        UserError: a field is unknown, not a whole number or out of range, or a task asks for more concepts
            than there are.
    """

    seed: int = 0
    test_seed: int | None = None
    concepts: int = 150
    image_size: int = 96
    pairs: int = 12_000
    val_pairs: int = 1_000
    pairs_per_shard: int = 1_000
    classes: int = 80
    class_train: int = 8
    class_val: int = 5
    class_test: int = 30
    categories: int = 24
    instances_train: int = 240
    instances_val: int = 60
    instances_test: int = 400
    things: int = 24
    semantic_train: int = 200
    semantic_val: int = 50
    semantic_test: int = 200

    def __new__(cls, **values: Any) -> DemoSpec:
        """Refuse unknown fields as the user's error: specs come from config files."""
        unknown = sorted(set(values) - set(_RANGES))
        if unknown:
            raise UserError(f"demo data: no such field {unknown[0]!r}; the fields are {', '.join(_RANGES)}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if self.test_seed is None:
            object.__setattr__(self, "test_seed", self.seed)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise UserError(f"demo data: {field.name} must be a whole number, not {value!r}")
            low, high = _RANGES[field.name]
            if not low <= value <= high:
                raise UserError(f"demo data: {field.name} must be {low} to {high}, not {value}")
        for name in ("classes", "categories", "things"):
            if getattr(self, name) > self.concepts:
                raise UserError(
                    f"demo data: {name}={getattr(self, name)} is more than concepts={self.concepts}; "
                    f"lower {name} or raise concepts"
                )

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> DemoSpec:
        """The spec a config's ``dict(...)`` describes; fields left out keep their defaults."""
        return cls(**dict(values))

    @classmethod
    def smoke(cls, **changes: Any) -> DemoSpec:
        """A spec that draws in about two seconds, for tests and dry runs; ``changes`` override its fields."""
        small: dict[str, Any] = {
            "concepts": 12,
            "image_size": 64,
            "pairs": 400,
            "val_pairs": 50,
            "pairs_per_shard": 200,
            "classes": 6,
            "class_train": 4,
            "class_val": 2,
            "class_test": 4,
            "categories": 4,
            "instances_train": 8,
            "instances_val": 4,
            "instances_test": 4,
            "things": 4,
            "semantic_train": 8,
            "semantic_val": 4,
            "semantic_test": 4,
        }
        return cls(**{**small, **changes})

    def seed_of(self, split: str) -> int:
        """The seed that a split of a transfer task is drawn from."""
        return self.test_seed if split == "test" else self.seed

    def to_dict(self) -> dict[str, int]:
        """All fields, in order, for ``prepared.json``."""
        return asdict(self)

    def part(self, name: str) -> dict[str, int]:
        """The fields that part ``name`` (see ``PART_FIELDS``) depends on."""
        return {field: getattr(self, field) for field in PART_FIELDS[name]}
