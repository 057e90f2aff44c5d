"""How often the installed NLTK would give other labels than 3.8.1, whose labels ours are.

    python tests/performance/later_nltk.py [--captions FILE ...] [--wordnet DICT]

Without captions the texts are all definitions and examples in WordNet. Counted are texts: those with other
labels, and those that get them by the installed version's tokens alone, or by its lemmas alone. Both split
sentences untrained. WordNet 3.0 must be installed for NLTK, or as Debian's wordnet-base.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pretraining.labels import captions, synsets
from pretraining.labels.lexicon.wordnet import installed_wordnet
from pretraining.labels.sources import read_captions
from pretraining.labels.tokenizer import tokenize


def labels(
    texts: list[str], tokenize: Callable[[str], list[str]], lemmatize: Callable[[str], str]
) -> list[tuple[int, ...]]:
    """The labels of cleaned texts, by a tokenizer and a lemmatizer."""
    head = synsets.Lexicon.load().first_synset
    label = cache(lambda token: head(lemmatize(token)))
    return [tuple(dict.fromkeys(filter(None, map(label, tokenize(text))))) for text in texts]


def compare(title: str, texts: list[str]) -> None:
    """Prints how many of these texts get other labels, and some of the synsets that come or go."""
    import nltk

    split, take_apart = nltk.tokenize.PunktSentenceTokenizer().tokenize, nltk.NLTKWordTokenizer().tokenize

    def later(text: str) -> list[str]:
        return [token for sentence in split(text) for token in take_apart(sentence)]

    lexicon, cleaned = synsets.Lexicon.load(), list(map(captions.clean, texts))
    ours = labels(cleaned, tokenize, lexicon.lemmatize)
    assert ours == synsets.label_many(texts)
    print(f"{title}: {len(texts):,} texts; labels of NLTK {nltk.__version__} that differ from 3.8.1's:")
    for name, *ways in (
        ("by both", later, nltk.WordNetLemmatizer().lemmatize),
        ("by its tokens", later, lexicon.lemmatize),
        ("by its lemmas", tokenize, nltk.WordNetLemmatizer().lemmatize),
    ):
        others = labels(cleaned, *ways)
        differing = [(a, b) for a, b in zip(ours, others, strict=True) if a != b]
        synset_names = [sorted(map(lexicon.name, {*a} ^ {*b})) for a, b in differing]
        some = ", ".join(dict.fromkeys(name for names in synset_names for name in names[:1]))
        print(f"  {name:13} {len(differing):6,} texts ({len(differing) / len(texts):.3%})  {some[:200]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--captions", type=Path, nargs="*", default=[], help="tar, parquet, jsonl or txt files"
    )
    parser.add_argument("--wordnet", type=Path, help="WordNet 3.0 dict folder")
    arguments = parser.parse_args()
    wordnet = installed_wordnet(arguments.wordnet)
    for path in arguments.captions:
        compare(str(path), [caption for _, caption, _ in read_captions(path) if caption is not None])
    if not arguments.captions:
        every = list(wordnet.all_synsets())
        compare("definitions in WordNet", [synset.definition() for synset in every])
        compare("examples in WordNet", [example for synset in every for example in synset.examples()])


if __name__ == "__main__":
    main()
