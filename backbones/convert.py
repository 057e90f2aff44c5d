"""Writing any loaded backbone in another format; what was written is read back and compared."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.errors import UserError

if TYPE_CHECKING:
    from backbones.layout import Layout
    from backbones.vit import ViT

FORMATS = ("suite", "timm", "openclip", "hf")
TOLERANCE = 1e-4


def convert(name: str, out: Path, to: str = "suite") -> tuple[str, list[str]]:
    """Write a backbone into a new folder.

    Args:
        name: what `load_backbone` understands.
        out: the folder to write; it must not exist or be empty.
        to: ``suite`` (the format of ``run:``) or ``timm`` (config.json and model.safetensors, which
            ``timm:FOLDER`` and timm's own ``local-dir:FOLDER`` read).

    Returns:
        The name of the result, and what became of the source's keys.

    Raises:
        UserError: the format cannot hold the backbone, the folder is in use, or the result read back computes
            something else.
    """
    from backbones import catalog
    from backbones.checkpoints.trunk import layout_of

    if to not in FORMATS:
        raise UserError(f"--to {to}: the formats are {', '.join(FORMATS)}")
    if to in {"openclip", "hf"}:
        raise UserError(
            f"--to {to} is not written yet: use --to timm for a ViT of timm's kind, or leave --to out"
        )
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is in use: name a new folder")
    vit = catalog.load(name)
    layout = layout_of(vit.trunk, name)
    writing = out.with_name(f"{out.name}.partial")
    shutil.rmtree(writing, ignore_errors=True)
    writing.mkdir(parents=True)
    try:
        write = _write_suite if to == "suite" else _write_timm
        prefix = write(writing, vit, layout, catalog.describe(name), name)
        _compare(vit, catalog.load(f"{prefix}:{writing}"), out)
        if out.exists():
            out.rmdir()
        os.replace(writing, out)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    report = getattr(vit, "key_report", None)
    return f"{prefix}:{out}", report.lines() if report else []


def _write_suite(folder: Path, vit: ViT, layout: Layout, known: dict[str, Any], name: str) -> str:
    from backbones.checkpoints import run

    if vit.synset_classifier is not None:
        shutil.copyfile(vit.vocabulary_file, folder / "vocabulary.csv")
    kept = {
        key: value
        for key, value in known.items()
        if key not in {"architecture", "preprocessing", "format", "source"}
    }
    run.save(folder, vit, {**kept, "architecture": asdict(layout), "converted_from": name})
    return "run"


def _write_timm(folder: Path, vit: ViT, layout: Layout, known: dict[str, Any], name: str) -> str:
    from safetensors.torch import save_file

    impossible: tuple[tuple[bool, str], ...] = (
        (layout.stem == "conv", "a convolutional stem"),
        (layout.positions in {"bicubic", "corenet"}, f"positions resized as {layout.positions} does"),
        (layout.patch_bias == layout.pre_norm, "a patch projection with another bias"),
        (layout.activation == "swiglu", "gated MLPs"),
    )
    if problems := [problem for wrong, problem in impossible if wrong]:
        raise UserError(f"{name} has {problems[0]}, which timm's config.json cannot say: leave --to out")
    arguments = {
        "img_size": layout.image_size,
        "patch_size": layout.patch_size,
        "embed_dim": layout.embed_dim,
        "depth": layout.depth,
        "num_heads": layout.num_heads,
        "mlp_ratio": layout.mlp_ratio,
        "qkv_bias": layout.qkv_bias,
        "global_pool": layout.pooling,
        "class_token": layout.class_token,
        "no_embed_class": not layout.embed_class,
        "reg_tokens": layout.registers,
        "pos_embed": "none" if layout.positions == "none" else "learn",
        "pre_norm": layout.pre_norm,
        "final_norm": layout.norm != "none",
        "fc_norm": layout.norm == "after",
        "init_values": 1.0 if layout.layer_scale else None,
        "act_layer": layout.activation,
        **_norm(layout, name),
    }
    side = layout.image_size if isinstance(layout.image_size, int) else layout.image_size[0]
    preprocessing = vit.preprocessing
    config = {
        "architecture": "vit_base_patch16_224",
        "num_classes": 0,
        "model_args": arguments,
        "pretrained_cfg": {
            "input_size": [3, side, side],
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
            "interpolation": preprocessing.interpolation,
            "crop_pct": preprocessing.crop_pct,
            "num_classes": 0,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
    }
    state = {key: value.detach().contiguous().cpu() for key, value in vit.trunk.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return "timm"


def _norm(layout: Layout, name: str) -> dict[str, str]:
    if layout.norm_eps == 1e-6:
        return {"norm_layer": "layernorm"}
    raise UserError(
        f"{name} has norms with epsilon {layout.norm_eps:g}, which timm's config.json cannot say: "
        "leave --to out"
    )


def _compare(before: ViT, after: ViT, out: Path) -> None:
    """Both must compute the same, at the native size and at another."""
    import torch

    size, patch = before.preprocessing.size, before.patch_size
    generator = torch.Generator().manual_seed(0)
    side = min(size, 8 * patch)
    for height, width in ((size, size), (side, side + patch)):
        image = torch.rand(1, 3, height, width, generator=generator)
        with torch.no_grad():
            old, new = before(image), after(image)
        worst = max(
            (old.class_token - new.class_token).abs().max().item(),
            (old.patches - new.patches).abs().max().item(),
        )
        if not worst <= TOLERANCE:
            raise UserError(
                f"{out}: read back, it computes something else (difference {worst:.2g} at {height}x{width}): "
                "use the backbone by its own name"
            )
