"""A recipe's batch in parts: the same parameters, learning rates and averages as the whole batch gives."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS

from backbones import UserError
from common.training.accumulation import accumulate
from common.training.runner import ResumableRunner


@MODELS.register_module()
class Curve(BaseModel):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))

    def forward(self, inputs, target, mode="tensor"):
        return {"loss": (self.layers(inputs) - target).square().mean()}


@DATASETS.register_module()
class Points(torch.utils.data.Dataset):
    def __init__(self, number):
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(number, 3, generator=generator)

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        return {"inputs": self.inputs[index], "target": self.inputs[index].prod()[None]}


class Watch(Hook):
    priority = "VERY_LOW"

    def __init__(self, stop=None):
        self.rates, self.losses, self.stop = [], [], stop

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.rates.append(runner.optim_wrapper.get_lr()["lr"][0])

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(outputs["loss"].item())
        if runner.iter + 1 == self.stop:
            raise KeyboardInterrupt


LOOPS = {
    # 22 points: the last step of an epoch sees 6 of them
    "epochs": {"type": "EpochBasedTrainLoop", "max_epochs": 3},
    "iterations": {"by_epoch": False, "max_iters": 9},
}
SCHEDULE = [
    {"type": "LinearLR", "by_epoch": False, "start_factor": 0.1, "begin": 0, "end": 4},
    {"type": "CosineAnnealingLR", "by_epoch": True, "T_max": 3, "end": 3, "convert_to_iter_based": True},
]


def config(at_once, loop="iterations", enable=False, **options):
    sampler = {"type": "DefaultSampler" if loop == "epochs" else "InfiniteSampler", "shuffle": True}
    return Config(
        {
            "model": {"type": "Curve"},
            "train_dataloader": {
                "batch_size": at_once,
                "num_workers": 0,
                "sampler": sampler,
                "collate_fn": {"type": "default_collate"},
                "dataset": {"type": "Points", "number": 22},
            },
            "train_cfg": LOOPS[loop],
            "optim_wrapper": {
                "optimizer": {"type": "AdamW", "lr": 0.05},
                "clip_grad": {"max_norm": 0.5},
            },
            "param_scheduler": SCHEDULE if loop == "epochs" else SCHEDULE[:1],
            "custom_hooks": [{"type": "EMAHook", "momentum": 0.2}],
            "default_hooks": {"checkpoint": {"type": "CheckpointHook", "by_epoch": False, "interval": 2}},
            "auto_scale_lr": {"enable": enable, "base_batch_size": 8},
            "default_scope": "mmengine",
            "randomness": {"seed": 1},
            "resume": True,
            **options,
        }
    )


def train(cfg, folder, stop=None):
    cfg.work_dir, cfg.experiment_name = str(folder), f"{folder.name}-{stop}-{cfg.train_dataloader.batch_size}"
    torch.manual_seed(0)
    runner = ResumableRunner.from_cfg(cfg)
    watch = Watch(stop)
    runner.register_hook(watch)
    if stop:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    else:
        runner.train()
    average = next(hook.ema_model for hook in runner.hooks if hasattr(hook, "ema_model"))
    return runner, average, watch


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("at_once", [2, 4])
def test_parts_of_a_batch_train_what_the_whole_batch_trains(tmp_path, loop, at_once):
    whole_cfg, parts_cfg = config(8, loop), config(at_once, loop)
    assert accumulate(whole_cfg) == accumulate(parts_cfg) == 8
    assert whole_cfg.train_cfg == LOOPS[loop]
    whole, average, watched = train(whole_cfg, tmp_path / "whole")
    parts, parts_average, parts_watched = train(parts_cfg, tmp_path / "parts")
    assert parts.iter == whole.iter == parts.max_iters == 9
    assert parts_watched.rates == watched.rates and len(set(watched.rates)) > 3
    assert parts_average.steps == average.steps == 9
    if at_once == 4 and loop == "epochs":  # the last 6 points in parts of 4 and 2, which weigh the same
        assert parts_watched.losses[:2] == pytest.approx(watched.losses[:2], rel=1e-4)
        return
    assert parts_watched.losses == pytest.approx(watched.losses, rel=1e-3)
    for ours, theirs in ((parts.model, whole.model), (parts_average, average)):
        for name, value in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_a_killed_training_goes_on_at_the_same_step(tmp_path):
    cfgs = [config(2) for _ in range(3)]
    for cfg in cfgs:
        accumulate(cfg)
    whole, *_ = train(cfgs[0], tmp_path / "whole")
    train(cfgs[1], tmp_path / "killed", stop=5)
    resumed, _, watched = train(cfgs[2], tmp_path / "killed")
    assert len(watched.losses) == 5  # after iter_4.pth
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value)


def test_a_learning_rate_is_scaled_only_on_request():
    scaled = config(2, enable=True)
    assert accumulate(scaled) == 2 and scaled.train_cfg == LOOPS["iterations"]
    own = config(2, optim_wrapper={"optimizer": {"type": "SGD", "lr": 1}, "accumulative_counts": 3})
    assert accumulate(own) == 6 and own.train_cfg == LOOPS["iterations"]
    without = config(2, auto_scale_lr=None)
    assert accumulate(without) == 2


def test_the_processes_share_the_batch(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    cfg = config(2)
    assert accumulate(cfg) == 8 and cfg.train_cfg.batches == 2
    cfg = config(4)
    assert accumulate(cfg) == 8 and cfg.train_cfg == LOOPS["iterations"]


@pytest.mark.parametrize(
    ("at_once", "processes", "held", "parts"),
    [(3, 1, 2, 4), (16, 1, 8, 1), (8, 2, 4, 1), (3, 2, 2, 2)],
)
def test_a_process_holds_what_its_share_can_be_made_of(monkeypatch, at_once, processes, held, parts):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    cfg = config(at_once)
    assert accumulate(cfg) == 8
    assert (cfg.train_dataloader.batch_size, cfg.train_cfg.get("batches", 1)) == (held, parts)


def test_the_batch_of_a_config_that_names_none_is_that_of_one_process(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    cfg = config(6, auto_scale_lr=None)
    assert accumulate(cfg) == 6 and cfg.train_dataloader.batch_size == 3


def test_a_batch_that_cannot_be_shared_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UserError, match=r"batch of 8 images .* 3 processes evenly: start a number that"):
        accumulate(config(2))


def test_another_loop_is_refused():
    with pytest.raises(UserError, match="cannot be accumulated in a MyLoop: train on 4 times as many"):
        accumulate(config(2, train_cfg={"type": "MyLoop"}))
