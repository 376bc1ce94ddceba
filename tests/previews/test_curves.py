"""Curves drawn with Pillow: where lines lie, what is left out, and the words for those who do not see them."""

import numpy as np

from sg2ada_colab.metrics.plot import COLOURS
from sg2ada_colab.previews.curves import PANEL_PX, Panel, dashed_line, describe, draw_curves, smoothed


def pixels_of(image, colour):
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return np.argwhere((np.asarray(image).astype(int) == wanted).all(-1))


def test_a_rising_curve_rises_on_the_picture():
    image = draw_curves([Panel("loss", [("G", [(x, 2.0 * x) for x in range(50)])])])
    assert image.size == PANEL_PX
    points = pixels_of(image, COLOURS[0])
    body = points[points[:, 0] > 30]  # below the legend
    left, right = body[body[:, 1].argmin()], body[body[:, 1].argmax()]
    assert right[1] - left[1] > 400 and left[0] - right[0] > 80


def test_panels_without_points_are_left_out_and_none_is_none():
    nothing = Panel("empty", [("a", []), ("b", [(1, float("nan"))])])
    assert draw_curves([nothing]) is None
    image = draw_curves([nothing, Panel("one", [("a", [(3, 4.0)])])])
    assert image.size == PANEL_PX
    assert describe([nothing]) == "No curves yet."


def test_values_that_are_not_finite_do_not_move_the_axes():
    clean = [(x, np.sin(x)) for x in range(30)]
    dirty = clean[:10] + [(10, float("inf")), (10, float("nan"))] + clean[10:]
    assert np.array_equal(draw_curves([Panel("t", [("a", clean)])]), draw_curves([Panel("t", [("a", dirty)])]))


def test_second_curve_is_dashed_so_that_colour_is_not_all_that_tells_them_apart():
    flat = [(x, 1.0) for x in range(100)]
    image = draw_curves([Panel("t", [("a", flat), ("b", [(x, 0.0) for x, _ in flat])])])
    counts = [len(pixels_of(image, colour)) for colour in COLOURS[:2]]
    assert 0 < counts[1] < 0.85 * counts[0]


def test_words_tell_the_newest_value_and_the_way_it_went():
    words = describe([Panel("x", [("p", [(0, 0.0), (4, 0.25)]), ("G loss", [(0, 2.0), (4, 0.5)])])])
    assert words == "Curves over kimg: p 0.25 (up from 0); G loss 0.5 (down from 2)."


def test_smoothing_keeps_a_constant_and_calms_noise():
    assert smoothed([(0, 3.0), (1, 3.0)]) == [(0, 3.0), (1, 3.0)]
    noisy = [(x, float(x % 2)) for x in range(1000)]
    assert np.std([y for _, y in smoothed(noisy)[200:]]) < 0.1


def test_dashes_cover_their_share_of_a_line():
    from PIL import Image, ImageDraw

    image = Image.new("L", (400, 5))
    dashed_line(ImageDraw.Draw(image), [(0, 2), (150, 2), (399, 2)], 255, 1, (10, 10))
    assert 0.4 < (np.asarray(image)[2] > 0).mean() < 0.65
