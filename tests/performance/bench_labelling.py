"""How fast captions are labelled, against the original algorithm and against merely looking words up.

    python tests/performance/bench_labelling.py [--captions FILE ...] [--wordnet DICT]

Everything runs on one core, on the same captions of about ten words, in one process:

- *original*: what CoreNet does per caption: clean, ``word_tokenize`` and lemmatize as NLTK 3.8.1 does (by the
  tests' ``reference_nltk``), ``wn.synset`` per token, and two linear scans of a list of 24,320 keys per hit.
  Its part-of-speech tagger is left out (its data come with ``nltk.download`` only and its tags are not used),
  which flatters the original; the sentence splitter is the untrained one.
- *labels*: ``pretraining.labels.arrays.label_arrays``, which the sidecars are written with, in blocks of
  262,144 captions; *first* remembers nothing at the start, *later* has labelled five times as many other
  captions before. ``label_many`` gives the same labels as tuples.
- *look-ups*: ``caption.split()`` and one ``dict.get`` per word.

Times are processor time, the best of several runs. Goals: labels >= 500 x original, and >= 40 % of look-ups.
The last lines say how often the sentence splitter's missing training could matter. WordNet 3.0 must be
installed for NLTK, or as Debian's wordnet-base.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from itertools import accumulate, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pretraining" / "labels"))

import reference_nltk

from pretraining.labels import arrays as synset_arrays
from pretraining.labels import captions, synsets
from pretraining.labels.lexicon.wordnet import installed_wordnet
from pretraining.labels.rule import reference_label
from pretraining.labels.sources import read_captions

VOCABULARY_SIZE = 24_320
BLOCK = 1 << 18
# of the words that NLTK's English model takes for abbreviations, those that captions are likely to hold
ABBREVIATIONS = """
    dr mr mrs ms st jr sr prof rev gen col sgt capt lt gov sen rep mt ft vs inc co corp ltd bros u.s u.k e.g
    i.e a.m p.m d.c l.a n.y ph.d jan feb aug sept oct nov dec
"""
OTHER = """
    the a of in on with for and by from to at new beautiful vintage modern my your best free cute happy your
    is isolated running sitting standing wearing holding featuring 2019 100% HD
"""
FORMS = (
    ("{} {} {} {} {} {} {} {} {} {}", 45),
    ("{} {} {} {} {}, {} {} {} {} {}.", 20),
    ("{} {} {} {} | {} {} {} {} {}", 10),
    ("{} {} {} - {} {} {} {} ({} {})", 10),
    ("{}'s {} {} {} {} {} {} {} {}!", 8),
    ('{} "{} {}" {} {} {}: {} {}/{} & {}', 5),
    ("{} {} {} No. 5 {} {} {} – {} {} {}", 2),
)


def drawn_captions(number: int, seed: int = 0) -> list[str]:
    """Captions in the manner of web alt text, their nouns as unequally frequent as words are.

    Zipf's law, flattened at the head so that the first is 2.2 times as frequent as the tenth, as in CoreNet's
    vocabulary of DataComp.
    """
    generator = random.Random(0)
    lexicon = synsets.Lexicon.load()
    heads = [name.removesuffix(".n.01") for name in map(lexicon.name, lexicon.offsets)]
    nouns = [head for head in heads if head.isalpha() and len(head) < 12]
    generator.shuffle(nouns)
    generator.seed(seed)
    weights = list(accumulate(1 / (rank + 7.3) for rank in range(len(nouns))))
    others = OTHER.split()
    found = []
    for form in generator.choices([form for form, _ in FORMS], [weight for _, weight in FORMS], k=number):
        words = []
        for _ in range(form.count("{}")):
            if (kind := generator.random()) < 0.5:
                words.append(generator.choices(nouns, cum_weights=weights)[0] + ("s" if kind < 0.1 else ""))
            else:
                words.append(generator.choice(others))
        text = form.format(*words)
        found.append(text[0].upper() + text[1:] if generator.random() < 0.7 else text)
    return found


def original(texts: list[str], vocabulary: list[str]) -> list[list[int]]:
    """CoreNet's algorithm without its tagger: classes of each caption."""
    import ftfy
    from nltk.corpus import wordnet

    found = []
    for text in texts:
        text = urllib.parse.unquote(text).replace("+", " ")
        text = re.sub(" +", " ", re.sub(re.compile("<.*?>"), "", text).strip("\n"))
        text = ftfy.fix_text(text).strip().lower()
        classes = []
        for word in reference_nltk.tokens(text):
            lemma = reference_nltk.lemma(word, wordnet)
            try:
                synset = wordnet.synset(f"{lemma}.n.01")
            except Exception:
                continue
            if synset.name() != f"{lemma}.n.01":
                continue
            key = f"n{synset.offset()}"
            if key in vocabulary:
                classes.append(vocabulary.index(key))
        found.append(classes)
    return found


def look_up(texts: list[str], table: dict[str, int]) -> None:
    """The floor: split the text and look each word up."""
    get = table.get
    for text in texts:
        for word in text.split():
            get(word)


