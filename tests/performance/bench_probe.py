"""The linear probe's path of 45 penalties against one fit, and against scikit-learn's fits one by one.

    python tests/performance/bench_probe.py [--large]

Synthetic features: 5,000 x 192 of 50 classes, or with ``--large`` 20,000 x 384 of 100 (some minutes).
scikit-learn as DINOv3's evaluation has it: float64, L-BFGS, a value of C at a time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch
from gpu_probe import STRENGTHS, synthetic
from sklearn.linear_model import LogisticRegression

from benchmark.heads.logistic import choose, fit
from benchmark.heads.penalty_path import Standardiser


def timed(act: Callable[[], object]) -> tuple[float, object]:
    """Seconds, and what came of it."""
    begin = time.perf_counter()
    found = act()
    return time.perf_counter() - begin, found


def main() -> None:
    images, width, classes = (20_000, 384, 100) if "--large" in sys.argv else (5_000, 192, 50)
    parts, labels = synthetic(images + 4_000, width, classes, torch.device("cpu"))
    features = torch.cat(parts)
    train, train_labels, val, val_labels = features[4_000:], labels[4_000:], features[:4_000], labels[:4_000]
    whole, chosen = timed(
        lambda: choose(train, train_labels, val, val_labels, STRENGTHS, lambda *state: None)
    )
    scaled = Standardiser(train)(train)
    ours, found = timed(lambda: fit(scaled, train_labels, classes, chosen.l2))
    cold = sum(timed(lambda l2=l2: fit(scaled, train_labels, classes, l2))[0] for l2 in STRENGTHS)
    exact, target = scaled.double().numpy(), train_labels.numpy()
    judge = Standardiser(train)(val).double().numpy()
    theirs, scores = [], []
    for l2 in STRENGTHS:
        model = LogisticRegression(C=1 / (l2 * images), max_iter=5_000)
        theirs.append(timed(lambda model=model: model.fit(exact, target))[0])
        scores.append(100 * model.score(judge, val_labels.numpy()))
    best = STRENGTHS.index(chosen.l2)
    reached = max(entry["val_top1"] for entry in chosen.tried)
    print(f"{images:,} x {width}, {classes} classes; at the chosen l2={chosen.l2:.2g}:")
    print(f"one fit {ours:.2f} s: {theirs[best] / ours:.1f} times as fast as scikit-learn's")
    print(
        f"45 strengths {whole:.2f} s: {whole / ours:.1f} times one fit of ours, "
        f"{whole / theirs[best]:.1f} times one of scikit-learn's"
    )
    print(f"one by one: ours {cold / whole:.1f}, scikit-learn's {sum(theirs) / whole:.1f} times as long")
    print(f"validation top-1 {reached:.2f} %, scikit-learn's best {max(scores):.2f} %; {found.steps} passes")


if __name__ == "__main__":
    main()
