"""Vision transformers from many sources behind one contract.

    from backbones import load_backbone
    vit = load_backbone("random:vit_base_conv16")
    tokens = vit(images)

Nothing heavy is imported until a backbone is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.errors import UserError

if TYPE_CHECKING:
    from backbones.vit import ViT

__all__ = ["UserError", "empty_backbone", "load_backbone"]


def load_backbone(name: str, seed: int = 0) -> ViT:
    """Load a backbone by name, in evaluation mode and float32 on the CPU.

    Args:
        name: ``source:rest``, for instance ``run:results/demo/pretrain/catlip`` (a folder this suite wrote),
            ``random:vit_base_conv16`` (untrained weights) or ``timm:vit_base_patch16_clip_224.openai``.
        seed: seed of the weights of ``random:`` backbones; other sources do not use it.

    Raises:
        UserError: the source or the name is unknown, or its weights do not fit; the message says the remedy.
    """
    from backbones import catalog

    return catalog.load(name, seed)


def empty_backbone(name: str) -> ViT:
    """A backbone without its weights, on torch's meta device, in no time and memory.

    It answers what weights do not decide: `embed_dim`, `depth`, `patch_size`, `preprocessing`, names and
    shapes of parameters and, computed on meta tensors, of results. `backbones.trunk.layout_of` describes its
    trunk in full. Of a file of weights only the shapes of its tensors are read.

    Args:
        name: as for `load_backbone`.

    Raises:
        UserError: as `load_backbone` does; what is wrong with the values of weights is not noticed.
    """
    from backbones import catalog

    return catalog.empty(name)
