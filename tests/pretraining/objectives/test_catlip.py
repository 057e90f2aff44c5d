"""CatLIP's loss against the plain one, and where it starts."""

import pytest
import torch
import torch.nn.functional as F

from backbones.vit import Tokens
from pretraining.objectives.base import ImageTextBatch
from pretraining.objectives.catlip import CatLIP


def tokens_of(class_token):
    return Tokens(class_token, class_token[:, :, None, None])


def test_catlip_is_bce_summed_over_classes_and_averaged_over_images():
    torch.manual_seed(0)
    objective = CatLIP(8, class_counts=[5, 3, 1], num_captions=10)
    images = torch.randn(4, 8)
    rows, classes = torch.tensor([0, 0, 2]), torch.tensor([0, 2, 1])
    batch = ImageTextBatch(torch.empty(4), [""] * 4, label_rows=rows, label_classes=classes)
    target = torch.zeros(4, 3)
    target[rows, classes] = 1
    expected = F.binary_cross_entropy_with_logits(objective.classifier(images), target, reduction="sum") / 4
    torch.testing.assert_close(objective(tokens_of(images), batch)["loss"], expected)


def test_catlip_starts_at_the_frequency_of_each_class():
    objective = CatLIP(8, class_counts=[500, 20], num_captions=1000)
    torch.testing.assert_close(objective.classifier.bias.sigmoid(), torch.tensor([0.5, 0.02]))


@pytest.mark.parametrize(("name", "expected"), [("zero", [0.5, 0.5]), ("mean_log_odds", [0.26, 0.26])])
def test_other_initial_biases_of_catlip(name, expected):
    objective = CatLIP(8, class_counts=[500, 20], num_captions=1000, initial_bias=name)
    torch.testing.assert_close(objective.classifier.bias.sigmoid(), torch.tensor(expected))


def test_catlip_trains_on_images_without_any_label():
    objective = CatLIP(8, class_counts=[5, 3], num_captions=10)
    none = torch.zeros(0, dtype=torch.long)
    batch = ImageTextBatch(torch.empty(2), [""] * 2, label_rows=none, label_classes=none)
    loss = objective(tokens_of(torch.randn(2, 8)), batch)["loss"]
    loss.backward()
    assert loss > 0 and objective.classifier.bias.grad.min() > 0
