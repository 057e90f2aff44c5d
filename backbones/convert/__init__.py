"""Writing any loaded backbone in another format; what was written is read back and compared."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError

if TYPE_CHECKING:
    from backbones.layout import Layout
    from backbones.vit import ViT

# format -> the module here that writes it
FORMATS = {"suite": "suite", "timm": "timm", "openclip": "openclip", "hf": "huggingface"}
TOLERANCE = 1e-4


def convert(name: str, out: Path, to: str = "suite") -> tuple[str, list[str]]:
    """Write a backbone into a new folder.

    Args:
        name: what `load_backbone` understands.
        out: the folder to write; it must not exist or be empty.
        to: ``suite`` (the format of ``run:``), ``timm`` (what timm's ``local-dir:FOLDER`` reads),
            ``openclip`` (an image tower of OpenCLIP with its configuration) or ``hf`` (what transformers'
            `from_pretrained` reads). The modules beside this one say what is in each.

    Returns:
        The name of the result, and what became of the source's keys and of what the format cannot say.

    Raises:
        UserError: the format cannot hold the backbone, the folder is in use, or the result read back computes
            something else.
    """
    from backbones import catalog
    from backbones.trunk import layout_of

    if to not in FORMATS:
        raise UserError(f"--to {to}: the formats are {', '.join(FORMATS)}")
    out = Path(out).absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir()) or out == Path.cwd()):
        raise UserError(f"{out} is in use: name a new folder")
    vit = catalog.load(name)
    layout = layout_of(vit.trunk, name)
    format_ = importlib.import_module(f"backbones.convert.{FORMATS[to]}")
    out.parent.mkdir(parents=True, exist_ok=True)
    writing = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        writing.chmod(0o755)  # mkdtemp keeps others out
        format_.write(writing, vit, layout, name)
        notes = _compare(vit, layout, catalog.load(f"{format_.SOURCE}:{writing}"), out)
        if out.exists():
            out.rmdir()
        os.replace(writing, out)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    report = vit.key_report
    return f"{format_.SOURCE}:{out}", [*(report.lines() if report else []), *notes]


def _shown(vit: ViT) -> dict[str, Any]:
    """The preprocessing, with the resized image's side in the place of the share that is cropped from it."""
    values = vit.preprocessing.to_dict()
    return {"resized": round(values["size"] / values.pop("crop_pct")), **values}


def _compare(before: ViT, layout: Layout, after: ViT, out: Path) -> list[str]:
    """Both must compute the same, at the native size and, where they resize positions alike, at another.

    Returns:
        What the format did not keep, in words.

    Raises:
        UserError: the tokens differ.
    """
    import torch

    from backbones.trunk import layout_of

    positions = layout_of(after.trunk).positions
    size, patch = before.trunk.patch_embed.img_size[0], before.patch_size
    side = min(size, 8 * patch)
    generator = torch.Generator().manual_seed(0)
    for height, width in ((size, size), (side, side + patch))[: 2 if positions == layout.positions else 1]:
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
    notes = []
    if positions != layout.positions:
        notes.append(f"at other image sizes positions are resized as {positions}, not {layout.positions}")
    old, new = _shown(before), _shown(after)
    notes += [f"{key} {old[key]} is {new[key]} in this format" for key in old if new[key] != old[key]]
    if before.synset_classifier is not None and after.synset_classifier is None:
        notes.append("the synset classifier is left out: only the suite's own format holds it")
    return notes
