"""Curves drawn with matplotlib: where lines lie, labels, legends that cover nothing, what is left out, the words instead."""

import subprocess
import sys

import numpy as np
import pytest

from sg2ada_colab.previews import axes
from sg2ada_colab.previews.axes import (
    COLOURS,
    PANEL_HEIGHT_PX,
    SHARPNESS,
    SMALL_PX,
    WIDTH_PX,
    Panel,
    describe,
    draw_each,
    draw_metric,
    draw_panels,
    metric_label,
    number_text,
    smoothed,
)


@pytest.fixture
def figures(monkeypatch):
    """Keep the figures that are drawn, so that their axes can be asked."""
    kept, make = [], axes._figure
    monkeypatch.setattr(axes, "_figure", lambda *size: kept.append(make(*size)) or kept[-1])
    return kept


def pixels_of(image, colour):
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return np.argwhere((np.asarray(image).astype(int) == wanted).all(-1))


def test_a_rising_curve_rises_on_the_picture():
    image = draw_panels([Panel("loss", [("loss", [(x, 2.0 * x) for x in range(50)])])])
    assert image.size == (WIDTH_PX, PANEL_HEIGHT_PX)
    points = pixels_of(image, COLOURS[0])
    left, right = points[points[:, 1].argmin()], points[points[:, 1].argmax()]
    assert right[1] - left[1] > 400 and left[0] - right[0] > 80


def test_axes_have_labels_with_units_and_the_target_is_a_labelled_dashed_line(figures):
    curves = [("r_t", [(0, 0.1), (4, 0.5)]), ("p", [(0, 0.0), (4, 0.2)])]
    draw_panels([Panel("overfitting", curves, "r_t, p (0 to 1)", ("target of r_t", 0.6), (0, 1))])
    (drawn,) = figures[0].axes
    assert drawn.get_xlabel() == "training images shown (kimg)" and drawn.get_ylabel() == "r_t, p (0 to 1)"
    assert drawn.get_title(loc="left") == "overfitting"
    assert [text.get_text() for text in drawn.get_legend().get_texts()] == ["r_t", "p", "target of r_t 0.6"]
    target = drawn.lines[-1]
    assert target.get_linestyle() == "--" and list(target.get_ydata()) == [0.6, 0.6]
    assert drawn.get_ylim()[0] <= 0 and drawn.get_ylim()[1] >= 1


@pytest.mark.parametrize("width_px", [300, 500, 860])
def test_at_every_width_nothing_is_cut_off_and_the_legend_covers_no_curve(figures, width_px):
    high = [(x, 5.0) for x in range(40)]  # at the top, where a legend inside would lie
    panels = [Panel("losses", [("G loss", high), ("D loss", [(x, 1.0) for x in range(40)])], "loss (nats)"),
              Panel("fid50k_full", [("fid50k_full", [(0, 90.0), (39, 12.0)])], "Fréchet distance (lower is better)")]  # fmt: skip
    image = draw_panels(panels, width_px)
    assert image.size == (width_px, 2 * PANEL_HEIGHT_PX)
    whole = figures[0].bbox
    for drawn in figures[0].axes:
        box = drawn.get_tightbbox(figures[0].canvas.get_renderer())
        assert box.x0 >= whole.x0 and box.x1 <= whole.x1 + 1 and box.y0 >= whole.y0 - 1 and box.y1 <= whole.y1 + 1
        assert drawn.bbox.width > width_px / 2
        legend = drawn.get_legend()
        if legend is not None:
            assert legend.get_window_extent().y0 >= drawn.bbox.y1 - 1, "above the axes"
    assert figures[0].axes[1].get_legend() is None, "its title says it"


def test_small_pictures_are_sharp_and_complete_and_their_letters_readable(figures):
    long = [(x, 1234.5) for x in range(0, 5000, 100)]
    panels = [Panel("losses", [("G loss", long), ("D loss", long[:3])], "loss (nats)"),
              Panel("r_t and p", [("r_t", long), ("p", long)], "r_t, p (0 to 1)", ("target of r_t", 0.6), (0, 1)),
              Panel("empty", [("a", [])])]  # fmt: skip
    drawn = draw_each(panels)
    assert [panel.title for panel, _ in drawn] == ["losses", "r_t and p"]
    assert all(image.size == (SMALL_PX[0] * SHARPNESS, SMALL_PX[1] * SHARPNESS) for _, image in drawn)
    for figure in figures:
        (axes_of_it,) = figure.axes
        assert axes_of_it.get_xlabel() == "training images shown (kimg)" and axes_of_it.get_xlim() == (0, 4900 * 1.02)
        box, whole = axes_of_it.get_tightbbox(figure.canvas.get_renderer()), figure.bbox
        assert box.x0 >= 0 and box.x1 <= whole.x1 + 1 and box.y0 >= -1 and box.y1 <= whole.y1 + 1
        legend = axes_of_it.get_legend()
        assert legend.get_window_extent().y0 >= axes_of_it.bbox.y1 - 1, "above the axes"
        texts = legend.get_texts() + axes_of_it.get_xticklabels() + [axes_of_it.xaxis.label, axes_of_it.yaxis.label]
        smallest_px = min(text.get_fontsize() for text in texts) * axes.DPI / 72
        assert smallest_px * 320 / SMALL_PX[0] >= 8, "on a page of 320 px"
    assert draw_each([Panel("empty", [("a", [])])]) == []


