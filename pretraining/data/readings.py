"""What objectives read of image–text pairs beside the images, and how that becomes part of a batch."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, ClassVar

import torch

from pretraining.data.shards import RawSample, pair_splits
from pretraining.labels.sidecars import check_sidecar, read_sidecar
from pretraining.labels.vocabulary import Vocabulary

_SYNSETS = 4
"""Labels that an invented caption has: about what the paper's have."""


class Reading:
    """What an objective reads; this one reads nothing but images and raw captions.

    It is made once before training, to see that the data are ready, and travels to the loaders' processes.

    Args:
        pairs: the folder of pairs (`pair_splits`).
        options: the recipe's options of the objective.
        labels: where the pairs' folder cannot be written: another with the same folders in it, which has the
            labels and ``vocabulary.csv``; None: they are beside the shards.

    Class attributes:
        files: names of files in the folder of pairs (or labels) that decide what is learnt; part of the
            fingerprint.
        blank: what `read` would give for a sample that says nothing, to count operations with.

    Attributes:
        found: options for the objective that the data decide.
        vocabulary: the classes, where labels are read.
        labelling_seconds: of one core, that making the training labels took; None where there are none or
            they do not say.

    Raises:
        UserError: the data lack what is to be read; the message says how to make it.
    """

    files: ClassVar[tuple[str, ...]] = ()
    blank: ClassVar[Any] = None
    vocabulary: Vocabulary | None = None
    labelling_seconds: float | None = None

    def __init__(self, pairs: Path, options: dict[str, Any], labels: Path | None = None) -> None:
        self.found: dict[str, Any] = {}

    @classmethod
    def synthetic(cls, options: dict[str, Any], classes: int) -> Reading:
        """A reading of pairs that nobody has, to measure with: `invented` stands for `read`.

        Args:
            options: the recipe's options of the objective.
            classes: of the vocabulary, where labels are read.
        """
        return cls(Path(), options)

    def invented(self) -> Any:
        """What `read` might have given for some caption."""
        return self.blank

    def read(self, sample: RawSample, caption: str) -> Any:
        """What is read of one sample, in a loader's process.

        Raises:
            ValueError: the sample cannot be used; it is counted and left out.
        """
        return self.blank

    def collate(self, items: list[Any]) -> dict[str, Any]:
        """Fields of an `ImageTextBatch`, from what `read` gave for each of its samples."""
        return {}

    def save(self, folder: Path) -> None:
        """Write the files that a checkpoint needs to be understood beside it."""


class TextTokens(Reading):
    """Captions as OpenCLIP's BPE tokens: the field ``text``."""

    blank = ""

    def __init__(self, pairs: Path, options: dict[str, Any], labels: Path | None = None) -> None:
        from open_clip.tokenizer import SimpleTokenizer

        super().__init__(pairs, options, labels)
        self.tokenizer = SimpleTokenizer(context_length=options.get("context_length", 77))

    def invented(self) -> str:
        return " ".join(random.choices("a the dog cat house tree red photo of on with near".split(), k=10))

    def read(self, sample: RawSample, caption: str) -> str:
        return caption

    def collate(self, items: list[str]) -> dict[str, Any]:
        return {"text": self.tokenizer(items)}


class SynsetLabels(Reading):
    """Mined labels, from the sidecar beside each shard: the fields ``label_rows`` and ``label_classes``.

    Classes are the ranks of synsets in ``vocabulary.csv``; synsets outside of it are no labels. The option
    ``min_count`` leaves out its rarer ones, so that one labelling serves several vocabularies.
    """

    files = ("vocabulary.csv",)
    blank = ()

    def __init__(self, pairs: Path, options: dict[str, Any], labels: Path | None = None) -> None:
        super().__init__(pairs, options, labels)
        train, val = pair_splits(pairs)
        self._out = (
            {}
            if labels is None
            else {str(s.resolve()): Path(labels) / s.parent.relative_to(pairs) for s in [*train, *val]}
        )
        facts = {
            shard: check_sidecar(shard, self._out.get(str(shard.resolve())), shard.parent)
            for shard in [*train, *val]
        }
        mined = [facts[shard] for shard in train]
        seconds = [fact.get("seconds") for fact in mined]
        self.labelling_seconds = None if None in seconds else sum(seconds)
        counted = Vocabulary.load(Path(labels or pairs) / "vocabulary.csv")
        self.vocabulary = counted.cut(options.get("min_count", 1))
        self.found = {
            "class_counts": list(self.vocabulary.counts),
            "num_captions": sum(fact["count"] for fact in mined),
        }
        self._by_shard: dict[str, dict[str, tuple[int, ...]]] = {}

    @classmethod
    def synthetic(cls, options: dict[str, Any], classes: int) -> SynsetLabels:
        reading = cls.__new__(cls)
        Reading.__init__(reading, Path(), options)
        counts = [10**7 // rank for rank in range(1, classes + 1)]  # Zipf's law
        reading.found = {"class_counts": counts, "num_captions": 10**8}
        return reading

    def invented(self) -> tuple[int, ...]:
        return tuple(random.choices(range(len(self.found["class_counts"])), k=_SYNSETS))

    def read(self, sample: RawSample, caption: str) -> tuple[int, ...]:
        shard = sample["__url__"]
        if shard not in self._by_shard:
            # the shuffle buffer mixes neighbouring shards, so a few are kept at once
            while len(self._by_shard) >= 8:
                self._by_shard.pop(next(iter(self._by_shard)))
            self._by_shard[shard] = read_sidecar(Path(shard), self._out.get(shard))
        synsets = self._by_shard[shard].get(sample["__key__"])
        if synsets is None:
            raise ValueError("no label for this key in the shard's sidecar")
        classes = map(self.vocabulary.index, synsets)
        return tuple(index for index in classes if index is not None)

    def collate(self, items: list[tuple[int, ...]]) -> dict[str, Any]:
        counts = torch.tensor([len(classes) for classes in items])
        return {
            "label_rows": torch.repeat_interleave(torch.arange(len(items)), counts),
            "label_classes": torch.tensor([c for classes in items for c in classes], dtype=torch.long),
        }

    def save(self, folder: Path) -> None:
        self.vocabulary.save(folder / "vocabulary.csv")
