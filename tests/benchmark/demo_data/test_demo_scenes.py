"""Scenes: what the masks say is what is on the picture."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from benchmark.demo_data import scenes
from benchmark.demo_data.art import OPENMOJI, TWEMOJI
from benchmark.demo_data.concepts import BACKGROUNDS, select
from benchmark.demo_data.scenes import Layout, compose
from benchmark.demo_data.streams import deck, stream
from benchmark.demo_data.textures import texture


def draw(seed=0, count=4, style=OPENMOJI, layout=None, size=(120, 100), grounds=("sand",)):
    layout = layout or Layout(24, 60, min_visible=0.4, crowding=0.6)
    return compose(
        stream(seed, "test"),
        width=size[0],
        height=size[1],
        grounds=grounds,
        concepts=select(12)[:count],
        style=style,
        layout=layout,
    )


@pytest.mark.parametrize("seed", range(8))
def test_visible_masks_are_apart_and_large_enough(seed):
    layout = Layout(24, 60, min_visible=0.4, min_pixels=60, crowding=0.8)
    scene = draw(seed, count=6, layout=layout)
    assert scene.pixels.shape == (100, 120, 3)
    assert scene.pixels.dtype == np.uint8
    assert np.sum([placed.mask for placed in scene.objects], axis=0).max() <= 1
    for placed in scene.objects:
        assert placed.mask.sum() >= 60
        rows, columns = np.nonzero(placed.mask)
        x0, y0, x1, y1 = placed.box
        assert x0 <= columns.min() and columns.max() < x1
        assert y0 <= rows.min() and rows.max() < y1


@pytest.mark.parametrize("style", [TWEMOJI, OPENMOJI], ids=lambda style: style.name)
def test_masks_are_where_the_art_is(monkeypatch, style):
    magenta = np.array([1.0, 0.0, 1.0], np.float32)
    monkeypatch.setattr(
        scenes, "texture", lambda name, rng, height, width: np.tile(magenta, (height, width, 1))
    )
    for seed in range(4):
        scene = draw(seed, style=style)
        ground = scene.pixels[~np.any([placed.mask for placed in scene.objects], axis=0)]
        ground = ground[np.argmin(ground[:, 1].astype(int))]
        differs = np.abs(scene.pixels.astype(int) - ground).max(-1) > 40
        union = np.any([placed.mask for placed in scene.objects], axis=0)
        # Every masked pixel shows art; beyond the masks there are soft edges and hair-thin strokes only.
        assert (union & ~differs).sum() <= 0.01 * union.sum()
        assert (differs & ~binary_dilation(union, iterations=2)).sum() <= 0.01 * union.sum()


def test_occlusion_happens():
    def hidden(placed):
        x0, y0, x1, y1 = placed.box
        return placed.mask.sum() / ((x1 - x0) * (y1 - y0))

    alone = [hidden(draw(seed, count=1).objects[0]) for seed in range(15)]
    behind = [hidden(draw(seed, count=6).objects[0]) for seed in range(15)]
    assert np.mean(behind) < 0.9 * np.mean(alone)


def test_objects_without_room_are_left_out_not_squeezed_in():
    layout = Layout(60, 60, min_visible=0.95, tries=5)
    scene = draw(1, count=8, layout=layout, size=(96, 96))
    assert 1 <= len(scene.objects) < 8


def test_a_layout_that_cannot_work_is_an_error():
    with pytest.raises(ValueError, match="no object fits"):
        draw(layout=Layout(20, 20, min_pixels=10_000))


def test_two_grounds_meet_at_a_horizon():
    scene = draw(3, grounds=("sky", "grass"), count=1)
    assert set(np.unique(scene.ground_map)) == {0, 1}
    # The second ground lies below the first in every column.
    assert (np.diff(scene.ground_map.astype(int), axis=0) >= 0).all()
    assert scene.ground_map[0].max() == 0 and scene.ground_map[-1].min() == 1


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_textures(name):
    first = texture(name, stream(0, "texture"), 70, 90)
    assert first.shape == (70, 90, 3) and first.dtype == np.float32
    assert first.min() >= 0 and first.max() <= 1
    assert first.std() > 0.01
    assert not np.array_equal(first, texture(name, stream(1, "texture"), 70, 90))


def test_streams_and_decks():
    assert stream(0, "a", 1).random() == stream(0, "a", 1).random()
    others = [(0, "a", 2), (0, "b", 1), (1, "a", 1)]
    assert len({stream(*key).random() for key in [(0, "a", 1), *others]}) == 4
    cards = deck(stream(0, "deck"), "abc", 8)
    assert len(cards) == 8
    assert all(2 <= cards.count(item) <= 3 for item in "abc")
