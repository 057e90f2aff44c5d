"""A suite that an earlier version finished: its results still hold, and its tables are the same to the byte.

tests/fixtures/finished_suite is the demo, run at commit c32847b9 (schema version 2): records,
configs and tables.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmark.records.store import find_records
from benchmark.reporting import tables
from benchmark.reporting.results import of_suite
from benchmark.suites.cell import load_task_config
from benchmark.suites.suite import load_suite
from common.digest import digest

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "finished_suite"
RECORDS = list(find_records(FIXTURE))
SUITE = """
data = dict(demo_classification="c", demo_coco="d", demo_ade20k="s", pairs="p")
pretraining = dict(clip="pretraining/demo_clip.py", catlip="pretraining/demo_catlip.py")
backbones = dict(
    random="random:vit_mini_conv16",
    clip="run:{suite}/pretrain/clip",
    catlip="run:{suite}/pretrain/catlip",
)
tasks = [
    "classification/demo_linear_probe.py",
    "detection/demo_mask_rcnn.py",
    "segmentation/demo_deeplabv3.py",
]
"""
"""The demo as it was then."""
RESULTS = "/home/somebody/catlip/results"  # the folder it was run in


def test_all_records_are_read():
    assert len(RECORDS) == 9 and all(record.status == "done" for _, record in RECORDS)
    assert {record.schema_version for _, record in RECORDS} == {2}


@pytest.mark.parametrize(("folder", "record"), RECORDS, ids=lambda value: getattr(value, "command", ""))
def test_the_fingerprints_are_what_they_were(folder, record):
    config = load_task_config(folder / "config.py").config_digest()
    assert config == record.task.config_digest
    identity = {
        "config": config,
        "backbone": record.backbone.digest,
        "seed": record.seed,
        "data": record.data.digest,
        "protocol": record.task.protocol,
    }
    assert digest(identity) == record.fingerprint


def test_random_weights_are_told_apart_as_they_were():
    from backbones.catalog import backbone_digest

    digests = {record.backbone.digest for _, record in RECORDS if record.backbone.name == "random"}
    assert digests == {backbone_digest("random:vit_mini_conv16")}


def test_the_tables_are_the_same_to_the_byte(tmp_path):
    shutil.copytree(FIXTURE, tmp_path / "demo", ignore=shutil.ignore_patterns("tables"))
    (tmp_path / "demo.py").write_text(SUITE, encoding="utf-8")
    written = tables.write(of_suite(load_suite(str(tmp_path / "demo.py"), tmp_path)))
    assert {path.name for path in written} == {path.name for path in (FIXTURE / "tables").iterdir()}
    for path in written:
        expected = (FIXTURE / "tables" / path.name).read_text(encoding="utf-8")
        # commands are those of the records; the suite's own backbones are named by where it is now
        text = path.read_text(encoding="utf-8").replace(str(tmp_path), RESULTS)
        assert text == expected, path.name
