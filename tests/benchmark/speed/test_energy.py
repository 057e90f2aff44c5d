"""Counters of energy, as Linux shows them."""

import pytest

from benchmark.speed.energy import Meter


@pytest.fixture
def powercap(tmp_path):
    for number, joules in ((0, 100), (1, 7)):
        zone = tmp_path / f"intel-rapl:{number}"
        part = tmp_path / f"intel-rapl:{number}:0"
        for folder, name in ((zone, f"package-{number}"), (part, "core")):
            folder.mkdir()
            (folder / "name").write_text(f"{name}\n")
            (folder / "energy_uj").write_text(f"{joules * 10**6}\n")
            (folder / "max_energy_range_uj").write_text(f"{262 * 10**6 - 1}\n")
    return tmp_path


def test_packages_are_summed_without_their_parts(powercap):
    meter = Meter(powercap, gpu=False)
    assert meter.sources == ["package-0", "package-1"] and meter
    before = meter.joules()
    (powercap / "intel-rapl:0" / "energy_uj").write_text("101000000")
    (powercap / "intel-rapl:1" / "energy_uj").write_text("9000000")
    assert meter.joules() - before == pytest.approx(3.0)


def test_a_counter_that_began_anew_goes_on(powercap):
    meter = Meter(powercap, gpu=False)
    (powercap / "intel-rapl:0" / "energy_uj").write_text("2000000")
    assert meter.joules() == pytest.approx(262 - 100 + 2)
    assert meter.joules() == pytest.approx(164)  # reading it twice counts once


def test_the_whole_platform_is_not_counted_on_top_of_its_packages(powercap):
    (powercap / "intel-rapl:1" / "name").write_text("psys\n")
    assert Meter(powercap, gpu=False).sources == ["package-0"]


def test_where_nothing_can_be_read_nothing_is_counted(tmp_path, powercap):
    assert not Meter(tmp_path / "nothing", gpu=False)
    (powercap / "intel-rapl:0" / "max_energy_range_uj").write_text("no number")
    assert Meter(powercap, gpu=False).sources == ["package-1"]
