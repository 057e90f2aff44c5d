"""The pre-training run: shards in, checkpoint folder out, on MMEngine's Runner."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch.utils.data import DataLoader

import backbones.precision
from backbones.architectures import ARCHITECTURES
from backbones.card import Card, TrainingCost
from backbones.checkpoints import run as run_folder
from backbones.layout import Layout
from backbones.vit import build_vit, tune_for_cpu
from common.errors import UserError
from common.files import write_json
from common.machine import software, world_size
from common.training.runner import ResumableRunner
from pretraining import folder
from pretraining.cost import flops_per_image
from pretraining.data.shards import (
    BatchMaker,
    SynsetLabels,
    TrainStream,
    ValidationBatches,
    eval_transform,
    find_shards,
    train_transform,
)
from pretraining.hooks import (
    CostHook,
    HistoryHook,
    MeanLoss,
    ResumeHook,
    WaitHook,
    forget_peak_memory,
    peak_memory_bytes,
)
from pretraining.labels.sidecars import check_sidecar, read_sidecar, sidecar_path
from pretraining.labels.vocabulary import Vocabulary
from pretraining.model import ImageTextModel
from pretraining.objectives import OBJECTIVES, Objective
from pretraining.recipe import Recipe, fingerprint, load_recipe


def pretrain(
    config: Path,
    out: Path,
    data: dict[str, Path],
    overrides: dict[str, Any] | None = None,
    report: Callable[[str], None] = lambda line: None,
    command: str | None = None,
) -> Path:
    """Pre-train a backbone; a killed run is taken up at its last checkpoint, on the same trajectory.

    Args:
        config: of `task_configs/pretraining`.
        out: the checkpoint folder to write: weights.safetensors, backbone.json, vocabulary.csv (CatLIP),
            history.csv, and `training/` with MMEngine's log and whatever is in the making. A finished result
            is replaced only by a complete one, and kept in `.superseded/`; nothing else there is touched.
        data: ``pairs``: a folder of shards, or one with ``train/`` and ``val/`` in it, labelled with
            ``python run_suite.py label`` for objectives that learn synsets.
        overrides: values that replace the config's, keys as ``optimizer.lr``.
        report: called about once a second with one line of progress.
        command: what to note as the command that made the checkpoint.

    Returns:
        `out`.

    Raises:
        UserError: the config or the data are unusable.
        TrainingFailed: the loss is no longer a number.
    """
    recipe = load_recipe(config, overrides)
    if "pairs" not in data:
        raise UserError("no image–text pairs: give their folder as --data pairs=PATH")
    pairs, out = Path(data["pairs"]), Path(out)
    mark = fingerprint(recipe, pairs)
    training = folder.claim(out, mark)

    torch.manual_seed(recipe.seed)
    objective_type = _objective_type(recipe)
    vocabulary = _labels(pairs) if objective_type.reads == "synsets" else None
    model = _build_model(recipe, objective_type, vocabulary, pairs)
    cost = CostHook()

    def tell(values: dict[str, Any]) -> None:
        write_json(out / folder.PROGRESS, values)
        report(progress_line(values))

    world = world_size()
    flops = flops_per_image(model, recipe.image_size, min(recipe.batch_size, 32))
    mined = _labelling_seconds(pairs) if vocabulary is not None else None
    history = HistoryHook(training / "history.csv", recipe.batch_size * world, recipe.iterations, cost, tell)
    runner = _build_runner(recipe, model, vocabulary, pairs, training, [cost, WaitHook(cost), history])
    device = next(model.parameters()).device
    forget_peak_memory(device)
    runner.train()

    ema = next(hook for hook in runner.hooks if hasattr(hook, "ema_model")).ema_model.module
    if is_main_process():
        memory = peak_memory_bytes(device)  # of training: what follows is not part of it
        complete = folder.collect(training)
        shutil.copy(history.path, complete / "history.csv")
        if vocabulary is not None:
            vocabulary.save(complete / "vocabulary.csv")
            ema.vit.synset_classifier = ema.objective.synset_classifier(tuple(vocabulary.synsets))
        samples = recipe.iterations * recipe.batch_size * world
        run_folder.save(
            complete,
            ema.vit,
            Card(
                objective=objective_type.name,
                head=ema.objective.cost_inputs(),
                vocabulary_digest=vocabulary.digest if vocabulary is not None else None,
                fingerprint=mark,
                recipe=recipe.model_dump(mode="json"),
                config=Path(config).name,
                command=command,
                validation=history.validation,
                cost=TrainingCost(
                    samples=samples,
                    seconds=cost.seconds,
                    cpu_seconds=cost.cpu_seconds,
                    labelling_seconds=mined,
                    images_per_second=samples / cost.seconds,
                    waiting_for_data_seconds=cost.data_seconds,
                    peak_memory_bytes=memory,
                    flops_per_image=flops,
                    flops=flops["total"] * samples,
                    precision=_precision(recipe, device),
                    processes=world,
                    batch_size=recipe.batch_size * world,
                    skipped_samples=cost.skipped.total(),
                ),
                environment=software(device),
            ),
        )
        folder.publish(complete, out)
        for file in (*training.glob("*.pth"), training / "last_checkpoint", history.path):
            file.unlink(missing_ok=True)
    return out


def progress_line(values: dict[str, Any]) -> str:
    """One line of progress for people: step, loss, images/s, time left; and a word when data are too slow."""
    minutes, seconds = divmod(int(values["seconds_left"]), 60)
    line = (
        f"{values['done']}/{values['total']}  loss {values['loss']:.3f}  "
        f"{values['images_per_second']:.0f} images/s  {minutes}:{seconds:02d} left"
    )
    if values["waiting_for_data"] > 0.2:
        line += f"  ({values['waiting_for_data']:.0%} of the time waiting for data: raise num_workers)"
    return line


def _objective_type(recipe: Recipe) -> type[Objective]:
    name = recipe.objective.get("type")
    if name not in OBJECTIVES:
        raise UserError(f"unknown objective {name!r}: one of {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]


def _build_model(
    recipe: Recipe, objective_type: type[Objective], vocabulary: Vocabulary | None, pairs: Path
) -> ImageTextModel:
    vit = build_vit(_layout(recipe), recipe.drop_path_rate)
    if not torch.cuda.is_available():
        tune_for_cpu(vit)
    options = {key: value for key, value in recipe.objective.items() if key != "type"}
    if vocabulary is not None:
        options |= {"class_counts": list(vocabulary.counts), "num_captions": _num_captions(pairs)}
    try:
        return ImageTextModel(vit, objective_type(vit.embed_dim, **options))
    except (TypeError, ValueError) as error:
        raise UserError(f"objective {objective_type.name}: {error}") from None


def _layout(recipe: Recipe) -> Layout:
    if recipe.architecture not in ARCHITECTURES:
        raise UserError(f"unknown architecture {recipe.architecture!r}: one of {', '.join(ARCHITECTURES)}")
    return replace(ARCHITECTURES[recipe.architecture], image_size=recipe.image_size)


def _num_captions(pairs: Path) -> int:
    import pyarrow.parquet

    train, _ = _splits(pairs)
    return sum(pyarrow.parquet.read_metadata(sidecar_path(shard)).num_rows for shard in train)


def _labelling_seconds(pairs: Path) -> float | None:
    """What mining the training captions took, on one core; None where the sidecars do not say."""
    train, _ = _splits(pairs)
    seconds = [check_sidecar(shard).get("seconds") for shard in train]
    return None if None in seconds else sum(seconds)


def _splits(pairs: Path) -> tuple[list[Path], list[Path]]:
    """Training and validation shards; a folder without ``train/`` is all training."""
    if (pairs / "train").is_dir():
        val = pairs / "val"
        return find_shards(pairs / "train"), find_shards(val) if val.is_dir() else []
    return find_shards(pairs), []


def _labels(pairs: Path) -> Vocabulary:
    """The vocabulary, once every shard is known to have labels of its own captions."""
    for shard in [shard for split in _splits(pairs) for shard in split]:
        check_sidecar(shard, folder=shard.parent)
    return Vocabulary.load(pairs / "vocabulary.csv")


def _batch_maker(
    recipe: Recipe, transform: Callable, vocabulary: Vocabulary | None, reads: str
) -> BatchMaker:
    tokenizer = labels = None
    if reads == "text":
        from open_clip.tokenizer import SimpleTokenizer

        tokenizer = SimpleTokenizer(context_length=recipe.objective.get("context_length", 77))
    if vocabulary is not None:
        index = {synset: rank for rank, synset in enumerate(vocabulary.synsets)}
        labels = SynsetLabels(index, read_sidecar)
    return BatchMaker(transform, tokenizer, labels, recipe.seed)


def _build_runner(
    recipe: Recipe,
    model: ImageTextModel,
    vocabulary: Vocabulary | None,
    pairs: Path,
    training: Path,
    hooks: list,
) -> Runner:
    train_shards, val_shards = _splits(pairs)
    reads = model.objective.reads
    augment = train_transform(recipe.image_size, recipe.augmentation.scale, recipe.augmentation.flip)
    stream = TrainStream(
        train_shards,
        _batch_maker(recipe, augment, vocabulary, reads),
        recipe.batch_size,
        recipe.iterations,
        recipe.seed,
        recipe.shuffle_buffer,
    )
    loading = {"batch_size": None, "pin_memory": torch.cuda.is_available()}
    workers = min(recipe.num_workers, len(train_shards) // world_size())
    settings: dict[str, Any] = {
        "train_dataloader": DataLoader(
            stream, num_workers=workers, persistent_workers=workers > 0, **loading
        ),
        "train_cfg": {
            "by_epoch": False,
            "max_iters": recipe.iterations,
            "val_interval": recipe.val_interval,
            "fast_forward_on_resume": True,
        },
    }
    if val_shards:
        plain = _batch_maker(recipe, eval_transform(recipe.image_size), vocabulary, reads)
        batches = ValidationBatches(val_shards, plain, recipe.val_batch_size, recipe.val_samples)
        settings |= {
            "val_dataloader": DataLoader(batches, **loading),
            "val_cfg": {},
            "val_evaluator": [MeanLoss()],
        }
    launcher = "pytorch" if "LOCAL_RANK" in os.environ else "none"
    return _QuietRunner(
        model=model,
        work_dir=str(training),
        optim_wrapper=_optim_wrapper(recipe, model),
        param_scheduler=_schedule(recipe),
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
            ResumeHook(),
            *hooks,
            {"type": "EMAHook", "momentum": recipe.ema_momentum},
        ],
        resume=(training / "last_checkpoint").is_file(),
        launcher=launcher,
        randomness={"seed": recipe.seed},
        env_cfg={"cudnn_benchmark": True},
        default_scope="mmengine",
        experiment_name=training.parent.name,
        visualizer={"type": "Visualizer", "vis_backends": []},
        cfg=Config(),
        **settings,
    )


class _QuietRunner(ResumableRunner):
    """A Runner with its log in a file only: people get the progress line."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        for handler in list(logger.handlers):
            if type(handler) is logging.StreamHandler:
                logger.removeHandler(handler)
        return logger