@pytest.mark.parametrize("first, kimgs, limits", [(282, [282.5, 284.5], (282, 284.55)), (0, [282.5, 284.5], (0, 290.19)),
                                                  (282, [100, 284], (100, 287.68)), (5, [5], (5, 6.02))])  # fmt: skip
def test_small_pictures_begin_where_a_run_counts_from(figures, first, kimgs, limits):
    draw_each([Panel("losses", [("G loss", [(kimg, 1.0) for kimg in kimgs])])], first_kimg=first)
    assert figures[0].axes[0].get_xlim() == pytest.approx(limits)


def test_panels_without_points_are_left_out_and_none_is_none():
    nothing = Panel("empty", [("a", []), ("b", [(1, float("nan"))])])
    assert draw_panels([nothing]) is None
    image = draw_panels([nothing, Panel("one", [("a", [(3, 4.0)])])])
    assert image.size == (WIDTH_PX, PANEL_HEIGHT_PX) and len(pixels_of(image, COLOURS[0])) > 10
    assert describe([nothing]) == "No curves yet."


def test_values_that_are_not_finite_do_not_move_the_axes():
    clean = [(x, np.sin(x)) for x in range(30)]
    dirty = clean[:10] + [(10, float("inf")), (10, float("nan"))] + clean[10:]
    assert np.array_equal(draw_panels([Panel("t", [("a", clean)])]), draw_panels([Panel("t", [("a", dirty)])]))


def test_second_curve_is_dashed_so_that_colour_is_not_all_that_tells_them_apart():
    flat = [(x, 1.0) for x in range(100)]
    image = draw_panels([Panel("t", [("a", flat), ("b", [(x, 0.0) for x, _ in flat])])])
    counts = [len(pixels_of(image, colour)) for colour in COLOURS[:2]]
    assert 0 < counts[1] < 0.85 * counts[0]


def test_words_tell_the_newest_value_and_the_way_it_went():
    words = describe([Panel("x", [("p", [(0, 0.0), (4, 0.25)]), ("G loss", [(0, 2.0), (4, 0.5)])])])
    assert words == "Curves over kimg: p 0.25 (up from 0); G loss 0.5 (down from 2)."
    assert [number_text(value) for value in (2000, 0.05, 12345678.0, 0)] == ["2,000", "0.05", "12,345,678", "0"]


def test_smoothing_keeps_a_constant_and_calms_noise():
    assert smoothed([(0, 3.0), (1, 3.0)]) == [(0, 3.0), (1, 3.0)]
    noisy = [(x, float(x % 2)) for x in range(1000)]
    assert np.std([y for _, y in smoothed(noisy)[200:]]) < 0.1


def test_a_metric_of_several_runs_names_and_rings_the_best_of_each(figures):
    series = [("run one", [(400, 55.0), (0, 200.0), (200, 40.0)], (200, 40.0)), ("run two", [(400, 120.0)], None)]
    image = draw_metric(series, "fid5k_full", metric_label("fid5k_full"))
    (drawn,) = figures[0].axes
    assert [text.get_text() for text in drawn.get_legend().get_texts()] == ["run one: best 40 at 200 kimg", "run two"]
    assert drawn.get_ylabel() == "Fréchet distance (lower is better)" and drawn.get_ylim()[0] <= 0

    def count(colour, kimg, value, radius=12):
        x, y = drawn.transData.transform((kimg, value))
        centre = np.array([image.height - y, x])
        return int((np.abs(pixels_of(image, colour) - centre).max(axis=1) <= radius).sum())

    assert count(COLOURS[1], 400, 120.0) > 10, "a single point is drawn"
    assert count(COLOURS[0], 200, 40.0) > count(COLOURS[0], 400, 55.0) + 20, "the best has a ring"
    assert draw_metric([("run", [(0, 0.0)], (0, 0.0))], "kid_efflite0", metric_label("kid_efflite0")) is not None


def test_labels_of_metrics_say_which_way_is_better():
    labels = [metric_label(name) for name in ("kid1k_efflite0", "fd_efflite0", "is50k", "pr50k3_full", "ppl2_wend")]
    assert labels == [
        "kernel distance (lower is better)", "Fréchet distance (lower is better)", "inception score (higher is better)",
        "precision (higher is better)", "path length (lower is better)",
    ]  # fmt: skip


def test_matplotlib_is_imported_only_to_draw():
    code = "import sys, sg2ada_colab.previews.axes, sg2ada_colab.colab.panel; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=str(axes.__file__).rsplit("sg2ada_colab", 1)[0]).returncode == 0
