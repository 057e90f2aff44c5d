"""The tables of published figures: read whole, refused by file and line, linked to configs that exist."""

import pytest

from benchmark.records.published import FOLDER, Noise, Panel, Published, Reference, read_table
from common.configs import CONFIGS, read_config
from common.errors import UserError

HEADER = "task,metric,backbone,objective,pretraining_data,resolution,value,unit,source\n"
LINE = "coco,mAP,ViT-B/16,CLIP,CC3M,512,87.4,percent,paper table 3\n"


def test_every_figure_is_typed_and_has_a_source():
    figures = Reference().figures
    assert len(figures) > 50 and all(figure.source and figure.resolution >= 224 for figure in figures)
    assert all(0 < figure.value <= 100 for figure in figures)
    assert len(set(figures)) == len(figures)


def test_figures_may_be_in_several_files(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + LINE)
    (tmp_path / "b.csv").write_text(HEADER + LINE.replace("87.4", "88"))
    (tmp_path / "noise.csv").write_text("task,metric,floor,unit,source\ncoco,mAP,0.2,percent,me\n")
    reference = Reference(tmp_path)
    assert [figure.value for figure in reference.figures] == [87.4, 88.0]
    assert reference.noise == {("coco", "mAP"): 0.2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "figures.csv, line 1: there is no column 'backbone'"),
        (HEADER.replace("unit", "units") + LINE, "line 1: there is no column 'unit'"),
        (HEADER + LINE + LINE.replace("87.4", "much"), "line 3: value: Input should be a valid number"),
        (HEADER + LINE.replace("87.4", "nan"), "line 2: value: Input should be a finite number"),
        (HEADER + "coco,mAP\n", "line 2: fewer cells than columns"),
        (HEADER + LINE.strip() + ",again\n", "line 2: more cells than columns"),
        (HEADER + 'coco,"mAP\n', "line 1: unexpected end of data"),
        (HEADER + LINE + "\udcff", "'utf-8' codec can't decode"),
    ],
)
def test_a_damaged_table_is_refused_by_name_and_line(tmp_path, text, message):
    path = tmp_path / "figures.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError) as caught:
        read_table(path, Published)
    assert message in str(caught.value)
    assert "git checkout results/published" in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(UserError, match="holds no published figures"):
        _ = Reference(tmp_path).figures
    with pytest.raises(UserError, match=r"noise\.csv.*No such file"):
        read_table(tmp_path / "noise.csv", Noise)


def test_a_counterpart_is_a_config_of_the_project_and_none_of_its_name_elsewhere():
    reference = Reference()
    name = "classification/imagenet1k_finetune_vit_base.py"
    assert reference.counterpart(f"task_configs/{name}").task == "imagenet1k_finetune"
    for other in (name, f"/tmp/task_configs/{name}", f"../task_configs/{name}", "task_configs/probe.py"):
        assert reference.counterpart(other) is None


def test_every_counterpart_is_of_a_config_and_has_published_figures():
    reference = Reference()
    for line in reference.counterparts.values():
        config = read_config(CONFIGS / line.config)
        assert any(figure.task == line.task for figure in reference.figures), line
        if line.relation == "reproduces":
            assert config.task.data == line.data
            assert line.differs or line.task == "imagenet1k_zeroshot"
            figures = [figure for figure in reference.figures if figure.task == line.task]
            assert line.resolution in {figure.resolution for figure in figures}
    assert set(reference.noise) <= {(figure.task, figure.metric) for figure in reference.figures}


def test_every_config_whose_header_quotes_the_paper_has_a_counterpart():
    known = Reference().counterparts
    for folder in ("classification", "detection", "segmentation"):
        for path in (CONFIGS / folder).glob("*.py"):
            header = path.read_text(encoding="utf-8").partition('"""')[2].partition('"""')[0]
            if not header.partition("Published:")[2].strip().startswith("none"):
                assert f"{folder}/{path.name}" in known


def test_words_and_phrases_of_a_cell_are_taken_apart(tmp_path):
    path = tmp_path / "panels.csv"
    path.write_text("panel,title,backbones,sources,resolution\ntable1,T,a  b,x; y (z);,\n")
    (panel,) = read_table(path, Panel)
    assert panel.backbones == ("a", "b") and panel.sources == ("x", "y (z)") and panel.resolution is None
    assert FOLDER.name == "published"
