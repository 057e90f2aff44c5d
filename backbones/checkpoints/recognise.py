"""Which source a file's keys look like, so that a wrong prefix can be answered with the right one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from common.errors import UserError

_WORDS = {
    "corenet": "CoreNet",
    "superclass": "SuperClass",
    "openclip": "OpenCLIP or OpenAI CLIP",
    "hf": "transformers",
    "timm": "timm",
    "run": "this suite's",
}


def recognise(keys: Iterable[str]) -> str | None:
    """Name of the source, or None."""
    names = list(keys)

    def has(*parts: str) -> bool:
        return any(all(part in name for part in parts) for name in names)

    if has("patch_emb.0.block.conv.weight"):
        return "corenet"
    if has("visual.conv1.weight") or has("visual.trunk.") or "class_embedding" in names:
        return "superclass" if has("text_decoder.text_projection") else "openclip"
    if has("embeddings.patch_embedding.weight") or has("embeddings.patch_embeddings.projection.weight"):
        return "hf"
    if has("patch_embed.conv1.weight"):
        return "run"
    if has("patch_embed.proj.weight") or has("blocks.0.attn.qkv.weight"):
        return "timm"
    return None


def advice(keys: Iterable[str], source: str, path: object) -> str:
    """One line that says what the keys are instead of `source`'s."""
    names = list(keys)
    found = recognise(names)
    if found is None or found == source:
        first = f" (its first key is {min(names)!r})" if names else ""
        return f"{path} holds no {source} ViT{first}: name a file of a ViT's weights"
    how = {
        "hf": "hf:FOLDER with the config.json that belongs to it",
        "timm": f"timm:ARCHITECTURE:{path}",
        "run": "run:FOLDER",
        "openclip": f"openclip:{path} (openai: for OpenAI's own)",
    }.get(found, f"{found}:{path}")
    return f"{path} holds {_WORDS[found]} weights, not {source}: name it {how}"


def check_folder(folder: Path, source: str) -> None:
    """Refuse a folder whose description is another source's; one may hold the descriptions of two.

    Raises:
        UserError: it is another source's, which the message names.
    """
    kinds = set()
    if (folder / "backbone.json").is_file():
        kinds.add("run")
    if (folder / "open_clip_config.json").is_file():
        kinds.add("openclip")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = None
    if isinstance(config, dict):
        kinds |= {kind for key, kind in (("architecture", "timm"), ("model_type", "hf")) if key in config}
    if kinds and source not in kinds:
        found = min(kinds)
        raise UserError(f"{folder} holds {_WORDS[found]} weights, not {source}: name it {found}:{folder}")
