"""Processes that train together: what they tell each other, and BatchNorm over all of them."""

import sys
from pathlib import Path

import pytest
import together
import torch

from common.training import group
from common.training.launch import launch

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of two processes found."""
    out = tmp_path_factory.mktemp("together")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("OMP_NUM_THREADS", "1")
        launch([sys.executable, together.__file__, str(out)], 2, out)
    return [torch.load(out / f"{number}.pt", weights_only=True) for number in range(2)]


def test_numbers_and_objects_reach_all(found):
    for number, seen in enumerate(found):
        assert (seen["rank"], seen["first"]) == (number, number == 0)
        assert seen["gathered"] == [{"rank": 0}, {"rank": 1}]
        assert seen["total"] == 2.0
        assert {name: value.item() for name, value in seen["mean"].items()} == {"a": 1.5, "b": 3.0}


def test_who_reads_something_else_is_named_to_all(found):
    assert found[0]["disagreed"].startswith("process 1 on ")
    assert found[1]["disagreed"].startswith("process 0 on ")
    assert all("has other data than process" in seen["disagreed"] for seen in found)


def test_a_shared_batch_is_normalised_as_a_whole_one(found):
    """Of unequal shares, too: outputs, gradients and running statistics are those of one process."""
    layers = together.model()
    together.loss_of(layers, together.images()).backward()
    for seen in found:
        for name, parameter in layers.named_parameters():
            torch.testing.assert_close(seen["gradients"][name], parameter.grad, rtol=1e-4, atol=1e-4)
        for name, value in layers.state_dict().items():
            torch.testing.assert_close(seen["state"][name], value, rtol=1e-5, atol=1e-6)
    expected = layers.eval()(together.images())
    torch.testing.assert_close(torch.cat([seen["evaluated"] for seen in found]), expected)


def test_a_process_alone_is_a_group_of_one(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    group.join()
    group.agree("other data", "x")
    group.wait()
    values = {"loss": torch.tensor(2.0)}
    assert (group.rank(), group.is_first(), group.gather(3), group.total(4)) == (0, True, [3], 4)
    assert group.mean(values) is values


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu[03-05,9],cpu1", "gpu03"),
        ("node1,node2", "node1"),
        ("n[1,3]", "n1"),
        ("localhost", "localhost"),
        ("a-b-[001-002]", "a-b-001"),
    ],
)
def test_the_first_of_a_list_of_nodes(nodes, first):
    assert group.first_host(nodes) == first


def test_what_slurm_says_is_told_to_torch(monkeypatch):
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    for name in names:
        monkeypatch.setenv(name, "")  # restored afterwards
        monkeypatch.delenv(name)
    slurm = {"PROCID": "3", "LOCALID": "1", "STEP_NODELIST": "gpu[7-8]", "JOB_ID": "120007"}
    for name, value in slurm.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    group.adopt()  # a batch script: one process
    assert not any(name in group.os.environ for name in names)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    group.adopt()
    assert [group.os.environ[name] for name in names] == ["3", "1", "4", "gpu7", "29507"]
    assert group.rank() == 3 and not group.is_first()
