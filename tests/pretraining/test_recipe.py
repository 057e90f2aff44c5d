"""What a recipe may say, and what tells one run from another."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from recipes import CATLIP, CLIP

from benchmark.suites.suite import load_suite
from common.errors import UserError
from pretraining.recipe import RUN_FIELDS, fingerprint, load_recipe

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "task_configs" / "pretraining"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"optimzer.lr": 1.0}, "catlip.py: no entry .optimzer.: did you mean optimizer"),
        ({"optimizer.lr": -1.0}, "optimizer.lr=-1.0: .*greater than 0"),
        ({"samples.number": 3}, "--set samples.number: catlip.py cannot take this"),
    ],
)
def test_impossible_values_are_refused_in_one_line(config, overrides, message):
    with pytest.raises(UserError, match=message) as caught:
        load_recipe(config, overrides)
    assert "\n" not in str(caught.value)


def test_missing_and_broken_configs_are_named(tmp_path):
    with pytest.raises(UserError, match="task_configs/pretraining"):
        load_recipe(tmp_path / "nothing.py")
    (tmp_path / "broken.py").write_text("samples = 1 / 0\n")
    with pytest.raises(UserError, match=r"broken\.py is no valid config \(ZeroDivisionError"):
        load_recipe(tmp_path / "broken.py")


def test_fields_that_the_config_does_not_name_may_be_set(config):
    recipe = load_recipe(config, {"optimizer.clip_grad": None, "seed": 3})
    assert recipe.optimizer.clip_grad is None and recipe.seed == 3 and recipe.optimizer.lr == 1e-3


def test_a_plus_before_a_key_is_understood(config):
    recipe = load_recipe(config, {"+objective.initial_bias": "zero"})
    assert recipe.objective == {"type": "catlip", "initial_bias": "zero"}


def test_the_demo_compares_objectives_and_nothing_else():
    clip, catlip = (load_recipe(CONFIGS / f"demo_{name}.py") for name in ("clip", "catlip"))
    # what one search looked for, for both alike
    own = {"objective", "optimizer", "batch_size", "augmentation", "ema_momentum"}
    assert clip.model_dump(exclude=own) == catlip.model_dump(exclude=own)
    assert clip.augmentation.flip == catlip.augmentation.flip
    assert clip.optimizer.clip_grad == catlip.optimizer.clip_grad
    assert clip.optimizer.min_lr_ratio == catlip.optimizer.min_lr_ratio
    # averages over as many samples
    assert clip.ema_momentum / clip.batch_size == catlip.ema_momentum / catlip.batch_size


def test_the_demos_recipes_are_what_the_search_found(tmp_path):
    trials = {entry.name: entry for entry in load_suite("tuning_pretraining", tmp_path).pretraining}
    with (CONFIGS.parent / "suites" / "tuning_pretraining.csv").open(newline="") as file:
        chosen = [row["trial"] for row in csv.DictReader(file) if row["chosen"] == "True"]
    assert sorted(name.split("-")[0] for name in chosen) == ["catlip", "clip"]
    for name in chosen:
        found = load_recipe(trials[name].config, trials[name].overrides)
        recipe = load_recipe(CONFIGS / f"demo_{name.split('-')[0]}.py")
        assert recipe.model_dump(exclude=RUN_FIELDS) == found.model_dump(exclude=RUN_FIELDS)


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


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [(CATLIP, "e27d1f6f48e72c24f0b8f0b1a8db023c"), (CLIP, "0dbfcf2df6ad09a3595413b48a8119a5")],
)
def test_fingerprints_are_what_they_were(tmp_path, recipe, expected):
    """Another value would train everybody's finished backbones again: it takes another PROTOCOL."""
    pairs, config = tmp_path / "pairs", tmp_path / "config.py"
    config.write_text(recipe)
    for number, (split, size) in enumerate((("train", 100), ("train", 200), ("val", 50))):
        (pairs / split).mkdir(parents=True, exist_ok=True)
        (pairs / split / f"{number:05d}.tar").write_bytes(b"x" * size)
    (pairs / "vocabulary.csv").write_text("synset,name,count\n2084071,dog.n.01,7\n")
    assert fingerprint(load_recipe(config), pairs) == expected
