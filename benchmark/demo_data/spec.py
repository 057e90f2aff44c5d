"""How much demo data is drawn, and from which seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from pydantic import Field, model_validator

from common.settings import Settings, checked

#: Raised whenever the same spec would give other bytes (art, layout, text, file names).
DRAWING_VERSION = 2

Art: TypeAlias = Literal["openmoji", "twemoji"]
Wording: TypeAlias = Literal["web", "clean", "noisy", "rare"]

#: Fields that came later: where they have their defaults, what was drawn before is the same.
LATER_FIELDS = ("captions", "art")

#: Which fields each part depends on: a part is redrawn only when one of its own fields changed.
PART_FIELDS: dict[str, tuple[str, ...]] = {
    "pairs": ("seed", "concepts", "image_size", "pairs", "val_pairs", "pairs_per_shard", "captions"),
    "classification": (
        "seed",
        "test_seed",
        "concepts",
        "image_size",
        "classes",
        "class_train",
        "class_val",
        "class_test",
        "art",
    ),
    "shifted": (
        "seed",
        "test_seed",
        "concepts",
        "image_size",
        "classes",
        "class_test",
        "class_shifted",
        "art",
    ),
    "coco": (
        "seed",
        "test_seed",
        "concepts",
        "categories",
        "instances_train",
        "instances_val",
        "instances_test",
        "art",
    ),
    "ade20k": (
        "seed",
        "test_seed",
        "concepts",
        "things",
        "semantic_train",
        "semantic_val",
        "semantic_test",
        "art",
    ),
}


def _number(lowest: int, highest: int, default: int) -> Any:
    return Field(default, ge=lowest, le=highest, strict=True)


class DemoSpec(Settings):
    """Sizes and seed of the demo data; the defaults are the full demo.

    Attributes:
        seed: everything drawn depends on this and on nothing else,
        test_seed: but for the test splits of the transfer tasks, which depend on this; `seed` where it is not
            given. Raise it to replace test images that a choice was made on; everything else stays as it was.
        concepts: how many of the object concepts are used at all (spread evenly over the table).
        image_size: side of pre-training and classification images, in pixels.
        pairs, val_pairs: image-text pairs for pre-training and for watching it.
        pairs_per_shard: pairs in one WebDataset tar file.
        classes: concepts that are classes of the classification task.
        class_train, class_val, class_test: images per class.
        class_shifted: of the test images of a class, how many are there again in corrupted versions.
        categories: concepts that are categories of the detection task (COCO format).
        instances_train, instances_val, instances_test: images of the detection task.
        things: concepts that are classes of the segmentation task, beside every background;
            other concepts are drawn there too, as index 0 ("other").
        semantic_train, semantic_val, semantic_test: images of the segmentation task.
        captions: how those of the pairs are worded: ``web`` as untidy as the web's, ``clean`` with all that
            is there and nothing else, ``noisy`` with less, and more of it wrong, ``rare`` with half of the
            things called by the name of a kind of them.
        art: whose pictures the transfer tasks show; pre-training's own (``twemoji``) to choose recipes by.
    """

    seed: int = _number(0, 2**32 - 1, 0)
    test_seed: int = _number(0, 2**32 - 1, 0)
    concepts: int = _number(2, 150, 150)
    image_size: int = _number(48, 512, 96)
    pairs: int = _number(1, 1_000_000, 12_000)
    val_pairs: int = _number(1, 100_000, 1_000)
    pairs_per_shard: int = _number(1, 10_000, 1_000)
    classes: int = _number(2, 150, 80)
    class_train: int = _number(1, 10_000, 8)
    class_val: int = _number(1, 10_000, 5)
    class_test: int = _number(1, 10_000, 30)
    class_shifted: int = _number(1, 10_000, 4)
    categories: int = _number(1, 90, 24)
    instances_train: int = _number(1, 100_000, 600)
    instances_val: int = _number(1, 100_000, 60)
    instances_test: int = _number(1, 100_000, 400)
    things: int = _number(1, 138, 24)
    semantic_train: int = _number(1, 100_000, 200)
    semantic_val: int = _number(1, 100_000, 50)
    semantic_test: int = _number(1, 100_000, 200)
    captions: Wording = "web"
    art: Art = "openmoji"

    @model_validator(mode="before")
    @classmethod
    def _draw_test_like_train(cls, values: dict[str, Any]) -> dict[str, Any]:
        own = values.get("test_seed") is not None
        return values if own else {**values, "test_seed": values.get("seed", 0)}

    @model_validator(mode="after")
    def _have_enough_concepts(self) -> DemoSpec:
        for name in ("classes", "categories", "things"):
            if getattr(self, name) > self.concepts:
                raise ValueError(
                    f"{name}={getattr(self, name)} is more than concepts={self.concepts}; "
                    f"lower {name} or raise concepts"
                )
        return self

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> DemoSpec:
        """The spec a config's ``dict(...)`` describes; fields left out keep their defaults.

        Raises:
            UserError: a field is unknown, not a whole number or out of range, or a task asks for more
                concepts than there are.
        """
        return checked(cls, values, "demo data")

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

    def to_dict(self) -> dict[str, int | str]:
        """All fields, in order, for ``prepared.json``."""
        return self.model_dump()

    def part(self, name: str) -> dict[str, int | str]:
        """The fields that part ``name`` (see ``PART_FIELDS``) depends on."""
        found = {field: getattr(self, field) for field in PART_FIELDS[name]}
        usual = {field: type(self).model_fields[field].default for field in LATER_FIELDS}
        return {field: value for field, value in found.items() if value != usual.get(field)}
