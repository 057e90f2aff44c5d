"""Pictures: what backbones find on the same images, side by side; where they disagree; what lies nearest.

Which images are shown is decided without looking at anybody's result, or by a rule that treats all alike;
each gallery says by which. What is not on disk any more is left out.
"""

from __future__ import annotations

import colorsys
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from benchmark.data.ade20k import class_names
from benchmark.data.images import read_image
from benchmark.reporting.names import task_titles
from benchmark.reporting.page.blocks import Picture, Pictures, Words
from benchmark.reporting.results import Results, Row
from common.errors import UserError
from common.files import placed, within
from common.pictures import opened

if TYPE_CHECKING:
    import pandas

WIDTH = 200
"""Of a picture, in pixels."""
QUALITY = 72
IMAGES = 4
"""Rows of a gallery of detections, segmentations or neighbours."""
DISAGREEMENTS = 8
LEAST_SCORE = 0.3
"""Detections that are drawn have at least this score."""
MOST_BOXES = 8

LICENCES = "LICENCES.txt"
RIGHT, WRONG = "#1f6f4a", "#a33a1d"
PROBLEMS = (UserError, OSError, ValueError, KeyError, TypeError, IndexError, Image.DecompressionBombError)
"""What reading files that are gone, torn or of strangers may end in."""


def galleries(results: Results) -> list[Pictures]:
    """All galleries that the files on disk allow."""
    titles, found = task_titles(results), []
    for task in results.tasks:
        rows = _first_rows(results, task)
        if not rows:
            continue
        make = MAKERS.get(next(iter(rows.values())).record.task.type)
        if make:
            try:
                found.append(make(titles[task], rows))
            except PROBLEMS:
                continue  # files are gone or torn
    return [gallery for gallery in found if gallery is not None and gallery.rows]


def credits(results: Results) -> list[Words]:
    """Whose pictures are shown, where the data say so: ``LICENCES.txt`` in their folder or the one above."""
    said: dict[str, None] = {}
    for row in results.rows:
        if row.status == "done" and row.record.task.type in MAKERS:
            root = placed(row.record.data.path)
            for file in (root / LICENCES, root.parent / LICENCES):
                if file.is_file() and file.stat().st_size < 10_000:
                    said[" ".join(file.read_text(encoding="utf-8", errors="replace").split())] = None
    return [Words(list(said))] if said else []


def _first_rows(results: Results, task: str) -> dict[str, Row]:
    """Backbone -> its first finished cell of a task."""
    found: dict[str, Row] = {}
    for row in sorted(results.rows, key=lambda row: (row.pretraining_seed or 0, row.seed)):
        if row.task == task and row.status == "done":
            found.setdefault(row.name, row)
    return {name: found[name] for name in results.backbones if name in found}


def detections(title: str, rows: dict[str, Row]) -> Pictures | None:
    """The surest detections of each backbone beside the annotated objects."""
    table = _table(rows, ["image_id", "file_name", "objects"])
    root = _data(rows)
    truth, folder = _annotations(root, set(table["image_id"]))
    names = {category["id"]: category["name"] for category in truth["categories"]}
    busy = table[(table["objects"] >= 2) & (table["objects"] <= 6)]
    chosen = _spaced(list(busy["image_id"]), IMAGES)
    objects = _by_image(truth["annotations"], chosen)
    found = {}
    for name, row in rows.items():
        file = row.folder / "detections.segm.json"
        found[name] = _by_image(json.loads(file.read_text(encoding="utf-8")), chosen)
    lines = []
    for image_id in chosen:
        file = within(folder, str(table[table["image_id"] == image_id]["file_name"].iloc[0]))
        if file is None:
            continue
        picture = read_image(file)
        draw = partial(_boxes, picture, names=names)
        line = [draw(objects[image_id], alt=f"annotated objects of {file.name}")]
        for name, each in found.items():
            sure = [entry for entry in each[image_id] if entry["score"] >= LEAST_SCORE]
            sure = sorted(sure, key=lambda entry: -entry["score"])[:MOST_BOXES]
            line.append(draw(sure, alt=f"what {name} detects on {file.name}"))
        lines.append(line)
    return Pictures(
        f"{title}: detections",
        "Test images with 2 to 6 objects, evenly spaced over their numbers; detections of score "
        f"{LEAST_SCORE:g} and more, at most {MOST_BOXES}.",
        ["annotated", *rows],
        lines,
    )


