"""How mined labels agree with what is really on the pictures, for each wording of the demo's captions.

    python tests/calibration/label_agreement.py [--pairs 12000] [--min-count 20] [--out FILE.csv]

The demo's shards hold under ``truth`` the objects and the ground of every picture; nothing trains on it.
Captions are mined as for pre-training; labels in fewer captions than the vocabulary asks for are left out.
Precision: of all labels that were mined, the share that is on the picture. Recall: of all that is on
pictures, the share that was mined; for objects and grounds apart, and for objects by how many there are.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmark.demo_data import pairs
from benchmark.demo_data.spec import DemoSpec
from benchmark.demo_data.text import CHANCES
from common.processes import Workers
from pretraining.labels.synsets import Lexicon, label_many

Sample = tuple[str, tuple[str, ...], str]
"""Caption, nouns of the objects on the picture, noun of its ground."""


def samples_of(spec: DemoSpec, workers: Workers) -> list[Sample]:
    """The training pairs of a spec, without their pictures."""
    return list(workers.map(_sample, pairs.plan(spec, "train")))


def _sample(job: pairs.PairJob) -> Sample:
    pair = pairs.draw_pair(job)
    return pair.caption, pair.objects, pair.ground


def agreement(samples: Iterable[Sample], min_count: int) -> dict[str, float]:
    """Precision and recall, in percent, and what they are of.

    Args:
        samples: captions with what is on their pictures.
        min_count: captions that a synset must be in to be a label.
    """
    samples = list(samples)
    synset = Lexicon.load().first_synset
    mined = [set(labels) for labels in label_many(caption for caption, *_ in samples)]
    counts = Counter(label for labels in mined for label in labels)
    mined = [{label for label in labels if counts[label] >= min_count} for labels in mined]
    objects = [{synset(noun) for noun in nouns} for _, nouns, _ in samples]
    grounds = [{synset(ground)} for *_, ground in samples]

    def recall(truth: list[set], chosen: Iterable[int]) -> float:
        chosen = list(chosen)
        there = sum(len(truth[index]) for index in chosen)
        found = sum(len(truth[index] & mined[index]) for index in chosen)
        return 100 * found / there if there else float("nan")

    everything = range(len(samples))
    right = sum(
        len(labels & (seen | ground)) for labels, seen, ground in zip(mined, objects, grounds, strict=True)
    )
    depicted = set().union(*objects, *grounds)
    about = sum(len(labels & depicted) for labels in mined)
    total = sum(map(len, mined))
    return {
        "captions": len(samples),
        "labels per caption": total / len(samples),
        "no label": 100 * sum(not labels for labels in mined) / len(samples),
        "classes": sum(count >= min_count for count in counts.values()),
        "precision": 100 * right / total,
        "precision, of labels that pictures can show": 100 * right / about,
        "recall, objects": recall(objects, everything),
        "recall, one object": recall(objects, (i for i in everything if len(objects[i]) == 1)),
        "recall, three or more": recall(objects, (i for i in everything if len(objects[i]) > 2)),
        "recall, grounds": recall(grounds, everything),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=DemoSpec().pairs, help="training pairs to draw")
    parser.add_argument("--min-count", type=int, default=20, help="captions that a label is in at least")
    parser.add_argument("--out", type=Path, help="write the table there, too")
    options = parser.parse_args()
    rows = []
    with Workers(fork=True) as workers:
        for wording in CHANCES:
            spec = DemoSpec(pairs=options.pairs, captions=wording)
            found = agreement(samples_of(spec, workers), options.min_count)
            rows.append({"captions": wording, "pairs": int(found.pop("captions")), **found})
            shown = ", ".join(f"{name} {value:.1f}" for name, value in found.items())
            print(f"{wording}: {shown}", flush=True)
    for file in [options.out.open("w", newline="")] if options.out else [sys.stdout]:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}
            for row in rows
        )


if __name__ == "__main__":
    main()
