"""Operations of a training step, against a count by hand."""

import pytest
import torch

from backbones.architectures import ARCHITECTURES
from backbones.vit import build_vit
from pretraining.cost import flops_per_image
from pretraining.data.readings import SynsetLabels
from pretraining.model import ImageTextModel
from pretraining.objectives.catlip import CatLIP


def test_the_head_is_one_multiplication_and_the_model_stays_where_it_is(pairs):
    reading = SynsetLabels(pairs, {})
    model = ImageTextModel(build_vit(ARCHITECTURES["vit_nano_conv16"]), CatLIP(32, **reading.found))
    flops = flops_per_image(model, reading, image_size=32, batch_size=4)
    assert flops["head"] == 2 * 32 * len(reading.vocabulary)
    assert flops["total"] == pytest.approx(3 * (flops["backbone"] + flops["head"]), rel=0.1)
    assert next(model.parameters()).device == torch.device("cpu")
