"""Plots: round ticks, every point inside the axes, the best one ringed."""

import numpy as np
from PIL import Image

from sg2ada_colab.metrics.plot import COLOURS, _Axes, number_text, plot_metric, round_ticks


def test_ticks_are_round_and_span_the_values():
    for low, high in ((0, 1), (0, 80), (0, 46.5633), (-0.0003, 0.02), (0, 25000), (5, 5)):
        ticks = round_ticks(low, high)
        assert ticks[0] <= low + 1e-9 and ticks[-1] >= high - 1e-9 and 3 <= len(ticks) <= 9
        np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0], rtol=1e-6)
    assert round_ticks(0, 80) == [0, 20, 40, 60, 80]
    assert [number_text(value) for value in (2000, 0.05, 12345678.0, 0)] == ["2,000", "0.05", "12,345,678", "0"]


def test_the_picture_shows_every_curve_and_the_best_point(tmp_path):
    series = [("run one", [(0, 200.0), (200, 40.0), (400, 55.0)], (200, 40.0)), ("run two", [(400, 120.0)], None)]
    path = tmp_path / "metric-fid5k_full.png"
    plot_metric(path, series, "fid5k_full")
    with Image.open(str(path)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    axes = _Axes([point for _, curve, _ in series for point in curve])

    def count(colour, kimg, value, radius=12):
        x, y = int(axes.x(kimg)), int(axes.y(value))
        window = pixels[y - radius : y + radius + 1, x - radius : x + radius + 1]
        wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        return int(np.all(window == wanted, axis=2).sum())

    assert count(COLOURS[1], 400, 120.0) > 20, "a single point is drawn"
    assert count(COLOURS[0], 200, 40.0) > count(COLOURS[0], 400, 55.0) + 20, "the best has a ring"
    assert [path.name for path in tmp_path.iterdir()] == ["metric-fid5k_full.png"]


def test_a_run_with_one_measurement_can_be_drawn(tmp_path):
    plot_metric(tmp_path / "one.png", [("run", [(0, 0.0)], (0, 0.0))], "kid_efflite0")
    assert (tmp_path / "one.png").stat().st_size > 1000
