"""Configs for data of any name: who names the data, and what the task is then called."""

import pytest

from benchmark.suites.cell import load_task_config
from benchmark.suites.suite import load_suite
from common.errors import UserError

GENERIC = "classification/linear_probe.py"


def test_the_data_name_the_task():
    task = load_task_config(GENERIC, data=["pets"])
    assert (task.name, task.data_name) == ("pets_linear_probe", "pets")
    assert task.at({"fraction": 0.5}).data_name == "pets"
    assert load_task_config(GENERIC, {"task.data": "my pets"}).name == "my pets_linear_probe"
    assert load_task_config("classification/imagenet1k_knn.py", data=["pets"]).data_name == "imagenet1k"
    assert load_task_config("classification/imagenet1k_knn.py", {"task.data": "v2"}).name == "imagenet1k_knn"


@pytest.mark.parametrize("data", [[], ["one", "two"]])
def test_one_name_must_be_given(data):
    with pytest.raises(UserError, match=r"linear_probe\.py is for data of any name: .*--data NAME=PATH"):
        load_task_config(GENERIC, data=data)


def test_a_suite_names_the_data_of_each_task(tmp_path):
    (tmp_path / "own.py").write_text(
        f"backbones = dict(random='random:vit_mini_conv16')\n"
        f"data = dict(a='{tmp_path}', b='{tmp_path}')\n"
        f"tasks = [dict(config={GENERIC!r}, set={{'task.data': name}}) for name in 'ab']\n"
    )
    suite = load_suite(str(tmp_path / "own.py"), tmp_path)
    assert [cell.task.name for cell in suite.cells()] == ["a_linear_probe", "b_linear_probe"]
