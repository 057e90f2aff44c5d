"""Names people mistype."""

from common.names import closest, suggest


def test_close_names_are_suggested_and_all_where_none_is_close():
    assert suggest("detecton", ["detection", "knn"]) == "did you mean detection?"
    assert suggest("xyz", ["b", "a"]) == "known: a, b"
    assert suggest("xyz", []) == "there is none yet"


def test_the_closest_names_come_first_and_are_as_many_as_asked():
    known = ["vit_mini_conv16", "vit_nano_conv16", "resnet"]
    assert closest("vit_mnii_conv16", known, count=1) == ["vit_mini_conv16"]
    assert closest("vit_mnii_conv16", known) == known[:2]
    assert closest("xyz", known) == []
