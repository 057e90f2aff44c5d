"""What checkpoints hold, how they are read, and how they are removed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from common.training.checkpoints import (
    BadCheckpoint,
    PlainCheckpointHook,
    candidates,
    check_state,
    forget_checkpoints,
    read_checkpoint,
)

HUB = {
    "log_scalars": {"loss": [1, 2, 3]},
    "runtime_info": {"iter": 2},
    "resumed_keys": {"iter": True, "x": 1},
}


def checkpoint(**changes):
    meta = {"epoch": 0, "iter": 2, "config": "import os"}
    return {"meta": meta, "state_dict": {}, "message_hub": HUB, "optimizer": {}, **changes}


def write(path, content):
    PlainCheckpointHook().before_save_checkpoint(None, content)
    torch.save(content, path)
    return path


def test_what_is_no_plain_value_is_left_out(tmp_path):
    odd = {"function": write, "path": Path("x"), "numbers": np.arange(3), "n": np.int64(4), "set": {5}}
    read = read_checkpoint(write(tmp_path / "iter_2.pth", checkpoint(odd=odd)))
    assert read["odd"] == {"numbers": [0, 1, 2], "n": 4, "set": [5]}


def test_histories_of_the_log_are_not_kept_and_a_config_is_not_handed_on(tmp_path):
    read = read_checkpoint(write(tmp_path / "iter_2.pth", checkpoint()))
    assert read["message_hub"] == {
        "log_scalars": {},
        "runtime_info": {"iter": 2},
        "resumed_keys": {"iter": True},
    }
    assert read["meta"] == {"epoch": 0, "iter": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "it does not exist"),
        (b"torn", "it is damaged, or holds more than tensors and plain values"),
        ({"state_dict": {}}, "it is no checkpoint of a training"),
        (checkpoint(meta={"epoch": 0}), "it is no checkpoint of a training"),
        ({**checkpoint(), "path": Path("x")}, "more than tensors and plain values"),
    ],
)
def test_what_cannot_be_gone_on_from_says_why(tmp_path, content, message):
    path = tmp_path / "iter_2.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(BadCheckpoint, match=message):
        read_checkpoint(path)


def test_the_last_checkpoint_comes_first_and_later_ones_are_strangers(tmp_path):
    assert candidates(tmp_path) == []
    for number in (2, 10, 4, 50):
        (tmp_path / f"iter_{number}.pth").touch()
    assert candidates(tmp_path) == []  # without a pointer nothing is resumed
    (tmp_path / "last_checkpoint").write_text("/elsewhere/iter_10.pth")
    assert [path.name for path in candidates(tmp_path)] == ["iter_10.pth", "iter_4.pth", "iter_2.pth"]


def test_a_state_must_have_the_names_and_shapes_of_the_model():
    model = torch.nn.Linear(3, 1)
    check_state(model.state_dict(), model, "its weights")
    others = (torch.nn.Linear(4, 1).state_dict(), {"weight": model.weight}, None)
    for other in others:
        with pytest.raises(BadCheckpoint, match="its weights are another model's"):
            check_state(other, model, "its weights")


def test_a_finished_training_forgets_its_checkpoints(tmp_path):
    for name in ("iter_2.pth", "last_checkpoint", "history.csv"):
        (tmp_path / name).touch()
    (tmp_path / "epoch_1.pth").mkdir()  # as distributed optimisers write them
    forget_checkpoints(tmp_path)
    forget_checkpoints(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]
