"""Whatever a file of annotations or pictures holds: it is read, or refused in one line."""

from __future__ import annotations

import copy
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from examples import QUICK
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as masks

from benchmark.data.ade20k import class_kinds, class_names, label_fault
from benchmark.data.images import decode, size_fault
from benchmark.data.instances import odd, read_instances, run_lengths
from benchmark.data.manifest import read
from common.errors import UserError

SOUND = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 6}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {
            "id": number,
            "image_id": 1,
            "category_id": 1,
            "bbox": [1, 1, 4, 4],
            "area": 16,
            "iscrowd": 0,
            "segmentation": mask,
        }
        for number, mask in enumerate(
            ([[1, 1, 5, 1, 5, 5]], {"size": [6, 8], "counts": [8, 16, 24]}, {"size": [6, 8], "counts": "`1"}),
            1,
        )
    ],
}


def anything():
    """Any JSON value, the odd ones first."""
    leaves = st.one_of(
        st.sampled_from([None, True, 0, -1, 1, 10**30, float("nan"), float("inf"), "", "../a", "\0"]),
        st.integers(),
        st.floats(),
        st.text(max_size=6),
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )


@st.composite
def instances_files(draw):
    """A sound instances file of which some entries are replaced or taken away, as bytes; or any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=60))
    content = copy.deepcopy(SOUND)
    for _ in range(draw(st.integers(0, 3))):
        node = draw(
            st.sampled_from([content, *content["images"], *content["categories"], *content["annotations"]])
        )
        key = draw(st.sampled_from(sorted(node) or ["id"]))
        if draw(st.booleans()) or key in ("images", "categories", "annotations"):
            node[key] = draw(anything())
        else:
            node.pop(key, None)
        if not all(isinstance(content[key], list) and content[key] for key in SOUND):
            break
        if not all(isinstance(entry, dict) for key in SOUND for entry in content[key]):
            break
    return json.dumps(content).encode("utf-8", "surrogatepass")


def compressed_counts():
    """Run lengths as they may stand in a file: of the right characters, torn, or any text."""
    right = st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=20)
    return right | st.text(max_size=12)


def tables():
    """Texts that look like a csv."""
    cell = st.sampled_from(["", "a.png", "b.png", "../c.png", "/d", "a|b", "train", "0", "1", "2", "x", '"'])
    row = st.lists(cell | st.text(max_size=5), max_size=4).map(",".join)
    head = st.sampled_from(
        ["path,label", "path,label,split", "index,name", "index,name,kind", "", "\ufeffpath"]
    )
    return st.tuples(head, st.lists(row, max_size=5)).map(lambda parts: "\n".join([parts[0], *parts[1]]))


def _file(**kinds):
    found = io.BytesIO()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(found, **kinds)
    return found.getvalue()


WHOLE = [_file(format=kind) for kind in ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP")]


@st.composite
def pictures(draw):
    """Bytes of a small picture, some of them changed, or cut."""
    data = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def read_or_refused(act):
    """What `act` returns; None where it refuses in one line."""
    try:
        return act()
    except UserError as error:
        assert "\n" not in str(error) and "\x1b" not in str(error)
        return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzzed")


def try_instances(content, folder):
    """Annotations that are read can be drawn by pycocotools."""
    file = folder / "instances_train.json"
    file.write_bytes(content)
    found = read_or_refused(lambda: read_instances(file))
    if found is None:
        return
    odd(found)
    images = {image["id"]: image for image in found["images"]}
    for annotation in found["annotations"]:
        mask, image = annotation["segmentation"], images[annotation["image_id"]]
        if image["width"] * image["height"] > 1 << 20:
            continue
        if isinstance(mask, list) or isinstance(mask["counts"], list):
            mask = masks.frPyObjects(mask, image["height"], image["width"])
        mask = masks.merge(mask) if isinstance(mask, list) else mask
        assert masks.decode(mask).shape == (image["height"], image["width"])


def try_table(text, folder):
    """A table is a manifest, names of classes, or refused."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for name in ("manifest.csv", "classes.csv"):
            (Path(place) / name).write_text(text, encoding="utf-8", errors="surrogatepass")
        (Path(place) / "a.png").write_bytes(WHOLE[0])
        for row in read_or_refused(lambda: read(Path(place))) or []:
            assert (Path(place) / row.path).resolve().parent == Path(place).resolve()
        read_or_refused(lambda: (class_names(Path(place)), class_kinds(Path(place))))


def try_picture(data, folder):
    """A picture is RGB, or refused; its header and that of a label map say what is wrong in a line."""
    found = read_or_refused(lambda: decode(data, "it"))
    assert found is None or found.mode == "RGB"
    file = folder / "a.png"
    file.write_bytes(data)
    for fault in (size_fault(file), label_fault(file, (8, 6))):
        assert fault is None or "\n" not in fault


def try_counts(counts, folder):
    """Run lengths that could fill a mask are those that pycocotools reads."""
    runs = run_lengths(counts)
    if runs is not None and runs.min() >= 0 and 0 < runs.sum() < 10_000:
        size = [int(runs.sum()), 1]
        plain = masks.frPyObjects({"size": size, "counts": runs.tolist()}, *size)
        assert np.array_equal(masks.decode(plain), masks.decode({"size": size, "counts": counts}))


@QUICK
@given(instances_files())
def test_any_instances_file(folder, content):
    try_instances(content, folder)


@QUICK
@given(tables())
def test_any_table(folder, text):
    try_table(text, folder)


@QUICK
@given(pictures())
@pytest.mark.filterwarnings("ignore")  # Pillow's, of altered metadata
def test_any_picture(folder, data):
    try_picture(data, folder)


@QUICK
@given(compressed_counts())
def test_any_run_lengths(folder, counts):
    try_counts(counts, folder)
