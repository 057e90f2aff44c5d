"""Compiles the nouns of WordNet 3.0 into the two tables beside this file.

    python -m pretraining.labels.lexicon.compile [--wordnet DICT] [--out FOLDER]

``DICT`` is a WordNet 3.0 ``dict`` folder (Debian: ``/usr/share/wordnet``); without it NLTK's own data is
used. The tables are xz-compressed text, one field per line, made to be small and quick to read (``xzcat``
shows them):

``nouns.txt.xz``
  1. title and version of the format
  2. the head lemma of each noun synset, in order of offset
  3. the number of the sense that the synset is of its head lemma (``dog.n.01``: 1)
  4. the offsets, each as the distance from the one before
  5. the lemmas whose first sense is headed by another lemma, in order of that synset
  6. the row of that synset, each as the distance from the one before
  7. irregular forms: ``form=base``, or ``form=base=base``
``hypernyms.txt.xz``
  one line per synset: the rows of its hypernyms and instance hypernyms
"""

from __future__ import annotations

import argparse
import lzma
from itertools import pairwise
from pathlib import Path
from typing import Any

from common.files import replacing
from pretraining.labels.lexicon import FORMAT, HYPERNYMS, NOUNS
from pretraining.labels.lexicon.wordnet import installed_wordnet


def compile_nouns(wordnet: Any) -> tuple[str, str]:
    """The texts of both tables.

    Args:
        wordnet: NLTK's reader of WordNet 3.0.

    Returns:
        ``nouns.txt`` and ``hypernyms.txt`` as described above.
    """
    synsets = sorted(wordnet.all_synsets("n"), key=lambda synset: synset.offset())
    offsets = [synset.offset() for synset in synsets]
    row_of = {offset: row for row, offset in enumerate(offsets)}
    heads, senses = zip(*(synset.name().rsplit(".n.", 1) for synset in synsets), strict=True)
    headed = {head for head, sense in zip(heads, senses, strict=True) if int(sense) == 1}

    others = []
    for lemma in wordnet.all_lemma_names("n"):
        if lemma not in headed:
            others.append((row_of[wordnet.synset(f"{lemma}.n.01").offset()], lemma))
    others.sort()

    forms: dict[str, list[str]] = {}
    with wordnet.open("noun.exc") as lines:
        for line in lines:
            form, *bases = line.split()
            forms[form] = bases

    nouns = "\n".join(
        [
            FORMAT,
            " ".join(heads),
            " ".join(str(int(sense)) for sense in senses),
            " ".join(_distances(offsets)),
            " ".join(lemma for _, lemma in others),
            " ".join(_distances([row for row, _ in others])),
            " ".join("=".join([form, *bases]) for form, bases in sorted(forms.items())),
        ]
    )
    hypernyms = "\n".join(
        " ".join(
            str(row)
            for row in sorted(row_of[h.offset()] for h in synset.hypernyms() + synset.instance_hypernyms())
        )
        for synset in synsets
    )
    return nouns + "\n", hypernyms + "\n"


def _distances(values: list[int]) -> list[str]:
    return [str(b - a) for a, b in pairwise([0, *values])]


def write_table(path: Path, text: str) -> None:
    """Compresses a table and puts it in place at once."""
    with replacing(path) as temporary:
        temporary.write_bytes(lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Compile WordNet 3.0's nouns into the lexicon of this package."
    )
    parser.add_argument("--wordnet", type=Path, help="WordNet 3.0 dict folder")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    nouns, hypernyms = compile_nouns(installed_wordnet(arguments.wordnet))
    write_table(arguments.out / NOUNS, nouns)
    write_table(arguments.out / HYPERNYMS, hypernyms)


if __name__ == "__main__":
    main()
