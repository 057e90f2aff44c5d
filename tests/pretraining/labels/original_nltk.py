"""NLTK 3.8.1 itself, which CoreNet pins, in a folder of its own: this installs it there, and asks it.

    python tests/pretraining/original_nltk.py

The folder is ``.cache/nltk-3.8.1``, or what the environment's ``NLTK_3_8_1`` names. Without it the test that
compares ``reference_nltk`` with the original is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ.get("NLTK_3_8_1") or Path(__file__).resolve().parents[3] / ".cache" / "nltk-3.8.1")
_ANSWERS = """
import json, sys, warnings
import nltk
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from nltk.corpus.util import LazyCorpusLoader
from nltk.tokenize.destructive import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer

assert nltk.__version__ == "3.8.1", nltk.__version__
warnings.simplefilter("ignore")  # of the data for other languages
nltk.data.path[:], texts, words = json.load(sys.stdin)
split, tokenize = PunktSentenceTokenizer().tokenize, NLTKWordTokenizer().tokenize
tokens = [[token for sentence in split(text) for token in tokenize(sentence)] for text in texts]
morphy = LazyCorpusLoader("wordnet", WordNetCorpusReader, None)._morphy
json.dump([tokens, [min(morphy(word, "n") or [word], key=len) for word in words]], sys.stdout)
"""


def install() -> None:
    """Installs it, unless it is there."""
    if not (FOLDER / "nltk").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(FOLDER)]
        subprocess.run([*command, "nltk==3.8.1"], check=True)


def answers(data: list[str], texts: list[str], words: list[str]) -> tuple[list[list[str]], list[str]]:
    """The tokens of every text (by Punkt untrained) and the noun lemma of every word.

    Args:
        data: where to look for WordNet 3.0 (``nltk.data.path``).
    """
    done = subprocess.run(
        [sys.executable, "-c", _ANSWERS],
        input=json.dumps([data, texts, words]),
        env={**os.environ, "PYTHONPATH": str(FOLDER)},
        capture_output=True,
        text=True,
        check=True,
    )
    tokens, lemmas = json.loads(done.stdout)
    return tokens, lemmas


if __name__ == "__main__":
    install()
