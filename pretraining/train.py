"""The pre-training run: shards in, checkpoint folder out, on MMEngine's Runner."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.device import get_device
from torch.utils.data import DataLoader

from backbones.architectures import ARCHITECTURES
from backbones.card import Card, TrainingCost
from backbones.checkpoints import run as run_folder
from backbones.layout import Layout
from backbones.vit import build_vit, compile_blocks, tune
from common.errors import UserError
from common.machine import forget_peak_memory, peak_memory_bytes, software, world_size
from common.progress import ProgressFile, Report, silent
from common.training import group
from common.training.average import FusedMovingAverage
from common.training.checkpoints import forget_checkpoints
from common.training.hooks import ProgressHook, RandomStateHook, WaitHook
from common.training.runner import ResumableRunner
from pretraining import folder, optimizer
from pretraining import recipe as recipes
from pretraining.cost import flops_of_run
from pretraining.data.augment import eval_transform, train_transform
from pretraining.data.batches import BatchMaker, ValidationBatches
from pretraining.data.readings import Reading
from pretraining.data.shards import pair_splits
from pretraining.data.stream import TrainLoader, TrainStream
from pretraining.hooks import HistoryHook, MeanLoss, PairsCostHook, StreamPositionHook
from pretraining.kept import KeepHook
from pretraining.model import ImageTextModel
from pretraining.objectives import load_objective
from pretraining.objectives.base import Objective
from pretraining.recipe import Recipe
from pretraining.token_drop import TokenDroppingHook, drop_tokens


def pretrain(
    config: Path,
    out: Path,
    data: dict[str, Path],
    overrides: dict[str, Any] | None = None,
    report: Report = silent,
    command: str | None = None,
) -> Path:
    """Pre-train a backbone; a killed run is taken up at its last checkpoint, on the same trajectory.

    Processes that were started together, each of which calls this, share every batch; the first one writes.

    Args:
        config: of `task_configs/pretraining`.
        out: the checkpoint folder to write: weights.safetensors, backbone.json, vocabulary.csv (CatLIP),
            history.csv, `kept/<samples>/` for the checkpoints of the way that the recipe is to keep, and
            `training/` with MMEngine's log and whatever is in the making. A finished result is replaced only
            by a complete one, and kept in `.superseded/`; nothing else there is touched.
        data: ``pairs``: a folder of shards, or one with ``train/`` and ``val/`` in it, labelled with
            ``python run_suite.py label`` for objectives that learn synsets. ``labels``: where these labels
            and ``vocabulary.csv`` are, if not beside the shards.
        overrides: values that replace the config's, keys as ``optimizer.lr``.
        report: told of every step.
        command: what to note as the command that made the checkpoint.

    Returns:
        `out`.

    Raises:
        UserError: the config or the data are unusable.
        FloatingPointError: the loss is no longer a number.
    """
    recipe = recipes.load_recipe(config, overrides)
    if "pairs" not in data:
        raise UserError("no image–text pairs: give their folder as --data pairs=PATH")
    pairs, out = Path(data["pairs"]), Path(out)
    fingerprint = recipes.fingerprint(recipe, pairs, data.get("labels"))
    recipe.check_processes(world_size())
    group.join()
    group.agree("other data, or another recipe,", fingerprint)
    with folder.held(out) if group.is_first() else nullcontext():
        training = folder.claim(out, fingerprint) if group.is_first() else folder.training_folder(out)
        group.wait()
        _train(
            recipe,
            data,
            training,
            {"fingerprint": fingerprint, "config": Path(config).name, "command": command},
            report,
        )
    return out


def _train(
    recipe: Recipe, data: dict[str, Path], training: Path, origin: dict[str, Any], report: Report
) -> None:
    """Train in ``training/`` and publish what comes of it in the folder above.

    Args:
        origin: what the description of a checkpoint says of the run as a whole.
    """
    pairs, out = Path(data["pairs"]), training.parent
    torch.manual_seed(recipe.seed)
    options = {key: value for key, value in recipe.objective.items() if key != "type"}
    objective = load_objective(recipe.objective["type"])
    reading = objective.reads(pairs, options, *([data["labels"]] if "labels" in data else []))
    model = build_model(recipe, objective, options | reading.found)
    share = max(1, min(recipe.batch_size, 32) // world_size())  # contrasting, all see the whole batch
    flops = flops_of_run(recipe, model, reading, share)

    cost = PairsCostHook()

    def save(place: Path, runner: ResumableRunner, samples: int, **further: Any) -> None:
        description = {
            # at once: what follows is not part of it
            "cost": _cost(recipe, samples, cost, reading, flops(samples), runner),
            **origin,
            "environment": software(_device(runner)),
            **further,
        }
        _save(place, recipe, runner.trained_model, reading, description)

    keep = KeepHook(recipe, origin["fingerprint"], training, cost, save)
    history = HistoryHook(training / "history.csv", recipe.batch_size, cost)
    progress = ProgressHook(_told(ProgressFile(out / folder.PROGRESS), report), cost, recipe.batch_size)
    hooks = [cost, WaitHook(cost), progress, history, keep]
    if recipe.token_drop:
        hooks.append(TokenDroppingHook(model.vit.trunk.patch_drop, recipe.dropping_steps))
    runner = _build_runner(recipe, model, reading, pairs, training, hooks)
    forget_peak_memory(_device(runner))
    runner.train()
    if group.is_first():
        complete = folder.collect(training)
        shutil.copy(history.path, complete / "history.csv")
        save(complete, runner, recipe.iterations * recipe.batch_size, validation=history.validation)
        folder.publish(complete, out)
        forget_checkpoints(training)
        history.path.unlink(missing_ok=True)


def _device(runner: ResumableRunner) -> torch.device:
    return next(runner.model.parameters()).device


def _told(*reports: Report) -> Report:
    """One report that tells all of them."""

    def report(*state: Any, **pace: float | None) -> None:
        for tell in reports:
            tell(*state, **pace)

    return report


def _layout(recipe: Recipe) -> Layout:
    return replace(ARCHITECTURES[recipe.architecture], image_size=recipe.image_size)


def build_model(recipe: Recipe, objective: type[Objective], options: dict[str, Any]) -> ImageTextModel:
    """The untrained model of a recipe, on the CPU, set up for the device that training will find.

    Args:
        recipe: its architecture, image size, drop path and `compile` count.
        objective: the head's class.
        options: of the objective, those that its reading found in the data included.

    Raises:
        UserError: an unknown architecture or option, or there is no compiler for ``compile``.
    """
    vit = build_vit(_layout(recipe), recipe.drop_path_rate)
    tune(vit, "cuda" if torch.cuda.is_available() else "cpu")
    if recipe.token_drop:
        drop_tokens(vit, recipe.token_drop.rate, recipe.seed)
    if recipe.compile:
        compile_blocks(vit)
    try:
        return ImageTextModel(vit, objective(vit.embed_dim, **options))
    except (TypeError, ValueError) as error:
        raise UserError(f"objective {objective.name}: {error}") from None


def _build_runner(
    recipe: Recipe, model: ImageTextModel, reading: Reading, pairs: Path, training: Path, hooks: list
) -> ResumableRunner:
    return ResumableRunner(
        model=model,
        work_dir=str(training),
        optim_wrapper=optimizer.optim_wrapper(recipe, model),
        param_scheduler=optimizer.schedule(recipe),
        default_hooks={
            "sampler_seed": None,  # a stream has no sampler
            "logger": {"type": "LoggerHook", "interval": 50},
            "checkpoint": {
                "type": "CheckpointHook",
                "by_epoch": False,
                "interval": recipe.checkpoint_interval,
                "max_keep_ckpts": 2,
                "save_last": False,
            },
        },
        custom_hooks=[
            RandomStateHook(),
            StreamPositionHook(),
            *hooks,
            {"type": "EMAHook", "ema_type": FusedMovingAverage, "momentum": recipe.ema_momentum},
        ],
        resume=(training / "last_checkpoint").is_file(),
        randomness={"seed": recipe.seed},
        env_cfg={"cudnn_benchmark": True},
        default_scope="mmengine",
        experiment_name=training.parent.name,
        visualizer={"type": "Visualizer", "vis_backends": []},
        cfg=Config(),
        quiet=True,
        **_loops(recipe, reading, pairs),
    )


def train_loader(recipe: Recipe, reading: Reading, pairs: Path) -> TrainLoader:
    """This process's share of a recipe's batches, on the device that training will find."""
    shards, _ = pair_splits(pairs)
    augment = train_transform(recipe.image_size, recipe.augmentation.scale, recipe.augmentation.flip)
    stream = TrainStream(
        shards,
        BatchMaker(augment, reading, recipe.seed),
        recipe.batch_size,
        recipe.iterations,
        recipe.seed,
        recipe.shuffle_buffer,
        group.rank(),
        world_size(),
    )
    return TrainLoader(stream, recipe.num_workers, get_device(), pin_memory=torch.cuda.is_available())


def _loops(recipe: Recipe, reading: Reading, pairs: Path) -> dict[str, Any]:
    """What the Runner trains on, and validates on where there are pairs for it."""
    _, val_shards = pair_splits(pairs)
    pin = torch.cuda.is_available()
    loops: dict[str, Any] = {
        "train_dataloader": train_loader(recipe, reading, pairs),
        "train_cfg": {
            "by_epoch": False,
            "max_iters": recipe.iterations,
            "val_interval": recipe.val_interval,
            "fast_forward_on_resume": True,
        },
    }
    if val_shards:
        plain = BatchMaker(eval_transform(recipe.image_size), reading, recipe.seed)
        batches = ValidationBatches(val_shards, plain, recipe.val_batch_size, recipe.val_samples)
        loops |= {
            "val_dataloader": DataLoader(
                batches, batch_size=None, sampler=DefaultSampler(batches, shuffle=False), pin_memory=pin
            ),
            "val_cfg": {},
            "val_evaluator": [MeanLoss(**group.GATHERED)],
        }
    return loops


def _cost(
    recipe: Recipe,
    samples: int,
    counted: PairsCostHook,
    reading: Reading,
    flops: dict[str, float],
    runner: ResumableRunner,
) -> TrainingCost:
    """What the training has cost, up to now, after so many samples."""
    return TrainingCost(
        samples=samples,
        seconds=counted.seconds,
        cpu_seconds=counted.cpu_seconds,
        labelling_seconds=reading.labelling_seconds,
        images_per_second=samples / counted.seconds,
        waiting_for_data_seconds=counted.data_seconds,
        peak_memory_bytes=peak_memory_bytes(_device(runner)),
        flops_per_image=flops,
        flops=flops["total"] * samples,
        precision=runner.optim_wrapper.precision,
        processes=world_size(),
        devices=world_size() * (1 if _device(runner).type == "cuda" else torch.get_num_threads()),
        batch_size=recipe.batch_size,
        skipped_samples=counted.skipped.total(),
    )


def _save(
    folder: Path, recipe: Recipe, model: ImageTextModel, reading: Reading, description: dict[str, Any]
) -> None:
    """Write the checkpoint: weights and backbone.json, and what is needed to understand them."""
    reading.save(folder)
    model.objective.save_text(folder)
    model.vit.synset_classifier = model.objective.synset_classifier(reading.vocabulary)
    run_folder.save(
        folder,
        model.vit,
        Card(
            objective=model.objective.name,
            head=model.objective.cost_inputs(),
            vocabulary_digest=reading.vocabulary.digest if reading.vocabulary is not None else None,
            recipe=recipe.model_dump(mode="json"),
            **description,
        ),
    )
