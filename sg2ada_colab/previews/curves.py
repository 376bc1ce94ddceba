"""Curves of a run drawn with Pillow alone: panels one below the other over the same kimg axis."""

import math
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from PIL import Image, ImageDraw

from ..metrics.plot import COLOURS, FAINT, INK, load_font, number_text, round_ticks, text_size

PANEL_PX, MARGINS_PX = (860, 170), (70, 26, 14, 24)  # left, top, right, bottom
DASHES = (None, (9, 5), (2, 4), (9, 3, 2, 3))  # curves are told apart by more than their colour
SMOOTHED_OVER = 0.02  # of a panel's points


@dataclass(frozen=True)
class Panel:
    """One set of axes."""

    title: str
    curves: Sequence[Tuple[str, List[Tuple[float, float]]]]  # (label, [(kimg, value), ...])
    target: Optional[float] = None  # a horizontal line
    limits: Optional[Tuple[float, float]] = None  # of the values; None: as they come
    smooth: bool = False


def draw_curves(panels, width_px=PANEL_PX[0]):
    """Return a Pillow image with one panel below the other; panels without any point are left out.

    Returns None when nothing is to be drawn.
    """
    panels = [panel for panel in panels if any(finite(curve) for _, curve in panel.curves)]
    if not panels:
        return None
    image = Image.new("RGB", (width_px, PANEL_PX[1] * len(panels)), "white")
    draw = ImageDraw.Draw(image)
    most = max(point[0] for panel in panels for _, curve in panel.curves for point in finite(curve))
    for row, panel in enumerate(panels):
        _draw_panel(draw, panel, row * PANEL_PX[1], width_px, most)
    return image


def finite(curve):
    return [(x, y) for x, y in curve if math.isfinite(x) and math.isfinite(y)]


def smoothed(curve, share=SMOOTHED_OVER):
    """Return a curve with each value replaced by an exponential mean over about `share` of its points."""
    weight, mean, result = 1 / max(1.0, share * len(curve)), None, []
    for x, y in curve:
        mean = y if mean is None else mean + weight * (y - mean)
        result.append((x, mean))
    return result


def describe(panels):
    """Return the curves in words, for those who do not see them: the newest value of each, and from where it came."""
    sentences = []
    for panel in panels:
        for label, curve in panel.curves:
            points = finite(curve)
            if points:
                first, last = points[0][1], points[-1][1]
                way = "unchanged from" if first == last else "up from" if last > first else "down from"
                sentences.append("{} {} ({} {})".format(label, number_text(last), way, number_text(first)))
    return "Curves over kimg: {}.".format("; ".join(sentences)) if sentences else "No curves yet."


def _draw_panel(draw, panel, top, width_px, most_kimg):
    left, right = MARGINS_PX[0], width_px - MARGINS_PX[2]
    upper, lower = top + MARGINS_PX[1], top + PANEL_PX[1] - MARGINS_PX[3]
    curves = [(label, smoothed(finite(curve)) if panel.smooth else finite(curve)) for label, curve in panel.curves]
    values = [y for _, curve in curves for _, y in curve] + ([panel.target] if panel.target is not None else [])
    low, high = panel.limits or (min(values), max(values))
    x_ticks, y_ticks = round_ticks(0, most_kimg), round_ticks(min(low, *values), max(high, *values), 3)

    def place(x, y):
        share_x = x / max(x_ticks[-1], 1e-9)
        share_y = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return left + share_x * (right - left), lower - share_y * (lower - upper)

    small = load_font(12)
    for tick in y_ticks:
        y = place(0, tick)[1]
        draw.line([left, y, right, y], fill=FAINT)
        width, height = text_size(draw, number_text(tick), small)
        draw.text((left - width - 6, y - height), number_text(tick), fill=INK, font=small)
    for tick in x_ticks:
        x = place(tick, y_ticks[0])[0]
        draw.line([x, upper, x, lower], fill=FAINT)
        width, _ = text_size(draw, number_text(tick), small)
        draw.text((min(x - width / 2, right - width), lower + 5), number_text(tick), fill=INK, font=small)
    if panel.target is not None:
        y = place(0, panel.target)[1]
        dashed_line(draw, [(left, y), (right, y)], "#888888", 1, (3, 3))
    draw.text((left, top + 6), panel.title, fill=INK, font=load_font(14))
    legend_x = right
    for index, (label, curve) in reversed(list(enumerate(curves))):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        pixels = [place(x, y) for x, y in curve]
        dashed_line(draw, pixels, colour, 2, dash)
        for x, y in pixels if len(pixels) < 20 else pixels[-1:]:
            draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=colour)
        width, _ = text_size(draw, label, small)
        legend_x -= width + 48
        dashed_line(draw, [(legend_x, top + 14), (legend_x + 26, top + 14)], colour, 2, dash)
        draw.text((legend_x + 32, top + 7), label, fill=INK, font=small)


def dashed_line(draw, points, colour, width, dash=None):
    """Draw a line through points; `dash` holds the lengths of strokes and gaps in px, None is a whole line."""
    if len(points) < 2:
        return
    if dash is None:
        draw.line(points, fill=colour, width=width)
        return
    part, left = 0, dash[0]
    for (x0, y0), (x1, y1) in zip(points[:-1], points[1:]):
        length, done = math.hypot(x1 - x0, y1 - y0), 0.0
        while length - done > 1e-6:
            step = min(left, length - done)
            if part % 2 == 0:
                ends = [(x0 + at / length * (x1 - x0), y0 + at / length * (y1 - y0)) for at in (done, done + step)]
                draw.line(ends, fill=colour, width=width)
            done, left = done + step, left - step
            if left <= 1e-6:
                part = (part + 1) % len(dash)
                left = dash[part]
