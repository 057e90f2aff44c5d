"""Checkpoints that a pre-training keeps on its way."""

import json
from types import SimpleNamespace

import pytest
import torch
from recipes import CATLIP, CLIP
from safetensors.torch import load_file

from backbones import load_backbone
from backbones.catalog import backbone_digest
from benchmark.cli import main
from common.errors import UserError
from common.training.hooks import CostHook
from pretraining import folder
from pretraining.kept import KeepHook
from pretraining.recipe import fingerprint, finished, lacking, load_recipe


def pretrain(*args, **kwargs):
    from pretraining.train import pretrain as run

    return run(*args, **kwargs)


class Killed(BaseException):
    pass


def killed_at(step):
    def report(stage, done=0, *state, **pace):
        if stage == "training" and done >= step:
            raise Killed

    return report


def weights(place):
    return load_file(place / "weights.safetensors")


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_what_is_kept_is_a_backbone_with_what_it_has_cost_by_then(pairs, config, tmp_path):
    out, data, keep = tmp_path / "out", {"pairs": pairs}, {"keep": [16, 37]}
    pretrain(config, out, data, keep, command="python run_suite.py pretrain x")
    final = json.loads((out / "backbone.json").read_text())
    assert finished(config, out, data, keep) and finished(config, out, data)
    early = []
    for name, samples in (("16", 16), ("37", 32)):  # whole steps of 8
        place = out / "kept" / name
        card = json.loads((place / "backbone.json").read_text())
        assert {path.name for path in place.iterdir()} == {
            *("backbone.json", "weights.safetensors", "vocabulary.csv")
        }
        vit = load_backbone(f"run:{place}")
        assert vit(torch.rand(1, 3, 32, 32)).patches.shape[0] == 1 and vit.synset_classifier is not None
        assert backbone_digest(f"run:{place}") != backbone_digest(f"run:{out}")
        assert card["fingerprint"] == final["fingerprint"] and card["recipe"] == final["recipe"]
        assert card["objective"] == "catlip" and card["command"] == final["command"]
        assert "validation" not in card  # none was of these weights
        cost = card["cost"]
        assert cost["samples"] == samples
        early.append(cost["flops"] / samples)
        assert 0 < cost["seconds"] < final["cost"]["seconds"]
        assert 0 < cost["cpu_seconds"] < final["cost"]["cpu_seconds"]
    # up to there every step left tokens out, the last quarter's steps do not
    assert early[0] == early[1] < final["cost"]["flops"] / 96
    assert not (out / "training" / "kept").exists()


def test_clip_keeps_both_towers(pairs, tmp_path):
    config = tmp_path / "clip.py"
    config.write_text(CLIP)
    out = pretrain(config, tmp_path / "out", {"pairs": pairs}, {"samples": 24, "keep": [8]})
    towers = {"backbone.json", "weights.safetensors", "text.json", "text.safetensors"}
    assert {path.name for path in (out / "kept" / "8").iterdir()} == towers
    assert load_backbone(f"run:{out}/kept/8").synset_classifier is None


def test_keeping_changes_nothing_that_is_learnt_and_keeps_the_averaged_weights(pairs, config, tmp_path):
    data = {"pairs": pairs}
    whole = pretrain(config, tmp_path / "whole", data)
    kept = pretrain(config, tmp_path / "kept", data, {"keep": [32, 64]})
    assert same(weights(whole), weights(kept))
    with pytest.raises(Killed):
        pretrain(config, tmp_path / "killed", data, report=killed_at(10))
    saved = torch.load(tmp_path / "killed" / "training" / "iter_8.pth", weights_only=True)["state_dict"]
    averaged = {
        name.removeprefix("vit.trunk."): value for name, value in saved.items() if name.startswith("vit.")
    }
    found = {name: value for name, value in weights(kept / "kept" / "64").items() if "classifier" not in name}
    assert same(averaged, found)
    assert not same(weights(kept / "kept" / "32"), weights(kept / "kept" / "64"))


@pytest.mark.parametrize("step", [3, 6, 8])
def test_a_killed_run_neither_loses_nor_doubles_what_it_keeps(pairs, config, tmp_path, step):
    """It is killed before a checkpoint is kept, between that and its own, and when it has both."""
    data, keep = {"pairs": pairs}, {"keep": [40, 64]}
    whole = pretrain(config, tmp_path / "whole", data, keep)
    out = tmp_path / "killed"
    with pytest.raises(Killed):
        pretrain(config, out, data, keep, report=killed_at(step))
    assert not (out / "kept").exists() and not finished(config, out, data, keep)
    pretrain(config, out, data, keep)
    assert sorted(path.name for path in (out / "kept").iterdir()) == ["40", "64"]
    for name in ("40", "64"):
        assert same(weights(whole / "kept" / name), weights(out / "kept" / name))
    assert finished(config, out, data, keep)


def test_a_checkpoint_torn_in_writing_is_none(tmp_path):
    with pytest.raises(Killed), folder.keeping(tmp_path, 16) as place:
        (place / "weights.safetensors").write_bytes(b"torn")
        raise Killed
    assert not list((tmp_path / "kept").iterdir())
    for content in (b"first", b"second"):
        with folder.keeping(tmp_path, 16) as place:
            (place / "weights.safetensors").write_bytes(content)
    assert [path.read_bytes() for path in tmp_path.glob("kept/16/*")] == [b"second"]


