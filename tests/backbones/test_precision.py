"""Mixed precision, and how it is decided where nobody says."""

import json

import pytest
import torch
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from backbones import precision
from backbones.precision import Bf16OptimWrapper, Speeds, autocast, resolve

FASTER, SLOWER = Speeds(50.0, 100.0), Speeds(100.0, 50.0)


def new_process(monkeypatch):
    """Forget what this process knows."""
    monkeypatch.setattr(precision, "_known", {})


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """Widths that were timed; every timing finds bf16 faster, unless `find` is told otherwise."""

    class Timed(list):
        found = FASTER

        def __call__(self, width: int) -> Speeds:
            self.append(width)
            return self.found

    timed = Timed()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(precision, "time_cpu", timed)
    new_process(monkeypatch)
    return timed


def sgd(layer: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(layer.parameters(), lr=0.1)


@pytest.mark.parametrize(("name", "used"), [("bf16", torch.bfloat16), ("float32", torch.float32)])
def test_products_are_computed_in_the_precision_that_is_named(name, used, timed):
    layer = nn.Linear(4, 4)
    with autocast("cpu", name):
        assert layer(torch.ones(1, 4)).dtype == used
    wrapper = Bf16OptimWrapper(name, optimizer=sgd(layer))
    with wrapper.optim_context(layer):
        assert layer(torch.ones(1, 4)).dtype == used
    assert wrapper.precision == name == resolve(name, "cpu") and timed == []


@pytest.mark.parametrize(
    ("speeds", "decided"),
    [
        (FASTER, "bf16"),
        (SLOWER, "float32"),
        (Speeds(100.0, 109.0), "float32"),  # too little for what it rounds
        (Speeds(100.0, 111.0), "bf16"),
    ],
)
@pytest.mark.parametrize("unit", [True, False])
def test_auto_is_what_was_timed_to_be_faster_whatever_the_cpu_says(speeds, decided, unit, timed, monkeypatch):
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: unit)
    timed.found = speeds
    assert resolve("auto", "cpu", 192) == decided
    layer = nn.Linear(4, 4)
    wrapper = Bf16OptimWrapper(width=192, optimizer=sgd(layer))
    assert wrapper.precision == decided and timed == [192]
    with wrapper.optim_context(layer):
        assert layer(torch.ones(1, 4)).dtype == {"bf16": torch.bfloat16, "float32": torch.float32}[decided]


@pytest.mark.parametrize("supported", [True, False])
def test_a_gpu_is_believed(supported, timed, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert resolve("auto", "cuda:0", 192) == ("bf16" if supported else "float32") and timed == []


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match="auto, float32 or bf16, not 'fp8'"):
        resolve("fp8", "cpu")


