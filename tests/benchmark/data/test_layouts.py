"""What every layout of data answers."""

import pytest
from dense_data import write_ade20k, write_coco
from image_data import draw_images

from benchmark import tasks
from benchmark.data import LAYOUTS, layout_of, layouts, load_layout
from benchmark.suites.suite import load_task_config
from common.configs import CONFIGS
from common.errors import UserError

MINE = """
from benchmark.data.base import DataLayout, DataCheck


class Csv(DataLayout):
    name = "csv"
    holds = "images.csv"

    def glance(self, path):
        return None if (path / "images.csv").is_file() else "no images.csv"

    def check(self, path):
        path = self.folder(path)
        return DataCheck("fine")
"""


@pytest.fixture
def folders(tmp_path, pairs):
    return {
        "image_folder": draw_images(tmp_path / "image_folder"),
        "coco": write_coco(tmp_path / "coco", {"train": 2, "val": 1}, 48),
        "ade20k": write_ade20k(tmp_path / "ade20k", {"training": 1, "validation": 1}, 32),
        "pairs": pairs,
    }


def test_each_tells_its_own_data_from_others(folders, tmp_path):
    assert list(folders) == list(LAYOUTS) == [layout.name for layout in layouts()]
    (tmp_path / "empty").mkdir()
    for layout in layouts():
        assert [name for name, folder in folders.items() if layout.glance(folder) is None] == [layout.name]
        assert layout.glance(tmp_path / "empty").startswith("no ")
        assert layout.one_folder_down(tmp_path) == folders[layout.name]
        assert layout.one_folder_down(tmp_path / "empty") is None
        assert layout.check(folders[layout.name]).summary.startswith(f"{folders[layout.name]}: ")
        with pytest.raises(UserError, match="did you mean"):
            layout.check(tmp_path)
        with pytest.raises(UserError, match="does not exist: give the folder that holds"):
            layout.check(tmp_path / "gone")


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("coco", "coco"),
        ("my_coco", "coco"),
        ("imagenet1k", "image_folder"),
        ("small_classification", "image_folder"),
        ("places365", "image_folder"),
        ("pairs", "pairs"),
    ],
)
def test_names_tell_the_layout(name, layout):
    assert layout_of(name).name == load_layout(name).name == layout


def test_other_names_tell_nothing():
    assert layout_of("coco1") is None and layout_of("mine") is None
    with pytest.raises(UserError, match=r"no layout of data called 'coc': did you mean coco\?"):
        load_layout("coc")


def test_a_layout_from_outside_can_be_named(tmp_path, monkeypatch):
    (tmp_path / "my_layouts.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = load_layout("my_layouts:Csv")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "images.csv").touch()
    assert mine.check(tmp_path / "inner").summary == "fine"
    with pytest.raises(UserError, match=r"has no images\.csv: did you mean .*inner\?"):
        mine.check(tmp_path)
    for missing in ("my_layouts:Gone", "no_such_module:Csv"):
        with pytest.raises(UserError, match="cannot be imported"):
            load_layout(missing)


def test_data_of_every_config_are_named_after_the_layout_its_task_reads():
    for path in CONFIGS.glob("*/*.py"):
        if path.parent.name not in ("suites", "pretraining", "speed"):
            task = load_task_config(path, data=["images"])
            # of any name, and not of images in folders: nothing is known by it
            generic = task.path.stem in {"image_text", "mask_rcnn", "deeplabv3", "multilabel"}
            layout = tasks.task_type(task.type).layout
            assert generic or layout_of(task.data_name).name == layout
