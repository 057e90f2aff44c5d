"""CatLIP: image–text pre-training as multi-label classification of the caption's synsets."""

from __future__ import annotations

from typing import Any, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backbones.vit import SynsetClassifier, Tokens
from pretraining.data.readings import SynsetLabels
from pretraining.labels.vocabulary import Vocabulary
from pretraining.objectives.base import ImageTextBatch, Objective
from pretraining.objectives.options import InitialBias


class CatLIP(Objective):
    """Binary cross-entropy over a vocabulary of synsets (arXiv 2404.15653, section 3; released code).

    The loss is summed over classes and divided by the number of images; an image whose caption names no
    synset is a target of zeros and is still trained on.

    Args:
        width: width D of the class token.
        class_counts: [V] captions that name each class, and
        num_captions: how many captions were counted.
        initial_bias: where the classifier's bias starts. ``zero`` is CoreNet's; with ``log_odds``, of each
            class's frequency, training does not begin by unlearning 50 % for every class; ``mean_log_odds``
            is the log-odds of the mean frequency, the same for all classes.
        min_count: read by `SynsetLabels`: classes in fewer captions were left out (the paper's V_tau + 1).

    Raises:
        ValueError: another initial bias.
    """

    name = "catlip"
    reads = SynsetLabels

    def __init__(
        self,
        width: int,
        class_counts: list[int],
        num_captions: int,
        initial_bias: InitialBias = "log_odds",
        min_count: int = 1,
    ) -> None:
        super().__init__()
        if initial_bias not in get_args(InitialBias):
            raise ValueError(f"initial_bias is {' or '.join(get_args(InitialBias))}, not {initial_bias!r}")
        self.classifier = nn.Linear(width, len(class_counts))
        frequency = torch.tensor(class_counts, dtype=torch.float64) / max(num_captions, 1)
        if initial_bias == "mean_log_odds":
            frequency = frequency.mean().expand(len(class_counts))
        with torch.no_grad():
            nn.init.trunc_normal_(self.classifier.weight, std=0.02)
            self.classifier.bias.copy_(torch.logit(frequency.clamp(1e-7, 1 - 1e-3)))
            if initial_bias == "zero":
                self.classifier.bias.zero_()

    def forward(self, tokens: Tokens, batch: ImageTextBatch) -> dict[str, Tensor]:
        logits = self.classifier(tokens.class_token).float()
        # BCE with logits is softplus(x) - x for a positive and softplus(x) for a negative, so the targets
        # are needed only where they are one.
        positive = logits[batch.label_rows, batch.label_classes]
        loss = (F.softplus(logits).sum() - positive.sum()) / len(logits)
        return {"loss": loss, "positive_probability": positive.detach().sigmoid().mean()}

    def synset_classifier(self, vocabulary: Vocabulary) -> SynsetClassifier:
        return SynsetClassifier(self.classifier.weight, self.classifier.bias, tuple(vocabulary.synsets))

    def cost_inputs(self) -> dict[str, Any]:
        return {"classes": self.classifier.out_features}
