"""COCO's instances files: how one is read, and what is wrong with its entries before a library meets them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from common.errors import UserError, first_line, quoted

KEYS = ("images", "annotations", "categories")
MOST_PIXELS = 1 << 28
"""Of a picture: more make masks that no memory holds."""
_SHOWN = 3  # kinds of faults in one message
_WIDEST_RUN = 7  # characters of a compressed run length: 35 bits


def read_instances(file: Path, objects: bool = True) -> dict[str, Any]:
    """What an instances file holds, every entry of which can be used.

    Args:
        file: the json.
        objects: boxes, masks and sizes are needed; else names and categories alone.

    Raises:
        UserError: it cannot be read, is none, or has broken entries: how many, and the first of each kind.
    """
    content = _parsed(file)
    images, annotations, categories = (content[key] for key in KEYS)
    _refuse(file, "categories", categories, _category_fault)
    _refuse(file, "images", images, _sized_image_fault if objects else _image_fault)
    for key, field in (("images", "id"), ("categories", "id"), ("categories", "name")):
        _refuse_twice(file, key, field, content[key])
    _refuse(file, "annotations", annotations, _Annotations(images, categories, objects).fault)
    if objects:
        _refuse_twice(file, "annotations", "id", annotations)
        if all(annotation["iscrowd"] for annotation in annotations):
            raise UserError(
                f"{file}: all {len(annotations)} annotations are crowds (iscrowd), none is an object"
            )
    return content


def odd(content: dict[str, Any]) -> dict[str, int]:
    """How many annotations of a file that `read_instances` read are odd without being wrong, by what is."""
    images = {image["id"]: image for image in content["images"]}
    boxes = masks = 0
    for annotation in content["annotations"]:
        image, (x, y, width, height) = images[annotation["image_id"]], annotation["bbox"]
        # COCO's own boxes overshoot by fractions of a pixel
        boxes += min(x, y) < 0 or x + width > image["width"] + 1 or y + height > image["height"] + 1
        if isinstance(annotation["segmentation"], list):
            masks += all(_misses(polygon, image) for polygon in annotation["segmentation"])
    found = {"boxes reach beyond their image": boxes, "masks lie outside of their image": masks}
    return {words: number for words, number in found.items() if number}


def _parsed(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError:
        raise UserError(f"{file} cannot be read (lists within lists, too deep): it is no COCO file") from None
    except MemoryError:
        raise UserError(f"{file} cannot be read: it does not fit into memory") from None
    except FileNotFoundError:
        raise UserError(
            f"{file} does not exist: give the folder that holds annotations/ with --data NAME=PATH"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({first_line(error)}): download it again") from None
    if not isinstance(content, dict):
        raise UserError(
            f"{file} is no COCO annotation file: it must be an object with images, annotations, categories"
        )
    for key in KEYS:
        if not content.get(key):
            raise UserError(f"{file} has no {key}: it is no COCO instances file")
        if not isinstance(content[key], list):
            raise UserError(f"{file}: {key} is no list: it is no COCO instances file")
    return content


def _refuse(file: Path, key: str, entries: list[Any], fault: Callable[[Any], str | None]) -> None:
    """Refuse entries with a fault: one line with the number of each kind and its first."""
    kinds: dict[str, list[str]] = {}
    for place, entry in enumerate(entries):
        if words := fault(entry):
            kinds.setdefault(words.partition(" (")[0], []).append(f"{_called(key, entry, place)} {words}")
    if not kinds:
        return
    told = [
        f"{len(found)}, of which the first {found[0]}" if len(found) > 1 else found[0]
        for found in list(kinds.values())[:_SHOWN]
    ]
    more = f"; and {len(kinds) - _SHOWN} kinds of faults more" if len(kinds) > _SHOWN else ""
    number = sum(map(len, kinds.values()))
    raise UserError(
        f"{file}: {number} of {len(entries)} {key} cannot be used: {'; '.join(told)}{more}: "
        "mend or remove them"
    )


def _called(key: str, entry: Any, place: int) -> str:
    """What to call an entry in a message: by its id where it has one that is short."""
    number = entry.get("id") if isinstance(entry, dict) else None
    kind = {"images": "image", "annotations": "annotation", "categories": "category"}[key]
    return f"({kind} {number})" if _whole(number) else f"({kind} no. {place + 1} of the list)"


def _refuse_twice(file: Path, key: str, field: str, entries: list[dict[str, Any]]) -> None:
    seen, twice = set(), []
    for entry in entries:
        (twice.append if entry[field] in seen else seen.add)(entry[field])
    if twice:
        raise UserError(
            f"{file}: {len(twice)} {key} have an {field} that is used twice, "
            f"for instance {quoted(twice[0])}: give each its own"
        )


def _category_fault(category: Any) -> str | None:
    if not isinstance(category, dict):
        return "is no object"
    if not _whole(category.get("id")):
        return "has no id that is a whole number"
    return None if _text(category.get("name")) else "has no name"


def _image_fault(image: Any) -> str | None:
    if not isinstance(image, dict):
        return "is no object"
    if not _whole(image.get("id")):
        return "has no id that is a whole number"
    name = image.get("file_name")
    if not _text(name) or "\0" in name:
        return "has no file_name"
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return f"has a file_name that leads out of the folder of images ({quoted(name)})"
    return None


def _sized_image_fault(image: Any) -> str | None:
    if fault := _image_fault(image):
        return fault
    sides = [image.get("width"), image.get("height")]
    if not all(_whole(side) and side > 0 for side in sides) or sides[0] * sides[1] > MOST_PIXELS:
        return f"has no width and height in pixels ({quoted(sides)})"
    return None


class _Annotations:
    """Looks at annotations of these images and categories."""

    def __init__(self, images: list[dict], categories: list[dict], objects: bool) -> None:
        self.images = {image["id"]: image for image in images}
        self.categories = {category["id"] for category in categories}
        self.objects = objects

    def fault(self, annotation: Any) -> str | None:
        if not isinstance(annotation, dict):
            return "is no object"
        number, category = annotation.get("image_id"), annotation.get("category_id")
        if not _whole(number) or number not in self.images:
            return f"belongs to no image (image_id {quoted(number)})"
        if not _whole(category) or category not in self.categories:
            return f"has a category_id that categories does not list (category_id {quoted(category)})"
        return self._object_fault(annotation, self.images[number]) if self.objects else None

    def _object_fault(self, annotation: dict[str, Any], image: dict[str, Any]) -> str | None:
        if not _whole(annotation.get("id")):
            return "has no id that is a whole number"
        box, area, crowd = (annotation.get(key) for key in ("bbox", "area", "iscrowd"))
        if not isinstance(box, list) or len(box) != 4 or not _numbers(box) or min(box[2:]) < 0:
            return f"has no bbox of four numbers, x, y, width, height ({quoted(box)})"
        if max(map(abs, box)) > MOST_PIXELS:
            return f"has a bbox far outside of its image ({quoted(box)})"
        if not _numbers([area]) or area < 0:
            return f"has no area that is a number ({quoted(area)})"
        if not isinstance(crowd, int) or crowd not in (0, 1):
            return f"has no iscrowd that is 0 or 1 ({quoted(crowd)})"
        mask = annotation.get("segmentation")
        if not mask:
            return "has no segmentation: Mask R-CNN needs masks"
        if isinstance(mask, dict):
            return _rle_fault(mask, image)
        if not isinstance(mask, list):
            return f"has a segmentation that is neither polygons nor run lengths ({quoted(mask)})"
        return next((fault for polygon in mask if (fault := _polygon_fault(polygon, image))), None)


def _polygon_fault(polygon: Any, image: dict[str, Any]) -> str | None:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        return "has a polygon that is no list of at least three points x, y"
    if not _numbers(polygon):
        return "has a polygon with coordinates that are no numbers"
    for values, side in ((polygon[::2], image["width"]), (polygon[1::2], image["height"])):
        # a mask is drawn along its outline, however far away that is
        if min(values) < -side or max(values) > 2 * side:
            return f"has a polygon far outside of its image ({image['width']}x{image['height']})"
    return None


def _misses(polygon: list[float], image: dict[str, Any]) -> bool:
    return any(
        max(values) <= 0 or min(values) >= side
        for values, side in ((polygon[::2], image["width"]), (polygon[1::2], image["height"]))
    )


def _rle_fault(mask: dict[str, Any], image: dict[str, Any]) -> str | None:
    """What is wrong with run lengths: they must fill their image exactly, or C code reads past their end."""
    size, counts = [image["height"], image["width"]], mask.get("counts")
    if mask.get("size") != size:
        return f"has a mask of another size than its image ({quoted(mask.get('size'))}, not {size})"
    pixels = size[0] * size[1]
    if isinstance(counts, list):
        sound = all(_whole(count) and count >= 0 for count in counts) and sum(counts) == pixels
    else:
        runs = run_lengths(counts) if isinstance(counts, str) else None
        # none above `pixels`, their sum is that of whole numbers
        sound = runs is not None and runs.min() >= 0 and runs.max() <= pixels and runs.sum() == pixels
    return None if sound else "has a mask whose run lengths do not fill its image"


def run_lengths(counts: str) -> np.ndarray | None:
    """The run lengths [runs] int64 that a compressed mask stands for; None where it is none.

    Six bits a character from ``0`` on: five of the number, the lowest first, and whether more follow; from
    the fourth on a number is the difference to the one before the last.
    """
    if not counts or not counts.isascii():
        return None
    codes = np.frombuffer(counts.encode("ascii"), dtype=np.uint8).astype(np.int64) - 48
    if codes.min() < 0 or codes.max() > 63:
        return None
    ends = np.flatnonzero(codes & 32 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if not len(ends) or ends[-1] != len(codes) - 1 or (ends - starts).max() >= _WIDEST_RUN:
        return None
    places = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    numbers = np.add.reduceat((codes & 31) << (5 * places), starts)
    numbers -= np.where(codes[ends] & 16, np.int64(1) << (5 * (ends - starts + 1)), 0)
    for first in (1, 2):
        numbers[first::2] = np.cumsum(numbers[first::2])
    return numbers


def _whole(value: Any) -> bool:
    return type(value) is int and -(2**62) < value < 2**62


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _numbers(values: Iterable[Any]) -> bool:
    """Whether all are finite numbers."""
    if not {type(value) for value in values} <= {int, float}:
        return False
    try:
        total = float(sum(values))
    except OverflowError:
        return False
    return total - total == 0
