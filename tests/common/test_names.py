"""Names people type."""

from __future__ import annotations

from common.names import slug, suggest


def test_two_names_never_share_a_folder():
    names = ["a/b", "a-b", "a b", "a:b", "a--b", "tables", ".hidden", "hidden"]
    assert len({slug(name) for name in names}) == len(names)
    assert slug("vit_base-16.catlip") == "vit_base-16.catlip"


def test_suggestions():
    assert suggest("dmo", ["demo", "smoke"]).startswith("did you mean demo")
    assert suggest("zzz", ["demo", "smoke"]) == "known: demo, smoke"
    assert suggest("zzz", []) == "there is none yet"
