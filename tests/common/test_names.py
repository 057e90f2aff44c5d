"""Names people type."""

from __future__ import annotations

from common.names import closest, slug, suggest


def test_two_names_never_share_a_folder():
    names = ["a/b", "a-b", "a b", "a:b", "a--b", "tables", ".hidden", "hidden"]
    assert len({slug(name) for name in names}) == len(names)
    assert slug("vit_base-16.catlip") == "vit_base-16.catlip"


def test_close_names_are_suggested_and_all_where_none_is_close():
    assert suggest("detecton", ["detection", "knn"]) == "did you mean detection?"
    assert suggest("xyz", ["b", "a"]) == "known: a, b"
    assert suggest("xyz", []) == "there is none yet"


def test_the_closest_names_come_first_and_are_as_many_as_asked():
    known = ["vit_mini_conv16", "vit_nano_conv16", "resnet"]
    assert closest("vit_mnii_conv16", known, count=1) == ["vit_mini_conv16"]
    assert closest("vit_mnii_conv16", known) == known[:2]
    assert closest("xyz", known) == []
