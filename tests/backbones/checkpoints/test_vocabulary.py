"""The csv that names a classifier's rows."""

import pytest

from backbones import UserError
from backbones.checkpoints.vocabulary import read_synsets


def test_offsets_come_in_the_order_of_the_rows(tmp_path):
    path = tmp_path / "vocabulary.csv"
    path.write_text("synset,name,count\n2084071,dog.n.01,9\n2121620,cat.n.01,4\n")
    assert read_synsets(path) == (2084071, 2121620)


@pytest.mark.parametrize("text", ["name,count\ndog.n.01,9\n", "synset,name,count\ndog,dog.n.01,9\n", None])
def test_what_is_no_vocabulary_is_refused_in_one_line(text, tmp_path):
    path = tmp_path / "vocabulary.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match="cannot be read as a vocabulary") as caught:
        read_synsets(path)
    assert "\n" not in str(caught.value)
