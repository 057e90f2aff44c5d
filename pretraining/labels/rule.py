"""What a label is: the rule of CoreNet's CatLIP (``projects/catlip``), as plainly as it can be written.

Every token of the cleaned caption is lemmatised as a noun, and counts when its lemma heads the first noun
sense of that lemma. The part of speech is never looked at, so "set" and "black" count too. A label is the
synset's offset in WordNet 3.0 (``dog.n.01`` is 2084071, CoreNet's key ``n2084071``).

Labelling itself goes a faster way (``synsets.label_many``, ``arrays.label_arrays``), which is tested against
this one.
"""

from __future__ import annotations

from pretraining.labels.captions import clean
from pretraining.labels.synsets import Lexicon
from pretraining.labels.tokenizer import tokenize


def reference_label(caption: str) -> tuple[int, ...]:
    """The offsets of a caption's noun synsets, each once, in order of appearance."""
    lexicon = Lexicon.load()
    lemmas = [lexicon.lemmatize(token) for token in tokenize(clean(caption))]
    synsets = [lexicon.first_synset(lemma) for lemma in lemmas]
    return tuple(dict.fromkeys(synset for synset in synsets if synset is not None))
