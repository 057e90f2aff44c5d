"""NLTK's own WordNet 3.0, for compiling the lexicon and for comparing with it; labelling never needs it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from common.errors import UserError

DEBIAN_WORDNET = Path("/usr/share/wordnet")  # packages wordnet-base and wordnet-sense-index
_CATEGORIES = """
    adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body
    noun.cognition noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive
    noun.object noun.person noun.phenomenon noun.plant noun.possession noun.process noun.quantity
    noun.relation noun.shape noun.state noun.substance noun.time verb.body verb.change verb.cognition
    verb.communication verb.competition verb.consumption verb.contact verb.creation verb.emotion verb.motion
    verb.perception verb.possession verb.social verb.stative verb.weather adj.ppl
"""
_PARTS = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}
_FILES = ("index.sense", *(f"{kind}.{part}" for part in _PARTS for kind in ("data", "index")))


def lay_out(source: Path, root: Path) -> Path:
    """Copies a WordNet ``dict`` folder to where NLTK looks for it, with the two files Debian leaves out.

    Args:
        source: a folder with ``data.noun``, ``index.noun`` and their fellows, as WordNet 3.0 ships them.
        root: the folder to be put into ``nltk.data.path``; ``corpora/wordnet`` is made below it.

    Returns:
        ``root``.

    Raises:
        UserError: ``source`` lacks one of the files.
    """
    missing = [name for name in _FILES if not (source / name).is_file()]
    if missing:
        raise UserError(f"{source} lacks {missing[0]}: give the dict folder of WordNet 3.0")
    target = root / "corpora" / "wordnet"
    target.mkdir(parents=True, exist_ok=True)
    for name in (*_FILES, *(f"{part}.exc" for part in _PARTS)):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
        else:
            (target / name).touch()
        (target / name).chmod(0o644)
    lines = (f"{i:02d}\t{name}\t{_PARTS[name.split('.')[0]]}\n" for i, name in enumerate(_CATEGORIES.split()))
    (target / "lexnames").write_text("".join(lines))
    (target / "cntlist.rev").touch()  # sense counts: not used here
    for folder in (target, target.parent, root):
        folder.chmod(0o755)  # NLTK refuses data that others could write
    return root


@cache
def installed_wordnet(source: Path | None = None) -> Any:
    """NLTK's reader of WordNet 3.0 (``nltk.corpus.wordnet``), ready to use.

    Args:
        source: a WordNet ``dict`` folder; without it NLTK's own data, or else Debian's ``wordnet-base``.

    Returns:
        The reader, which is also what ``WordNetLemmatizer`` uses from now on.

    Raises:
        UserError: there is no WordNet here, or it is not version 3.0.
    """
    import nltk

    if source is None and not _has_nltk_data():
        source = DEBIAN_WORDNET
    if source is not None:
        if not source.is_dir():
            raise UserError(
                "no WordNet 3.0 found: run nltk.download('wordnet'), or install Debian's wordnet-base and "
                "wordnet-sense-index"
            )
        root = Path(tempfile.mkdtemp(prefix="wordnet-"))
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        nltk.data.path.insert(0, str(lay_out(source, root)))
    from nltk.corpus import wordnet

    if wordnet.synset("dog.n.01").offset() != 2084071:
        raise UserError(f"{source or 'the WordNet of NLTK'} is not version 3.0: its offsets differ")
    return wordnet


def _has_nltk_data() -> bool:
    import nltk

    for name in ("corpora/wordnet", "corpora/wordnet.zip"):
        try:
            nltk.data.find(name)
            return True
        except LookupError:
            continue
    return False
