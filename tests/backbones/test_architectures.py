"""The named shapes, and what identifies untrained weights of one."""

import pytest
import torch

from backbones.architectures import ARCHITECTURES
from backbones.catalog import backbone_digest
from backbones.vit import build_vit


@pytest.mark.parametrize(
    ("mode", "parameters"),
    [("tiny", 5_425_350), ("small", 21_559_686), ("base", 85_955_334), ("large", 303_838_214)],
)
def test_conv_stem_models_have_corenets_parameter_counts(mode, parameters):
    # CoreNet counts six scalars of its augmentation besides
    with torch.device("meta"):
        vit = build_vit(ARCHITECTURES[f"vit_{mode}_conv16"])
    assert vit.num_params == parameters - 6


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("vit_nano_conv16", "4955929244867704a0bcb26ee044e328"),
        ("vit_tiny_patch16", "f2e0d139ec6a264d6250485cefd16bc0"),
        ("vit_tiny_patch16_224", "bda739e765f72439932026c3b7f24b13"),  # timm's
    ],
)
def test_digests_of_untrained_weights_stay_as_they_are(name, digest):
    """They are part of the fingerprints of finished results, which another digest would set aside."""
    assert backbone_digest(f"random:{name}") == digest