def test_a_finished_run_that_kept_less_is_trained_again_and_not_lost(pairs, config, tmp_path):
    data, out = {"pairs": pairs}, tmp_path / "out"
    assert lacking(config, out, data, {"keep": [16]}) is None
    pretrain(config, out, data, {"keep": [16]})
    before = (out / "backbone.json").read_bytes()
    wanted = {"keep": [16, 48]}
    assert lacking(config, out, data, wanted) == [48] and not finished(config, out, data, wanted)
    with pytest.raises(Killed):
        pretrain(config, out, data, wanted, report=killed_at(10))
    assert (out / "backbone.json").read_bytes() == before and (out / "kept" / "16").is_dir()
    pretrain(config, out, data, wanted)
    assert finished(config, out, data, wanted)
    (aside,) = out.glob(".superseded/*")
    assert (aside / "backbone.json").read_bytes() == before
    assert (aside / "kept" / "16" / "backbone.json").is_file()
    (out / "kept" / "48" / "weights.safetensors").unlink()
    assert lacking(config, out, data, wanted) == [48]


def test_the_command_says_why_it_trains_a_finished_run_again(pairs, config, tmp_path, capsys):
    words = ["pretrain", str(config), "--out", str(tmp_path / "out"), "--data", f"pairs={pairs}"]
    words += ["--processes", "1", "--set", "samples=24"]
    assert main(words) == 0 and "trained again" not in capsys.readouterr().err
    assert main([*words, "--set", "keep=[8,16]"]) == 0
    assert "out: it is finished, but kept no checkpoint at 8, 16 samples" in capsys.readouterr().err
    assert main([*words, "--set", "keep=[16]"]) == 0
    assert "is finished already" in capsys.readouterr().err


def test_a_run_killed_before_what_it_kept_was_published_publishes_it_the_next_time(
    pairs, config, tmp_path, monkeypatch
):
    data, out, settings = {"pairs": pairs}, tmp_path / "out", {"samples": 64, "keep": [16]}
    import os

    rename = os.rename

    def killed(source, target):
        if str(target).endswith("out/kept"):
            raise Killed
        return rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(folder.os, "rename", killed)
        with pytest.raises(Killed):
            pretrain(config, out, data, settings)
    assert (out / "backbone.json").is_file() and not finished(config, out, data, settings)
    pretrain(config, out, data, settings)
    assert finished(config, out, data, settings)


def test_a_run_that_is_past_what_it_is_now_to_keep_says_so(pairs, config, tmp_path):
    out, data = tmp_path / "out", {"pairs": pairs}
    with pytest.raises(Killed):
        pretrain(config, out, data, report=killed_at(10))
    with pytest.raises(UserError, match=r"training goes on at 64 samples, .*kept at 24: remove it") as caught:
        pretrain(config, out, data, {"keep": [24, 72]})
    assert "\n" not in str(caught.value)
    assert (out / "training" / "iter_8.pth").is_file()
    pretrain(config, out, data, {"keep": [72]})
    assert finished(config, out, data, {"keep": [72]})


def test_saving_is_no_part_of_the_cost(pairs, config, tmp_path, monkeypatch):
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0], process_time=lambda: 2 * now[0])
    monkeypatch.setattr("common.training.hooks.time", clock)
    recipe, cost, found = load_recipe(config, {"keep": [8]}), CostHook(), []

    def save(place, runner, samples):
        found.append((samples, cost.seconds, cost.cpu_seconds))
        now[0] += 1000

    hook = KeepHook(recipe, fingerprint(recipe, pairs), tmp_path, cost, save)
    cost.start_clocks()
    for step in range(3):
        now[0] += 1  # the step
        cost.after_train_iter(SimpleNamespace(iter=step), step)
        now[0] += 0.25  # averaging, logging
        hook.after_train_iter(SimpleNamespace(iter=step), step)
    assert found == [(8, 1.25, 2.5)]
    assert (cost.seconds, cost.cpu_seconds) == (3.5, 7.0)
    assert cost.waiting_since > 1000  # and it was no waiting for data


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ([96], "96 samples are not on the way"),
        ([7], "7 samples are not on the way"),
        ([200], "200 samples are not on the way"),
        ([32, 16], "not rising"),
        ([32, 33], "not rising by a step of 8"),
        ([0], "greater than 0"),
        ("many", "list"),
    ],
)
def test_impossible_places_are_refused_in_one_line(tmp_path, keep, message):
    config = tmp_path / "catlip.py"
    config.write_text(CATLIP)
    with pytest.raises(UserError, match=message) as caught:
        load_recipe(config, {"keep": keep})
    assert "\n" not in str(caught.value)


def test_what_is_kept_is_no_part_of_the_fingerprint(pairs, config):
    recipes = [load_recipe(config, overrides) for overrides in ({}, {"keep": [8, 16]})]
    assert len({fingerprint(recipe, pairs) for recipe in recipes}) == 1