def _optim_wrapper(recipe: Recipe, model: ImageTextModel) -> dict[str, Any]:
    """AdamW without decay on positions, tokens and whatever has fewer than two dimensions.

    MMEngine's own rule for flat parameters asks for one dimension and misses scalars: a temperature would
    rise by decay alone.
    """
    settings = recipe.optimizer
    plain = {name for name, parameter in model.named_parameters() if parameter.ndim < 2}
    undecayed = plain | {"pos_embed", "cls_token", "positional_embedding"}
    return {
        "type": backbones.precision.Bf16OptimWrapper,
        "precision": recipe.precision,
        "optimizer": {
            "type": "AdamW",
            "lr": settings.lr,
            "betas": settings.betas,
            "weight_decay": settings.weight_decay,
            "fused": True,
        },
        "clip_grad": {"max_norm": settings.clip_grad} if settings.clip_grad else None,
        "paramwise_cfg": {
            "custom_keys": {name: {"decay_mult": 0.0} for name in sorted(undecayed)},
        },
    }


def _schedule(recipe: Recipe) -> list[dict[str, Any]]:
    """Linear warm-up from 1e-6, then cosine to the smallest learning rate, both per step."""
    settings = recipe.optimizer
    warmup = min(settings.warmup_samples // recipe.batch_size, recipe.iterations // 2)
    cosine = {
        "type": "CosineAnnealingLR",
        "by_epoch": False,
        "begin": warmup,
        "end": recipe.iterations,
        "T_max": recipe.iterations - warmup,
        "eta_min": settings.lr * settings.min_lr_ratio,
    }
    if warmup == 0:
        return [cosine]
    start = min(1e-6 / settings.lr, 1.0)
    return [{"type": "LinearLR", "by_epoch": False, "start_factor": start, "begin": 0, "end": warmup}, cosine]


def _precision(recipe: Recipe, device: torch.device) -> str:
    if recipe.precision != "auto":
        return recipe.precision
    return "bf16" if backbones.precision.bf16_is_fast(device) else "float32"