def segmentations(title: str, rows: dict[str, Row]) -> Pictures | None:
    """The classes that each backbone gives to pixels beside the annotated ones."""
    root = _data(rows)
    names = class_names(root)
    kept = [{file.stem for file in (row.folder / "predictions").glob("*.png")} for row in rows.values()]
    stems = _spaced(sorted(set.intersection(*kept)), IMAGES)
    lines, shown = [], set()
    for stem in stems:
        image = sorted(root.glob(f"images/*/{stem}.*"))[0]
        label = root / "annotations" / image.parent.name / f"{stem}.png"
        picture = read_image(image)
        maps = {"annotated": label}
        maps |= {name: row.folder / "predictions" / f"{stem}.png" for name, row in rows.items()}
        line = [_picture(picture, f"test image {stem}")]
        for name, file in maps.items():
            with opened(file, formats=("PNG",)) as drawn:
                classes = np.asarray(drawn)
            if classes.ndim != 2 or classes.shape != picture.size[::-1]:
                raise ValueError(f"{file} is no map of {image}")
            shown |= set(np.unique(classes)) - {0} if name == "annotated" else set()
            line.append(_classes(classes, f"{name}: classes of {stem}"))
        lines.append(line)
    legend = ", ".join(names[index - 1] for index in sorted(shown)) if names else ""
    return Pictures(
        f"{title}: segmentations",
        "Test images evenly spaced over their names; a class has one colour everywhere, black is unlabelled.",
        ["image", "annotated", *rows],
        lines,
        [f"Annotated classes: {legend}."] if legend else [],
    )


