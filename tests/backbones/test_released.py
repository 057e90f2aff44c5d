"""The table of released weights; it is compared with timm and open_clip in test_every_name.py."""

from backbones.released import RELEASED


def test_released_weights_say_what_they_are_and_where_they_are():
    released = [entry for entry in RELEASED if entry.objective and entry.data]
    assert len(released) >= 12
    for entry in released:
        assert entry.architecture and entry.licence and entry.where, entry.name
        assert entry.where in entry.summary and entry.objective in entry.summary