def rate(make: Callable[[], Callable[[list[str]], object]], texts: list[str], repeats: int) -> float:
    """Captions per second of processor time: of every block the best of several runs.

    Args:
        make: called before each run, gives what is called with each block.
    """
    best: dict[int, float] = {}
    for _ in range(repeats):
        function = make()
        for first in range(0, len(texts), BLOCK):
            start = time.process_time()
            function(texts[first : first + BLOCK])
            seconds = time.process_time() - start
            best[first] = min(seconds, best.get(first, seconds))
    return len(texts) / sum(best.values())


def changed_by_training(texts: list[str]) -> tuple[int, int]:
    """Captions with an abbreviation before more text, and those whose labels depend on knowing it."""
    abbreviations = set(ABBREVIATIONS.split())
    label = synsets.Lexicon.load().label
    mention = re.compile(rf"(?:^|[^a-z0-9.])(?:{'|'.join(map(re.escape, abbreviations))})\.\s+\S")
    mentions = changed = 0
    for text in texts:
        cleaned = captions.clean(text)
        if mention.search(cleaned):
            mentions += 1
            tokens = reference_nltk.tokens(cleaned, abbreviations)
            knowing = tuple(dict.fromkeys(filter(None, map(label, tokens))))
            changed += knowing != synsets.label(text)
    return mentions, changed


def glosses(number: int) -> list[str]:
    """English text by people: the examples of WordNet's synsets of all parts of speech."""
    from nltk.corpus import wordnet

    examples = (example for synset in wordnet.all_synsets() for example in synset.examples())
    return list(islice((text for text in examples if 5 <= len(text.split()) <= 20), number))


def compare(title: str, texts: list[str], earlier: list[str]) -> None:
    """Prints all rates for these captions, after checking on some that both ways agree."""
    words = sum(len(text.split()) for text in texts) / len(texts)
    print(f"\n{title}: {len(texts):,} captions of {words:.1f} words")
    found = Counter(label for labels in synsets.Labeller().label_many(texts) for label in labels)
    lexicon = synsets.Lexicon.load()
    ordered = [
        *(offset for offset, _ in found.most_common()),
        *(o for o in lexicon.offsets if o not in found),
    ]
    vocabulary = [f"n{offset}" for offset in ordered[:VOCABULARY_SIZE]]
    few = texts[:: max(1, len(texts) // 1000)]
    expected = original(few, vocabulary)
    keys = {offset: index for index, offset in enumerate(ordered[:VOCABULARY_SIZE])}
    assert [list(dict.fromkeys(classes)) for classes in expected] == [
        [keys[offset] for offset in labels if offset in keys] for labels in synsets.label_many(few)
    ], "labels differ from the original's"

    table = {word: 1 for text in texts for word in text.split()}

    def experienced() -> Callable[[list[str]], object]:
        labeller = synset_arrays.ArrayLabeller()
        for first in range(0, len(earlier), BLOCK):
            labeller(earlier[first : first + BLOCK])
        return labeller

    rates = {
        "original": rate(lambda: lambda block: original(block, vocabulary), few, 5),
        "reference_label": rate(lambda: lambda block: list(map(reference_label, block)), few, 5),
        "label_many, first": rate(lambda: synsets.Labeller().label_many, texts, 8),
        "labels, first": rate(synset_arrays.ArrayLabeller, texts, 8),
        "labels, later": rate(experienced, texts, 4),
        "look-ups": rate(lambda: lambda block: look_up(block, table), texts, 8),
    }
    for name, value in rates.items():
        print(f"  {name:18} {value:12,.0f} captions/s")
    for name in ("labels, first", "labels, later"):
        print(f"  {name} / original {rates[name] / rates['original']:8.0f} x   (goal 500)")
        print(f"  {name} / look-ups {rates[name] / rates['look-ups']:8.0%}     (goal 40 %)")
    mentions, changed = changed_by_training(texts)
    print(f"  abbreviation before more text: {mentions / len(texts):.3%} of captions")
    print(f"  labels that knowing it would change: {changed / len(texts):.3%} of captions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--captions", type=Path, nargs="*", default=[], help="tar, parquet, jsonl or txt files"
    )
    parser.add_argument("--wordnet", type=Path, help="WordNet 3.0 dict folder")
    parser.add_argument("--number", type=int, default=1 << 18, help="captions to draw")
    arguments = parser.parse_args()
    installed_wordnet(arguments.wordnet)
    start = time.process_time()
    synsets.Lexicon.load()
    print(f"reading the lexicon: {1000 * (time.process_time() - start):.0f} ms")
    compare("drawn captions", drawn_captions(arguments.number), drawn_captions(5 * arguments.number, seed=1))
    examples = glosses(arguments.number)
    compare("examples in WordNet", examples[::6], [text for k, text in enumerate(examples) if k % 6])
    for path in arguments.captions:
        texts = [caption for _, caption, _ in read_captions(path) if caption is not None]
        compare(str(path), texts[::6], [text for k, text in enumerate(texts) if k % 6])


if __name__ == "__main__":
    main()
