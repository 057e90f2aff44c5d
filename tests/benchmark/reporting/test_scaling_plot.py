"""The plot of scaling, from figures that are made up."""

from benchmark.reporting.scaling_plot import write_scaling_plot


def test_measured_and_predicted_are_one_plot(tmp_path):
    rows = [
        {"name": name, "devices": devices, "batch_size": 64, "images_per_second": devices * rate}
        for name, rate in (("catlip", 900.0), ("clip", 700.0), ("mine", 800.0))
        for devices in (8, 64, 1024)
    ]
    measured = {"catlip": {1: 100.0, 2: 190.0}, "clip": {1: 80.0}}
    paths = write_scaling_plot(rows, measured, tmp_path / "scaling.png", "a laptop", "a100_80gb")
    assert [path.name for path in paths] == ["scaling.png", "scaling.svg", "scaling.pdf"]
    assert paths[0].stat().st_size > 10_000
