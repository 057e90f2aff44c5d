"""What a CPU cannot tell of training on a GPU; skipped where there is none (`make gpu-check`)."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import gpu_steps
import pytest
import torch
from dense_data import SMALL_SEGMENTOR, write_ade20k
from recipes import CATLIP
from safetensors.torch import load_file

from benchmark.speed.contenders import contender_of
from benchmark.speed.study import run
from benchmark.tasks.base import TaskContext
from common.configs import read_config
from pretraining.data.augment import train_transform
from pretraining.data.batches import BatchMaker
from pretraining.data.shards import pair_splits
from pretraining.data.stream import TrainLoader, TrainStream

pytestmark = pytest.mark.gpu

ROOT = Path(__file__).resolve().parents[2]
# The GPU adds up in another order at every run; so small a rate keeps AdamW from making much of that.
RECIPE = (
    CATLIP.replace("lr=1e-3", "lr=1e-4")
    .replace("drop_path_rate = 0.2\n", "")
    .replace("num_workers = 1", "num_workers = 2")
)


@pytest.mark.parametrize("objective", ["catlip", "clip"])
def test_float32_steps_are_the_cpus(objective):
    (expected, reference), (loss, gradient) = (
        gpu_steps.gradients(objective, gpu_steps.MINIATURE, torch.device(name)) for name in ("cpu", "cuda")
    )
    assert loss == pytest.approx(expected, rel=gpu_steps.LOSS_TOLERANCE)
    assert gpu_steps.difference(gradient, reference) <= gpu_steps.GRADIENT_TOLERANCE


def test_a_step_is_fused_in_bf16_with_the_stem_channels_last():
    geometry, device = gpu_steps.MINIATURE, torch.device("cuda")
    training, batch = contender_of("catlip", geometry, device, "bf16", 2)
    trunk = training.model.vit.trunk
    assert training.wrapper.optimizer.defaults["fused"] and len(training.wrapper.optimizer.param_groups) == 2
    assert {block.attn.fused_attn for block in trunk.blocks} == {True}
    assert trunk.patch_embed.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert all(training.step(batch.to(device))["loss"] > 0 for _ in range(3))


def test_a_study_of_speed_uses_the_gpu():
    plan = gpu_steps.plan_of(gpu_steps.MINIATURE, torch.device("cuda"))
    plan = replace(plan, batch_size=8, largest=False, turn=0.01)
    study, machine, _ = run(plan)
    assert machine["device"] == torch.cuda.get_device_name() and study.precision == "bf16"
    for name, found in study.found.items():
        assert 0 < found.memory < 1 << 30 and len(found.same.seconds) == 5, name
    assert study.found["clip"].phases["text tower"] > 0


@pytest.mark.parametrize("workers", [0, 2])
def test_the_batches_copied_ahead_are_those_that_were_loaded(pairs, workers):
    def batches(device, **settings):
        maker = BatchMaker(train_transform(32), seed=0)
        stream = TrainStream(pair_splits(pairs)[0], maker, 8, 100, 0, 40)
        return islice(TrainLoader(stream, workers, device, **settings), 20)

    busy = torch.randn(2048, 2048, device="cuda")
    for plain, ahead in zip(batches("cpu"), batches("cuda", pin_memory=True), strict=True):
        busy = (busy @ busy).tanh()  # so that the next copy is made while there is work to do
        assert ahead.images.device.type == "cuda" and ahead.captions == plain.captions
        assert torch.equal(ahead.images.cpu(), plain.images)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_killed_run_goes_on_to_the_same_weights(pairs, tmp_path, compiled):
    from pretraining.train import pretrain

    config, told = tmp_path / "catlip.py", []
    config.write_text(RECIPE)
    whole = pretrain(config, tmp_path / "whole", {"pairs": pairs})

    def kill(stage, done=0, *state, **pace):
        told.append((stage, done))
        if (stage, done) == ("training", 10):
            raise KeyboardInterrupt

    out, options = tmp_path / "killed", {"compile": compiled}
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, out, {"pairs": pairs}, options, report=kill)
    told.clear()
    pretrain(config, out, {"pairs": pairs}, options, report=lambda *state, **pace: told.append(state[:2]))
    assert told[0] == ("training", 9)
    expected, got = (load_file(folder / "weights.safetensors") for folder in (whole, out))
    assert expected.keys() == got.keys()
    for name in expected:
        torch.testing.assert_close(got[name], expected[name], atol=2e-4, rtol=1e-3, msg=name)


def test_a_dense_cell_is_trained_and_tested(tmp_path):
    from benchmark.tasks.segmentation import Segmentation

    data = write_ade20k(tmp_path / "ade", {"training": 6, "validation": 2, "test": 5}, 48)
    config = ROOT / "task_configs" / "segmentation" / "demo_deeplabv3.py"
    cfg = read_config(config, {**SMALL_SEGMENTOR, "model.decode_head.channels": 16})
    out = tmp_path / "cell"
    out.mkdir()
    context = TaskContext(cfg, data, out, "random:vit_nano_conv16", 0, lambda *state, **pace: None)
    outcome = Segmentation().run(context)
    assert 0 <= outcome.metrics["mIoU"].value <= 100 and torch.cuda.max_memory_allocated() > 0
