"""Whole pre-training runs in miniature."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from backbones import load_backbone
from common.errors import UserError
from pretraining.hooks import TrainingFailed
from pretraining.recipe import fingerprint, finished, load_recipe

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "task_configs" / "pretraining"

CATLIP = """
architecture = "vit_nano_conv16"
objective = dict(type="catlip")
optimizer = dict(lr=1e-3, warmup_samples=16)
image_size = 32
samples = 96
batch_size = 8
ema_momentum = 0.1
drop_path_rate = 0.2
val_batch_size = 8
num_workers = 1
shuffle_buffer = 10
val_interval = 5
checkpoint_interval = 4
precision = "float32"
"""
CLIP = CATLIP.replace(
    'dict(type="catlip")',
    'dict(type="clip", embed_dim=8, text_width=8, text_layers=1, text_heads=1, context_length=8)',
)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "catlip.py"
    path.write_text(CATLIP)
    return path


def pretrain(*args, **kwargs):
    from pretraining.train import pretrain as run

    return run(*args, **kwargs)


@pytest.mark.parametrize("objective", ["catlip", "clip"])
def test_a_run_leaves_a_backbone_and_what_it_cost(pairs, tmp_path, objective):
    config = tmp_path / f"{objective}.py"
    config.write_text(CATLIP if objective == "catlip" else CLIP)
    out = tmp_path / "out"
    lines = []
    pretrain(config, out, {"pairs": pairs}, report=lines.append, command="python run_suite.py pretrain x")
    vit = load_backbone(f"run:{out}")
    assert vit(torch.rand(1, 3, 32, 48)).patches.shape == (1, 32, 2, 3)
    assert (vit.synset_classifier is not None) == (objective == "catlip")
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
    assert "images/s" in lines[-1] and "12/12" in lines[-1]
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
    lines = []
    pretrain(config, out, {"pairs": pairs}, report=lines.append)
    assert not (tmp_path / "trace").exists()
    assert lines[0].startswith(("9/", "10/"))  # on from iter_8.pth
    assert (out / "backbone.json").is_file()


def _at_step(step, error):
    def report(line):
        if int(line.split("/")[0]) >= step:
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
    lines = []
    pretrain(config, out, {"pairs": pairs}, {"optimizer.lr": 1e-4}, report=lines.append)
    steps = pd.read_csv(out / "history.csv").step
    assert steps.iloc[0] <= 10 and lines[0].startswith(("1/", "2/"))


def test_a_failed_rerun_leaves_the_finished_backbone(pairs, config, tmp_path):
    out = pretrain(config, tmp_path / "out", {"pairs": pairs}, {"samples": 16})
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
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
        *("backbone.json", "weights.safetensors", "vocabulary.csv", "history.csv", "training")
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


def test_averaging_and_saving_are_not_waiting_for_data(pairs, config, tmp_path, monkeypatch):
    import pretraining.train as train
    from pretraining import hooks

    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

        process_time = monotonic = perf_counter

    clock, cost = Clock(), hooks.CostHook()
    wait = hooks.WaitHook(cost)
    monkeypatch.setattr(hooks, "time", clock)
    cost.before_train(None)
    for loading, step, averaging_and_saving in ((1.0, 2.0, 5.0), (0.5, 2.0, 5.0)):
        clock.now += loading
        cost.before_train_iter(None, 0)
        clock.now += step
        cost.after_train_iter(None, 0)
        clock.now += averaging_and_saving
        wait.after_train_iter(None, 0)
    assert cost.data_seconds == 1.5
    assert cost.seconds == 1.0 + 2.0 + 5.0 + 0.5 + 2.0  # what follows the last step is nobody's

    order = []
    monkeypatch.setattr(train._QuietRunner, "train", lambda self: order.extend(self.hooks) or _stop())
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, tmp_path / "out", {"pairs": pairs})
    names = [type(hook).__name__ for hook in order]
    others = ("EMAHook", "HistoryHook", "LoggerHook", "ParamSchedulerHook", "CheckpointHook")
    assert max(map(names.index, others)) < names.index("WaitHook")


def _stop():
    raise KeyboardInterrupt


def test_peak_memory_is_that_of_training_alone(pairs, config, tmp_path, monkeypatch):
    import pretraining.train as train

    order = []
    for name in ("forget_peak_memory", "peak_memory_bytes", "flops_per_image"):
        original = getattr(train, name)

        def noted(*args, name=name, original=original, **kwargs):
            order.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(train, name, noted)
    monkeypatch.setattr(train._QuietRunner, "train", _then(order, train._QuietRunner.train))
    pretrain(config, tmp_path / "out", {"pairs": pairs}, {"samples": 16})
    assert order == ["flops_per_image", "forget_peak_memory", "train", "peak_memory_bytes"]


def _then(order, original):
    def train(self):
        order.append("train")
        return original(self)

    return train


@pytest.mark.parametrize("objective", ["catlip", "clip"])
def test_nothing_of_fewer_than_two_dimensions_is_decayed(pairs, tmp_path, objective, monkeypatch):
    import pretraining.train as train

    config = tmp_path / f"{objective}.py"
    config.write_text(CATLIP if objective == "catlip" else CLIP)
    decayed = set()

    def look(self):
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        seen = set()
        for group in self.build_optim_wrapper(self.optim_wrapper).optimizer.param_groups:
            seen |= {names[id(parameter)] for parameter in group["params"]}
            if group["weight_decay"]:
                decayed.update(names[id(parameter)] for parameter in group["params"])
        assert seen == set(names.values())
        raise KeyboardInterrupt

    monkeypatch.setattr(train._QuietRunner, "train", look)
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, tmp_path / "out", {"pairs": pairs})
    block = ("attn.qkv.weight", "attn.proj.weight", "mlp.fc1.weight", "mlp.fc2.weight")
    expected = {f"vit.trunk.patch_embed.conv{n}.weight" for n in (1, 2, 3)}
    expected |= {f"vit.trunk.blocks.{n}.{name}" for n in range(2) for name in block}
    if objective == "catlip":
        expected |= {"objective.classifier.weight"}
    else:
        expected |= {"objective.image_projection", "objective.text.token_embedding.weight"}
        text = ("attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
        expected |= {f"objective.text.transformer.resblocks.0.{name}" for name in text}
        expected |= {"objective.text.text_projection"}
    assert decayed == expected


def test_a_loss_that_is_no_number_stops_the_run_at_its_step(pairs, config, tmp_path):
    with pytest.raises(TrainingFailed, match=r"loss is (nan|inf) at step \d+"):
        overrides = {"optimizer.lr": 1e30, "optimizer.warmup_samples": 1, "optimizer.clip_grad": None}
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
        ({"objective.depth": 3}, "objective catlip"),
        ({"objective.initial_bias": "one"}, "objective catlip: initial_bias is log_odds"),
        ({"architecture": "vit_enormous"}, "unknown architecture"),
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


def test_missing_data_and_configs_are_named(config, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        pretrain(config, tmp_path / "out", {"pairs": tmp_path / "nowhere"})
    with pytest.raises(UserError, match="task_configs/pretraining"):
        load_recipe(tmp_path / "nothing.py")


def test_a_plus_before_a_key_is_understood(config):
    recipe = load_recipe(config, {"+objective.initial_bias": "zero"})
    assert recipe.objective == {"type": "catlip", "initial_bias": "zero"}


def test_the_demo_compares_objectives_and_nothing_else():
    clip, catlip = (load_recipe(CONFIGS / f"demo_{name}.py") for name in ("clip", "catlip"))
    own = {"objective", "optimizer"}
    assert clip.model_dump(exclude=own) == catlip.model_dump(exclude=own)
    # each has its own learning rate; the rest of the optimiser is shared, too
    assert clip.optimizer.model_dump(exclude={"lr"}) == catlip.optimizer.model_dump(exclude={"lr"})


def test_asking_whether_a_run_is_finished_needs_no_torch(pairs, config):
    code = (
        "import sys; from pathlib import Path; from pretraining.recipe import finished; "
        f"finished(Path({str(config)!r}), Path('nowhere'), {{'pairs': Path({str(pairs)!r})}}); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_fingerprint_of_clip_does_not_depend_on_a_vocabulary(pairs, tmp_path):
    config = tmp_path / "clip.py"
    config.write_text(CLIP)
    before = fingerprint(load_recipe(config), pairs)
    (pairs / "vocabulary.csv").unlink()
    assert fingerprint(load_recipe(config), pairs) == before