def test_a_config_that_knows_no_width_trains_too(timed):
    layer = nn.Linear(4, 4)
    config = {"type": "Bf16OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.1}}
    assert DefaultOptimWrapperConstructor(config)(layer).precision == "bf16"
    assert timed == [precision.WIDEST]


def test_the_first_process_decides_for_all_that_train_together(timed, monkeypatch):
    sent = []
    monkeypatch.setattr(precision, "broadcast_object_list", lambda values: sent.append(list(values)))
    assert Bf16OptimWrapper(optimizer=sgd(nn.Linear(4, 4))).precision == "bf16" and sent == [["bf16"]]

    def receive(values: list) -> None:
        assert values == [None]
        values[0] = "float32"

    monkeypatch.setattr(precision, "is_main_process", lambda: False)
    monkeypatch.setattr(precision, "broadcast_object_list", receive)
    timed.clear()
    assert Bf16OptimWrapper(width=64, optimizer=sgd(nn.Linear(4, 4))).precision == "float32"
    assert timed == []


# What is remembered


def test_a_machine_is_timed_once(timed, monkeypatch):
    assert resolve("auto", "cpu", 192) == resolve("auto", "cpu", 192) == "bf16"
    new_process(monkeypatch)
    timed.found = SLOWER
    assert resolve("auto", "cpu", 192) == "bf16"
    assert timed == [192]
    (key,) = json.loads(precision.memory().read_text())
    assert precision.processor() in key and precision.bf16_unit() in key and torch.__version__ in key


def test_widths_are_timed_one_by_one_up_to_the_widest(timed, monkeypatch):
    for width in (64, 192, 768, 1024):
        resolve("auto", "cpu", width)
    assert timed == [64, 192, precision.WIDEST]
    assert len(json.loads(precision.memory().read_text())) == 3


@pytest.mark.parametrize("part", ["processor", "bf16_unit", "version"])
def test_another_machine_or_pytorch_is_timed_anew(part, timed, monkeypatch):
    resolve("auto", "cpu", 192)
    if part == "version":
        monkeypatch.setattr(torch, "__version__", "99.0")
    else:
        monkeypatch.setattr(precision, part, lambda: "another")
    timed.found = SLOWER
    assert resolve("auto", "cpu", 192) == "float32" and timed == [192, 192]


@pytest.mark.parametrize(
    "damage",
    [
        lambda found: "{",
        lambda found: "[1]",
        lambda found: json.dumps(dict.fromkeys(found, 3)),
        lambda found: json.dumps({key: {"float32": 1.0} for key in found}),
        lambda found: json.dumps({key: {"float32": "1", "bf16": 2.0} for key in found}),
        lambda found: json.dumps({key: {"float32": 0.0, "bf16": 2.0} for key in found}),
        lambda found: json.dumps({key: {"float32": 1.0, "bf16": float("nan")} for key in found}),
    ],
)
def test_a_damaged_memory_is_replaced(damage, timed, monkeypatch):
    resolve("auto", "cpu", 192)
    whole = precision.memory().read_text()
    precision.memory().write_text(damage(json.loads(whole)))
    new_process(monkeypatch)
    assert resolve("auto", "cpu", 192) == "bf16" and timed == [192, 192]
    assert precision.memory().read_text() == whole


@pytest.mark.parametrize("obstacle", ["file in the way", "folder in the way", "no home"])
def test_without_a_memory_a_process_times_once(obstacle, timed, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    if obstacle == "file in the way":
        cache.write_text("")
    elif obstacle == "folder in the way":
        precision.memory().mkdir(parents=True)
    else:
        monkeypatch.setattr(precision, "memory", lambda: None)
    assert resolve("auto", "cpu", 192) == resolve("auto", "cpu", 192) == "bf16" and timed == [192]
    new_process(monkeypatch)
    assert resolve("auto", "cpu", 192) == "bf16" and timed == [192, 192]


def test_the_memory_is_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert precision.memory() == tmp_path / ".cache" / "catlip-transfer" / "precision.json"

    def expanduser(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.expanduser", expanduser)
    assert precision.memory() is None


# The timing itself


def test_timing_leaves_threads_and_random_numbers_alone():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    with torch.no_grad():
        speeds = precision.time_cpu(32)
    assert min(speeds) > 0
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)


def test_the_best_of_each_precision_counts(monkeypatch):
    used, taken = [], iter([9.0, 9.0, 2.0, 1.0, 4.0, 0.5, 1.0, 3.0])  # the first two load the kernels

    def seconds(layers, name):
        used.append((name, torch.get_num_threads()))
        return next(taken)

    monkeypatch.setattr(precision, "_seconds", seconds)
    speeds = precision.time_cpu(32)
    assert used == [("float32", 1), ("bf16", 1)] * 4
    assert speeds.bf16 == pytest.approx(2 * speeds.float32)
    # three products of 2 x 256 x (3 + 4 + 4) x 32^2 operations in a second
    assert speeds.float32 == pytest.approx(3 * 2 * 256 * 11 * 32**2 / 1e9)
