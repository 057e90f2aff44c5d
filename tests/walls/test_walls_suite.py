"""Clumsy and hostile input of suites, settings and words: each ends in one line, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from lines import one_line

from benchmark.cli import main
from common.names import suggest

KNN = "classification/demo_knn.py"
FINETUNE = "classification/demo_finetune.py"
SEGMENTATION = "segmentation/demo_linear_seg.py"
SUITE = f"""
backbones = dict(r="random:vit_nano_conv16")
tasks = ["{KNN}"]
data = dict(demo_classification="{{results}}/pictures")
"""
TASK = f"tasks = [dict(config={KNN!r}, %s)]"
CLIP = "pretraining = dict(c=dict(config='pretraining/demo_clip.py', %s))"


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


SUITES = {
    "a config that exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "a config without an end": ("def f(): return f()\nf()", "RecursionError"),
    "a config with a syntax error": ("x = (", "SyntaxError"),
    "a config that imports what is missing": ("from nowhere import x\nseeds = x", "give a whole number"),
    "seeds are text": ("seeds = 'x'", "seeds='x': give a whole number"),
    "seeds are a truth": ("seeds = True", "seeds=True: give a whole number"),
    "seeds without number": ("seeds = float('nan')", "seeds=nan: give a whole number"),
    "seeds for a century": ("seeds = 10**9", "less than or equal to 1000"),
    "no seed for pre-training": ("pretraining_seeds = 0", "pretraining_seeds=0"),
    "a list of backbones": ("backbones = ['a']", "backbones=['a']: give dict(...)"),
    "a backbone that is a number": ("backbones = dict(r=3)", "backbones.r=3: give text"),
    "a backbone with a NUL": ("backbones = dict(r='run:a\\0b')", "cannot hold a NUL"),
    "a name that is no UTF-8": ("backbones = {'\\udcff': 'random:vit_nano_conv16'}", "backbones"),
    "tasks are text": (f"tasks = {KNN!r}", "give a list"),
    "a task that is a number": ("tasks = [3]", "tasks.0=3"),
    "a config that is a number": ("tasks = [dict(config=3)]", "tasks.0.config=3: give text"),
    "a config with a NUL": ("tasks = ['a\\0b']", "NUL"),
    "overrides are a number": (TASK % "set=3", "tasks.0.set=3: give dict(...)"),
    "a misspelt override": (TASK % "set={'task.featur': 'both'}", "did you mean task.feature"),
    "a misspelt entry of a task": (TASK % "sets={}", "did you mean set"),
    "a task's name is a list": (TASK % "name=[1]", "tasks.0.name=[1]: give text"),
    "axes are a list": (TASK % "axes=[1]", "tasks.0.axes=[1]: give dict(...)"),
    "an axis nobody knows": (TASK % "axes=dict(featur=['both'])", "no axis 'featur': did you mean feature"),
    "backbones of a task are text": (TASK % "backbones='r'", "tasks.0.backbones='r': give a list"),
    "further sets are a number": (TASK % "further=3", "tasks.0.further=3: give a list"),
    "data are a list": ("data = ['x']", "data=['x']: give dict(...)"),
    "data are a number": ("data = dict(demo_classification=3)", "data.demo_classification=3: give text"),
    "data of another name": ("data = dict(demo_clasification='x')", "nothing provides"),
    "prepare leads outside": (
        "prepare = {'../../x': dict(type='benchmark.demo_data:draw')}",
        "the name is that of a folder",
    ),
    "prepare with a separator": ("prepare = {'a/b': dict(type='x:y')}", "the name is that of a folder"),
    "prepare is hidden": ("prepare = {'.x': dict(type='x:y')}", "the name is that of a folder"),
    "prepare is a number": ("prepare = dict(x=3)", "prepare.x=3: give dict(...)"),
    "a misspelt entry of the vocabulary": ("vocabulary = dict(min_cuont=2)", "did you mean min_count"),
    "a vocabulary of minus one": ("vocabulary = dict(min_count=-1)", "vocabulary.min_count=-1"),
    "pre-trainings are a list": ("pretraining = ['x']", "pretraining=['x']: give dict(...)"),
    "a recipe's entry misspelt": (CLIP % "set={'sampels': 3}", "sampels"),
    "a recipe for minus one": (CLIP % "set={'samples': -1}", "samples"),
    "a margin of nothing": ("margins = dict(top1=0.0)", "margins.top1=0.0"),
    "a margin that is no number": ("margins = dict(top1=float('nan'))", "margins.top1=nan"),
    "partial is text": ("partial = 'no'", "partial='no': give True or False"),
    "a baseline nobody is": ("baseline = 'rr'", "did you mean r"),
    "an entry misspelt": ("backbone = dict()", "did you mean backbones"),
    "a curve that is a number": ("curve = 3", "curve is 3"),
}


@pytest.mark.parametrize(("text", "message"), SUITES.values(), ids=SUITES)
def test_a_suite_that_cannot_be_is_told_before_anything_runs(tmp_path, capsys, text, message):
    suite = tmp_path / "mine.py"
    suite.write_text(SUITE + text + "\n", encoding="utf-8")
    before = content(tmp_path)
    assert main(["plan", "--suite", str(suite), "--results", str(tmp_path / "results")]) == 2
    errors = capsys.readouterr().err
    assert one_line(errors) and message in errors
    assert content(tmp_path) == before


SETTINGS = {
    "a number for a list": (KNN, "--set task.k=3", "k=3: give a list"),
    "a name that is no choice": (KNN, "--set task.units=image", "units='image': did you mean images"),
    "no images at once": (KNN, "--set task.encode_batch_size=0", "encode_batch_size=0"),
    "fewer workers than none": (KNN, "--set task.workers=-1", "workers=-1"),
    "a task's entry misspelt": (KNN, "--set +task.temprature=1", "did you mean temperature"),
    "nested without an end": (KNN, "--set task.k=" + "(" * 5000, "give a list"),
    "no kind of task": (KNN, "--set task.type=3", "type=3: give text"),
    "a kind of task misspelt": (KNN, "--set task.type=knnn", "did you mean knn"),
    "data that are a number": (KNN, "--set task.data=3", "data=3: give text"),
    "a task that is a number": (KNN, "--set task=3", "is no task config"),
    "an override with a terminal's escape": (KNN, "--set task.\x1b]0;x\x07=3", r"\x1b]0;x\x07"),
    "an axis misspelt": (KNN, "--axis featur=both", "did you mean feature"),
    "another library's word": (
        FINETUNE,
        "--set optimizer.learning_rate=1",
        "did you mean optim_wrapper.optimizer.lr",
    ),
    "a learning rate beyond all": (FINETUNE, "--set optim_wrapper.optimizer.lr=1e30", "optimizer.lr=1e+30"),
    "a learning rate of text": (FINETUNE, "--set optim_wrapper.optimizer.lr=fast", "give a number"),
    "a learning rate that is none": (FINETUNE, "--axis learning_rate=-1", "optimizer.lr=-1"),
    "betas above one": (FINETUNE, "--set +optim_wrapper.optimizer.betas=(2.0,0.9)", "betas.0=2.0"),
    "a batch of none": (FINETUNE, "--set train_dataloader.batch_size=0", "train_dataloader.batch_size=0"),
    "negative readers": (FINETUNE, "--set test_dataloader.num_workers=-2", "test_dataloader.num_workers=-2"),
    "an epoch and a half": (FINETUNE, "--set train_cfg.max_epochs=1.5", "give a whole number"),
    "no iteration": (SEGMENTATION, "--set train_cfg.max_iters=0", "train_cfg.max_iters=0"),
    "a data set misspelt": (KNN, "--data imagnet=.", "reads no data called 'imagnet'"),
    "a backbone misspelt": (KNN, "--backbone rndom:x", "did you mean random"),
    "a backbone with a NUL": (KNN, "--backbone run:a\0b", r"a\x00b"),
    "a backbone that is no UTF-8": (KNN, "--backbone run:\udcff", r"\udcff: this is no UTF-8"),
    "data with a terminal's escape": (KNN, "--data demo_classification=/\x1b]0;x\x07", r"\x1b]0;x\x07"),
}


@pytest.mark.parametrize(("config", "words", "message"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting_that_cannot_be_is_told_before_the_cell_runs(tmp_path, capsys, config, words, message):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    name = "demo_ade20k" if config == SEGMENTATION else "demo_classification"
    arguments = ["run", config, "--results", str(tmp_path / "results")]
    arguments += ["--backbone", "random:vit_nano_conv16", "--data", f"{name}={pictures}"]
    assert main([*arguments, *words.split(" ", 1)]) == 2
    errors = capsys.readouterr().err
    assert one_line(errors) and message in errors
    assert not list(tmp_path.rglob("record.json"))


WORDS = {
    "a suite with a NUL": (["plan", "--suite", "a\0b.py"], r"a\x00b"),
    "a suite that sets the title": (["plan", "--suite", "\x1b]0;owned\x07"], r"\x1b]0;owned\x07"),
    "a suite of 5000 letters": (["plan", "--suite", "a" * 5000 + ".py"], "File name too long"),
    "a folder that is no UTF-8": (["report", "/\udcff"], "this is no UTF-8"),
    "a folder with a NUL": (["report", "a\0b"], "null byte"),
    "data misspelt": (["--data", "pair=/mine"], "did you mean pairs"),
    "weights nobody looks for": (["plan", "--weights", "/nowhere"], "no backbone from a folder"),
    "a device misspelt": (["plan", "--on", "a100_80bg"], "did you mean a100_80gb"),
    "a kind misspelt": (["list", "tassk"], "did you mean tasks"),
    "a pattern that steers": (["list", "tasks", "\x9b31m"], r"\x9b31m"),
    "a command that steers": (["\x1b[2J"], r"\x1b[2J"),
    "seeds for a century": (["--seeds", "1000000000"], "--seeds 1000000000"),
    "a format misspelt": (["export", "/nowhere", "--to", "hff"], "the formats are"),
}


@pytest.mark.parametrize(("words", "message"), WORDS.values(), ids=WORDS)
def test_a_word_that_means_nothing_is_one_line(tmp_path, capsys, words, message):
    folder = ["--results", str(tmp_path)] if words[0] in ("plan", "--data", "--seeds") else []
    assert main([*words, *folder]) == 2
    errors = capsys.readouterr().err
    assert one_line(errors) and message in errors
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("iterations", "said"),
    [
        (200, None),
        (150, "are over before the schedule"),
        (350, "ends at 200"),
        (5, "within the 20 of the warm-up"),
    ],
)
def test_a_schedule_that_does_not_follow_the_length_is_told(iterations, said):
    from benchmark.suites.cell import load_task_config

    task = load_task_config("segmentation/demo_deeplabv3.py", {"train_cfg.max_iters": iterations})
    assert task.warning is None if said is None else said in task.warning


def test_a_suggestion_knows_other_libraries_words():
    assert suggest("optimizer.learning_rate", ["optim.lr", "optimizer.lr"]).startswith(
        "did you mean optimizer.lr"
    )
