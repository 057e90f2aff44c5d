"""Whole pre-training runs in miniature."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from recipes import CATLIP, CLIP
from safetensors.torch import load_file

from backbones import load_backbone
from backbones import vit as vit_module
from backbones.catalog import load_text
from common.errors import UserError
from common.progress import read_progress
from common.training.runner import ResumableRunner
from pretraining.recipe import finished


def pretrain(*args, **kwargs):
    from pretraining.train import pretrain as run

    return run(*args, **kwargs)


@pytest.mark.parametrize("objective", ["catlip", "clip"])
def test_a_run_leaves_a_backbone_and_what_it_cost(pairs, tmp_path, objective):
    config = tmp_path / f"{objective}.py"
    config.write_text(CATLIP if objective == "catlip" else CLIP)
    out = tmp_path / "out"
    told = []
    report = lambda *state, **pace: told.append((state, pace))  # noqa: E731
    pretrain(config, out, {"pairs": pairs}, report=report, command="python run_suite.py pretrain x")
    vit = load_backbone(f"run:{out}")
    assert vit(torch.rand(1, 3, 32, 48)).patches.shape == (1, 32, 2, 3)
    assert (vit.synset_classifier is not None) == (objective == "catlip")
    if objective == "clip":
        tower = load_text(f"run:{out}")
        assert tower.images(torch.rand(1, 32)).shape == tower.texts(["a dog"]).shape
        assert 1 < tower.logit_scale < 100
    else:
        assert not list(out.glob("text.*"))
    mined = json.loads((out / "backbone.json").read_text())["cost"]["labelling_seconds"]
    assert (mined is not None and mined > 0) == (objective == "catlip")
    if objective == "catlip":
        assert 2084071 in vit.synset_classifier.synsets  # dog.n.01
        assert len(vit.synset_classifier.bias) == len(vit.synset_classifier.synsets)
    description = json.loads((out / "backbone.json").read_text())
    cost = description["cost"]
    assert cost["samples"] == 96 and (cost["processes"], cost["batch_size"]) == (1, 8)
    assert cost["seconds"] > 0 and cost["peak_memory_bytes"] > 1e8
    assert cost["cpu_seconds"] > 0 and cost["waiting_for_data_seconds"] <= cost["seconds"]
    assert cost["images_per_second"] == pytest.approx(96 / cost["seconds"])
    # backward costs about twice the forward pass
    flops = cost["flops_per_image"]
    assert 2.5 < flops["total"] / (flops["backbone"] + flops["head"]) < 3.1
    assert description["command"] == "python run_suite.py pretrain x"
    assert description["validation"]["val_loss"] > 0
    history = pd.read_csv(out / "history.csv")
    assert history.samples.iloc[-1] == 96 and history.val_loss.notna().sum() == 3
    steps = [(state[1:3], pace) for state, pace in told if state[0] == "training"]
    assert [step for step, _ in steps] == [(number, 12) for number in range(1, 13)]
    assert steps[-1][1]["images_per_second"] > 0 and 0 <= steps[-1][1]["waiting_for_data"] <= 1
    assert told[-1][0] == ("validation", 2, 2)
    assert read_progress(out / "training" / "progress.json").stage == "validation"
    assert not list((out / "training").glob("*.pth"))


def test_a_killed_run_goes_on_to_the_same_weights(pairs, config, tmp_path):
    whole = pretrain(config, tmp_path / "whole", {"pairs": pairs})

    class Killed(BaseException):
        pass

    killed = tmp_path / "killed"
    with pytest.raises(Killed):
        pretrain(config, killed, {"pairs": pairs}, report=_at_step(10, Killed))
    assert (killed / "training" / "iter_8.pth").is_file()
    assert not (killed / "backbone.json").exists() and not finished(config, killed, {"pairs": pairs})
    pretrain(config, killed, {"pairs": pairs})

    expected, got = (load_file(folder / "weights.safetensors") for folder in (whole, killed))
    for name in expected:
        assert torch.equal(expected[name], got[name]), name
    columns = ["step", "loss", "lr", "val_loss"]
    first, second = (pd.read_csv(folder / "history.csv")[columns] for folder in (whole, killed))
    pd.testing.assert_frame_equal(first, second)


def test_compiling_changes_how_a_run_proceeds_and_not_what_it_is(pairs, config, tmp_path, monkeypatch):
    import pretraining.train as train

    compiled = []

    def compile_blocks(vit):
        compiled.append(vit)
        return vit_module.compile_blocks(vit, backend="eager")  # needs no compiler

    monkeypatch.setattr(train, "compile_blocks", compile_blocks)
    data, modes = {"pairs": pairs}, (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32)
    whole = pretrain(config, tmp_path / "whole", data)
    assert not compiled
    out = tmp_path / "compiled"
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, out, data, {"compile": True}, report=_at_step(10, KeyboardInterrupt))
    assert len(compiled) == 1
    told = []
    pretrain(config, out, data, report=lambda *state, **pace: told.append(state))
    assert told[0][1] == 9 and finished(config, out, data, {"compile": True})
    expected, got = (load_file(folder / "weights.safetensors") for folder in (whole, out))
    assert expected.keys() == got.keys()
    for name in expected:
        torch.testing.assert_close(got[name], expected[name], msg=name)
    assert modes == (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32)


def test_what_a_planted_checkpoint_holds_is_not_run_and_a_moved_run_goes_on(pairs, config, tmp_path):
    class Killed(BaseException):
        pass

    class Planted:
        def __reduce__(self):
            return Path.touch, (tmp_path / "trace",)

    before, out = tmp_path / "before", tmp_path / "out"
    with pytest.raises(Killed):
        pretrain(config, before, {"pairs": pairs}, report=_at_step(10, Killed))
    before.rename(out)
    torch.save({"meta": Planted()}, out / "training" / "iter_50.pth")
    (out / "training" / "last_checkpoint").write_text(str(before / "training" / "iter_50.pth"))
    told = []
    pretrain(config, out, {"pairs": pairs}, report=lambda *state, **pace: told.append(state))
    assert not (tmp_path / "trace").exists()
    assert told[0][1] == 9  # on from iter_8.pth
    assert (out / "backbone.json").is_file()


def _at_step(step, error):
    def report(stage, done=0, *state, **pace):
        if stage == "training" and done >= step:
            raise error

    return report


def test_a_finished_run_is_known_by_recipe_and_data(pairs, config, tmp_path):
    out, data = tmp_path / "out", {"pairs": pairs}
    pretrain(config, out, data, {"samples": 16})
    assert finished(config, out, data, {"samples": 16})
    assert finished(config, out, data, {"samples": 16, "num_workers": 0, "precision": "bf16"})
    assert not finished(config, out, data, {"samples": 24})
    (pairs / "train" / "00003.tar").unlink()
    assert not finished(config, out, data, {"samples": 16})


def test_another_recipe_does_not_resume_from_these_checkpoints(pairs, config, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, out, {"pairs": pairs}, report=_at_step(10, KeyboardInterrupt))
    told = []
    report = lambda *state, **pace: told.append(state)  # noqa: E731
    pretrain(config, out, {"pairs": pairs}, {"optimizer.lr": 1e-4}, report=report)
    assert pd.read_csv(out / "history.csv").step.iloc[0] == told[0][1] == 1


def test_a_failed_rerun_leaves_the_finished_backbone(pairs, config, tmp_path):
    out = pretrain(config, tmp_path / "out", {"pairs": pairs}, {"samples": 16})
    before = {path.name: path.read_bytes() for path in out.glob("[!.]*") if path.is_file()}
    assert set(before) == {"backbone.json", "weights.safetensors", "vocabulary.csv", "history.csv"}
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, out, {"pairs": pairs}, report=_at_step(10, KeyboardInterrupt))
    assert {name: (out / name).read_bytes() for name in before} == before
    pretrain(config, out, {"pairs": pairs})
    assert (out / "backbone.json").read_bytes() != before["backbone.json"]
    kept = [path.parent for path in out.glob(".superseded/*/backbone.json")]
    assert [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in kept] == [before]


@pytest.mark.parametrize("leftover", [True, False])
def test_a_run_that_ended_while_it_was_published_is_published_by_the_next(
    pairs, config, tmp_path, monkeypatch, leftover
):
    import pretraining.train as train

    def full(folder, *args):
        if leftover:
            (folder / ".weights.killed.safetensors").write_bytes(b"torn")
        raise OSError("no space left")

    data, out = {"pairs": pairs}, tmp_path / "out"
    overrides = {"samples": 64}  # the last step, 8, is a checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(train.run_folder, "save", full)
        with pytest.raises(OSError, match="no space left"):
            pretrain(config, out, data, overrides)
    assert not finished(config, out, data, overrides)
    pretrain(config, out, data, overrides)
    assert finished(config, out, data, overrides)
    assert pd.read_csv(out / "history.csv").step.tolist() == list(range(1, 9))
    assert json.loads((out / "backbone.json").read_text())["validation"]["val_loss"] > 0
    assert {path.name for path in out.iterdir()} == {
        *("backbone.json", "weights.safetensors", "vocabulary.csv", "history.csv", "training"),
        ".training.lock",
    }


def test_a_training_folder_of_somebody_else_is_refused_and_left_alone(pairs, config, tmp_path):
    theirs = tmp_path / "out" / "training" / "thesis.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("three years")
    with pytest.raises(UserError, match=r"training was not made by a pre-training: .*--out") as caught:
        pretrain(config, tmp_path / "out", {"pairs": pairs})
    assert theirs.read_text() == "three years" and "\n" not in str(caught.value)


def test_files_of_somebody_else_are_moved_aside_not_written_over(pairs, config, tmp_path):
    theirs = tmp_path / "out" / "vocabulary.csv"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    pretrain(config, tmp_path / "out", {"pairs": pairs}, {"samples": 16})
    assert [path.read_text() for path in theirs.parent.glob(".superseded/*/vocabulary.csv")] == ["mine"]


def test_what_follows_a_step_is_not_waiting_for_data(pairs, config, tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(ResumableRunner, "train", lambda self: order.extend(self.hooks) or _stop())
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, tmp_path / "out", {"pairs": pairs})
    names = [type(hook).__name__ for hook in order]
    others = ("EMAHook", "HistoryHook", "LoggerHook", "ParamSchedulerHook", "CheckpointHook")
    assert max(map(names.index, others)) < names.index("WaitHook")
    assert names.index("PairsCostHook") < names.index("ProgressHook") < names.index("EMAHook")


def _stop():
    raise KeyboardInterrupt


def test_peak_memory_is_that_of_training_alone(pairs, config, tmp_path, monkeypatch):
    import pretraining.train as train

    order = []
    for name in ("forget_peak_memory", "peak_memory_bytes", "flops_of_run"):
        original = getattr(train, name)

        def noted(*args, name=name, original=original, **kwargs):
            order.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(train, name, noted)
    monkeypatch.setattr(ResumableRunner, "train", _then(order, ResumableRunner.train))
    pretrain(config, tmp_path / "out", {"pairs": pairs}, {"samples": 16})
    assert order == ["flops_of_run", "forget_peak_memory", "train", "peak_memory_bytes"]


def _then(order, original):
    def train(self):
        order.append("train")
        return original(self)

    return train


def test_a_loss_that_is_no_number_stops_the_run_at_its_step(pairs, config, tmp_path):
    with pytest.raises(FloatingPointError, match=r"loss is (nan|inf) at iteration \d+"):
        overrides = {"optimizer.lr": 10.0, "optimizer.weight_decay": 100.0, "optimizer.clip_grad": None}
        overrides["optimizer.warmup_samples"] = 1
        pretrain(config, tmp_path / "out", {"pairs": pairs}, overrides)


def test_one_bad_sample_is_counted_in_the_cost(pairs, config, tmp_path):
    shard = pairs / "train" / "00000.tar"
    data = bytearray(shard.read_bytes())
    data[512 : 512 + 16] = b"\0" * 16  # the first picture's signature
    shard.write_bytes(bytes(data))
    out = pretrain(config, tmp_path / "out", {"pairs": pairs})
    assert json.loads((out / "backbone.json").read_text())["cost"]["skipped_samples"] == 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"optimzer.lr": 1.0}, "optimzer"),
        ({"optimizer.lr": -1.0}, "optimizer.lr"),
        ({"objective.type": "siglop"}, "unknown objective 'siglop'"),
        ({"objective.depth": 3}, "objective: no entry 'depth'"),
        ({"objective.initial_bias": "one"}, "objective: initial_bias='one': "),
        ({"architecture": "vit_enormous"}, "architecture='vit_enormous': "),
    ],
)
def test_impossible_recipes_are_refused_in_one_line(pairs, config, tmp_path, overrides, message):
    with pytest.raises(UserError, match=message) as caught:
        pretrain(config, tmp_path / "out", {"pairs": pairs}, overrides)
    assert "\n" not in str(caught.value)


def test_unlabelled_shards_name_the_command(pairs, config, tmp_path):
    (pairs / "train" / "00002.synsets.parquet").unlink()
    command = rf"run `python run_suite\.py label {pairs}/train`"
    with pytest.raises(UserError, match=rf"00002\.synsets\.parquet is missing: {command}"):
        pretrain(config, tmp_path / "out", {"pairs": pairs})


def test_labels_of_other_captions_or_another_version_name_the_command(pairs, config, tmp_path, monkeypatch):
    shard, folder = pairs / "train" / "00002.tar", pairs / "train"
    before = shard.read_bytes()
    shard.write_bytes(before.replace(b"a dog number", b"a fox number"))
    with pytest.raises(UserError, match=rf"other captions than {shard} holds now: .*label {folder}`"):
        pretrain(config, tmp_path / "out", {"pairs": pairs})
    shard.write_bytes(before)  # the same captions at another time
    monkeypatch.setattr("pretraining.labels.sidecars.PROTOCOL", 99)
    with pytest.raises(UserError, match=rf"version [0-9]+ of the labelling, this is 99: .*label {folder}`"):
        pretrain(config, tmp_path / "out", {"pairs": pairs})
    assert not (tmp_path / "out" / "backbone.json").exists()


def test_missing_data_are_named(config, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        pretrain(config, tmp_path / "out", {"pairs": tmp_path / "nowhere"})
