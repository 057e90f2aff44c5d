"""Transfer Init (arXiv 2404.15653, section 4.2): a new task's classifier from the pre-trained one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from backbones.vit import HEAD_STD
from common.errors import UserError
from pretraining.labels.matching import Match


def initial_classifier(
    matches: Sequence[Match], weight: Tensor, bias: Tensor, seed: int = 0, std: float = HEAD_STD
) -> tuple[Tensor, Tensor]:
    """Rows of the pre-trained classifier, in the order of the target's labels.

    A label of one class gets a copy of its row, one of several ("restaurant kitchen") their mean, one of none
    a random row: a normal distribution of the given standard deviation cut at two absolute units, which is
    how timm initialises the heads of ViTs. The paper does not say what becomes of the bias; here it is copied
    with the row, so that a label's logit is the class's own. A random row gets the mean of the others'
    biases, because a pre-trained bias is near the log-odds of a rare class, against which zero would make
    every label without a class the likeliest.

    Args:
        matches: of all labels, as ``match_labels`` returns them.
        weight: [V, D], a row per class of the vocabulary.
        bias: [V].
        seed: of the random rows. They do not depend on which other labels have a class.
        std: of the random rows.

    Returns:
        weight [C, D] and bias [C], new tensors of the dtype and on the device of what was given.

    Raises:
        UserError: a match is with a class that this classifier does not have.
    """
    classes = [
        list(dict.fromkeys(row.class_index for row in rows if row.class_index is not None))
        for _, rows in groupby(matches, lambda match: match.target)
    ]
    largest = max((index for indices in classes for index in indices), default=-1)
    if largest >= len(weight):
        raise UserError(
            f"a label matches class {largest}, but the classifier has {len(weight)}: match with the "
            "vocabulary that it was trained on"
        )
    drawn = torch.empty(len(classes), weight.shape[1])
    nn.init.trunc_normal_(drawn, std=std, generator=torch.Generator().manual_seed(seed))
    new_weight = drawn.to(weight)
    new_bias = torch.zeros(len(classes)).to(bias)
    for target, indices in enumerate(classes):
        if indices:
            new_weight[target] = weight.detach()[indices].mean(0)
            new_bias[target] = bias.detach()[indices].mean()
    matched = torch.tensor([bool(indices) for indices in classes], device=bias.device)
    if matched.any():
        new_bias[~matched] = new_bias[matched].mean()
    return new_weight, new_bias
