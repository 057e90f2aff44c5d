"""Geometries: those that come with the project are what they say, and mistakes are one line."""

import pytest

from benchmark.speed.geometry import list_geometries, load_geometry
from common.configs import CONFIGS
from common.errors import UserError
from pretraining.recipe import load_recipe


def test_the_demos_geometry_is_the_demos_pretraining():
    geometry = load_geometry("demo")
    for name, options in geometry.objectives.items():
        recipe = load_recipe(CONFIGS / "pretraining" / f"demo_{name}.py")
        assert {"type": name, **options} == recipe.objective
        assert (geometry.architecture, geometry.image_size) == (recipe.architecture, recipe.image_size)
        assert geometry.samples == recipe.samples and geometry.token_drop == recipe.token_drop.rate
        assert 2 * geometry.batch_size >= recipe.batch_size


@pytest.mark.parametrize(
    ("name", "width", "depth", "batches"),
    [
        ("vit_b16", 768, 12, {"catlip": (1024, 64), "clip": (256, 256)}),
        ("vit_l16", 1024, 24, {"catlip": (512, 128)}),
        ("vit_h16", 1280, 32, {"catlip": (256, 256)}),
    ],
)
def test_the_papers_geometries(name, width, depth, batches):
    geometry = load_geometry(name)
    assert (geometry.layout.embed_dim, geometry.layout.depth) == (width, depth)
    assert geometry.layout.image_size == 224 and geometry.samples == 200_000 * 65_536
    shares = {key: (share.batch_size, share.devices) for key, share in geometry.published.items()}
    assert shares == batches
    assert all(size * devices == 65_536 for size, devices in shares.values())


def test_all_are_listed():
    assert {"demo", "vit_b16", "vit_l16", "vit_h16"} <= set(list_geometries())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("architecture = 'vit_bse_conv16'", "vit_base_conv16"),
        ("batch_size = 0", "batch_size"),
        ("colour = 'red'", "colour"),
    ],
)
def test_a_mistake_in_a_file_is_one_line(tmp_path, change, message):
    path = tmp_path / "mine.py"
    path.write_text((CONFIGS / "speed" / "demo.py").read_text() + f"\n{change}\n")
    with pytest.raises(UserError, match=message) as caught:
        load_geometry(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_an_unknown_name_is_answered_with_a_known_one():
    with pytest.raises(UserError, match="vit_b16"):
        load_geometry("vit_b61")
