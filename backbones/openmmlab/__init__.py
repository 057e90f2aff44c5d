"""Our backbones inside MMDetection and MMSegmentation.

Importing this package makes `mmcv.ops` usable without a compiled mmcv (`ops`) and registers with MMEngine's
root registries, where both libraries look, `ViTBackbone`, `ImageClassifier`, `SimpleFPN`, `LN2d`,
`LayerDecayOptimConstructor` and `Bf16OptimWrapper`. A config does it by
``custom_imports = dict(imports=['backbones.openmmlab'])``.
"""

from __future__ import annotations

from backbones.openmmlab import ops

ops.install()  # before anything imports mmcv.ops

from backbones import layer_decay, precision  # noqa: E402
from backbones.openmmlab import pyramid  # noqa: E402
from backbones.openmmlab.backbone import ViTBackbone  # noqa: E402
from backbones.openmmlab.classifier import ImageClassifier  # noqa: E402

__all__ = ["ImageClassifier", "ViTBackbone", "layer_decay", "ops", "precision", "pyramid"]
