"""Which source a file's keys look like, so that a wrong prefix can be answered with the right one."""

from __future__ import annotations

from collections.abc import Iterable

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