def disagreements(title: str, rows: dict[str, Row]) -> Pictures | None:
    """The images on which backbones disagree most."""
    if len(rows) < 2:
        return None
    root, tables = _data(rows), {}
    for name, row in rows.items():
        table = _table({name: row}, ["path", "label", "prediction", "correct", "probability"])
        tables[name] = table
    first, *others = tables.values()
    if any(table["path"].tolist() != first["path"].tolist() for table in others):
        return None
    classes = _class_names(first)
    sure = np.stack([table["probability"].to_numpy() for table in tables.values()])
    right = np.stack([table["correct"].to_numpy(dtype=bool) for table in tables.values()])
    chosen: list[int] = []
    share = max(1, DISAGREEMENTS // len(tables))
    for index in range(len(tables)):  # as many in favour of each
        gap = sure[index] - np.delete(sure, index, axis=0).max(axis=0)
        alone = right[index] & ~np.delete(right, index, axis=0).any(axis=0)
        best = [place for place in np.argsort(-gap, kind="stable") if alone[place]][:share]
        chosen += [int(place) for place in best]
    lines: list[list[Picture | str]] = []
    for place in chosen:
        file = within(root, first["path"][place])
        if file is None:
            continue
        label = classes.get(int(first["label"][place]), str(first["label"][place]))
        line: list[Picture | str] = [
            _strip(root, [first["path"][place]], [None], f"test image {file.name}"),
            label,
        ]
        for table in tables.values():
            said = classes.get(int(table["prediction"][place]), str(table["prediction"][place]))
            mark = "right" if table["correct"][place] else "wrong"
            line.append(f"{said} ({mark}; {100 * table['probability'][place]:.0f} % for {label})")
        lines.append(line)
    return Pictures(
        f"{title}: where backbones disagree",
        "Test images that one backbone alone gets right, by how much more probability it gives to the true "
        f"class than any other; at most {share} for each.",
        ["image", "true class", *rows],
        lines,
    )


def neighbours(title: str, rows: dict[str, Row]) -> Pictures | None:
    """The images that each backbone finds nearest to the same ones."""
    root = _data(rows)
    tables = {name: _table({name: row}, ["path", "label", "nearest"]) for name, row in rows.items()}
    first = next(iter(tables.values()))
    label = dict(zip(first["path"], first["label"], strict=True))
    lines: list[list[Picture | str]] = []
    for place in _spaced(list(range(len(first))), IMAGES):
        path = first["path"][place]
        line: list[Picture | str] = [_strip(root, [path], [None], f"query {path}")]
        for name, table in tables.items():
            near = list(table["nearest"][place])[:3]
            marks = [label.get(other) == label[path] for other in near]
            same = sum(marks)
            told = f"nearest for {name}, {same} of {len(near)} of the query's class: {', '.join(near)}"
            line.append(_strip(root, near, marks, told))
        lines.append(line)
    return Pictures(
        f"{title}: nearest neighbours",
        "Queries evenly spaced over the test images, and the three nearest others; framed green where they "
        "are of the query's class, red where not.",
        ["query", *rows],
        lines,
    )


MAKERS = {
    "detection": detections,
    "segmentation": segmentations,
    "linear_probe": disagreements,
    "retrieval": neighbours,
}
"""Kind of task -> its gallery."""


def _data(rows: dict[str, Row]) -> Path:
    """Where the data of these cells are."""
    return placed(next(iter(rows.values())).record.data.path)


def _table(rows: dict[str, Row], columns: list[str]) -> pandas.DataFrame:
    import pandas

    row = next(iter(rows.values()))
    return pandas.read_parquet(row.folder / "per_image.parquet", columns=columns)


def _spaced(entries: list, count: int) -> list:
    """So many entries, evenly spaced."""
    count = min(count, len(entries))
    return [entries[index * len(entries) // count] for index in range(count)]


def _annotations(root: Path, images: set[int]) -> tuple[dict[str, Any], Path]:
    """The annotations of exactly these images, and their folder.

    Raises:
        ValueError: there are none.
    """
    for file in sorted((root / "annotations").glob("instances_*.json")):
        if "train" in file.stem:
            continue  # large, and never what is tested on
        content = json.loads(file.read_text(encoding="utf-8"))
        if {image["id"] for image in content["images"]} == images:
            return content, root / file.stem.removeprefix("instances_")
    raise ValueError(f"{root} has no annotations of the images tested")


def _by_image(entries: Iterable[dict[str, Any]], images: list[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {image: [] for image in images}
    for entry in entries:
        if entry["image_id"] in found:
            found[entry["image_id"]].append(entry)
    return found


def _class_names(table: pandas.DataFrame) -> dict[int, str]:
    """Label -> name, where images lie in folders of classes."""
    found: dict[int, str] = {}
    for path, label in zip(table["path"], table["label"], strict=True):
        if Path(path).parent.name:
            found.setdefault(int(label), Path(path).parent.name)
    return found if len(set(found.values())) == len(found) else {}


@dataclass(frozen=True)
class _Shape:
    """A box and, where there is one, a mask, on the picture as it is shown."""

    box: tuple[float, float, float, float]
    mask: np.ndarray | None


def _shape(entry: dict[str, Any], size: tuple[int, int], scale: float) -> _Shape:
    from pycocotools import mask as masks

    x, y, width, height = (scale * float(value) for value in entry["bbox"])
    segmentation, mask = entry.get("segmentation"), None
    if isinstance(segmentation, list) and segmentation:
        drawn = Image.new("L", size)
        for polygon in segmentation:
            ImageDraw.Draw(drawn).polygon([scale * float(value) for value in polygon], fill=255)
        mask = np.asarray(drawn) > 0
    elif isinstance(segmentation, dict):
        counts = segmentation["counts"]
        if isinstance(counts, list):
            segmentation = masks.frPyObjects(segmentation, *segmentation["size"])
        decoded = Image.fromarray(255 * masks.decode(segmentation))
        mask = np.asarray(decoded.resize(size, Image.Resampling.NEAREST)) > 0
    return _Shape((x, y, x + width, y + height), mask)


def _boxes(picture: Image.Image, entries: list[dict[str, Any]], names: dict[int, str], alt: str) -> Picture:
    """A picture with boxes, masks and names of objects."""
    scale = WIDTH / picture.width
    small = picture.resize((WIDTH, max(1, round(picture.height * scale))), Image.Resampling.LANCZOS)
    shapes = [_shape(entry, small.size, scale) for entry in entries]
    pixels = np.asarray(small, dtype=np.float32)
    for entry, shape in zip(entries, shapes, strict=True):
        if shape.mask is not None:
            colour = np.array(_colour(entry["category_id"]), dtype=np.float32)
            pixels = np.where(shape.mask[..., None], 0.6 * pixels + 0.4 * colour, pixels)
    small = Image.fromarray(pixels.round().astype(np.uint8))
    draw, font = ImageDraw.Draw(small), ImageFont.load_default(size=11)
    told = []
    for entry, shape in zip(entries, shapes, strict=True):
        text = str(names.get(entry["category_id"], entry["category_id"]))
        text += f" {100 * entry['score']:.0f}" if "score" in entry else ""
        told.append(text)
        draw.rectangle(shape.box, outline=_colour(entry["category_id"]), width=2)
        at = (max(0, min(shape.box[0], WIDTH - 40)), max(0, shape.box[1] - 12))
        draw.rectangle(draw.textbbox(at, text, font=font), fill="#000000")
        draw.text(at, text, fill="#ffffff", font=font)
    return _encoded(small, f"{alt}: {', '.join(told) or 'nothing'}")


def _classes(classes: np.ndarray, alt: str) -> Picture:
    table = np.array([(0, 0, 0), *(_colour(index) for index in range(1, 256))], dtype=np.uint8)
    return _picture(Image.fromarray(table[classes]), alt, Image.Resampling.NEAREST)


def _strip(root: Path, paths: list[str], marks: list[bool | None], alt: str) -> Picture:
    """Pictures beside each other, framed by whether they are what was looked for."""
    side, border = 72, 4
    strip = Image.new("RGB", (len(paths) * (side + 2 * border), side + 2 * border), "#ffffff")
    for place, (path, mark) in enumerate(zip(paths, marks, strict=True)):
        file = within(root, path)
        if file is None:
            raise ValueError(f"{path} is not in the data folder")
        small = ImageOps.fit(read_image(file), (side, side))
        framed = ImageOps.expand(small, border, "#ffffff" if mark is None else RIGHT if mark else WRONG)
        strip.paste(framed, (place * (side + 2 * border), 0))
    return _encoded(strip, alt)


def _picture(
    picture: Image.Image, alt: str, resample: Image.Resampling = Image.Resampling.LANCZOS
) -> Picture:
    height = max(1, round(picture.height * WIDTH / picture.width))
    return _encoded(picture.convert("RGB").resize((WIDTH, height), resample), alt)


def _encoded(picture: Image.Image, alt: str) -> Picture:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return Picture.of(buffer.getvalue(), "image/jpeg", alt, *picture.size)


def _colour(index: int) -> tuple[int, int, int]:
    """A class's colour, the same everywhere: hues a golden angle apart, in three shades of light."""
    red, green, blue = colorsys.hsv_to_rgb((0.11 + 0.618034 * index) % 1, 0.75, (1.0, 0.75, 0.5)[index % 3])
    return round(255 * red), round(255 * green), round(255 * blue)
