"""A picture of a metric against training length, drawn with Pillow alone."""

import math

from PIL import Image, ImageDraw, ImageFont

from ..snapshots.atomic import atomic_file

SIZE_PX = (1000, 600)
MARGINS_PX = (90, 50, 40, 60)  # left, top, right, bottom
COLOURS = ("#1f5fbf", "#c2410c", "#15803d", "#7e22ce", "#b91c1c", "#0e7490", "#a16207", "#4b5563")
INK, FAINT = "#222222", "#dddddd"


def plot_metric(path, series, title):
    """Draw curves of a metric and write them as a PNG; the best point of each is ringed and named.

    Args:
        path: File to write.
        series: List of (label, [(kimg, value), ...], (kimg, value) of the best or None).
        title: Heading, the metric's name.
    """
    points = [point for _, curve, _ in series for point in curve]
    assert points, "nothing to plot"
    image = Image.new("RGB", SIZE_PX, "white")
    draw = ImageDraw.Draw(image)
    axes = _Axes(points)
    _draw_axes(draw, axes, title)
    for index, (label, curve, best) in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        _draw_curve(draw, axes, curve, best, colour)
        _draw_legend(draw, index, label, best, colour)
    with atomic_file(path) as stream:
        image.save(stream, "PNG")


class _Axes:
    """Maps kimg and values to pixels."""

    def __init__(self, points):
        self.kimg_ticks = round_ticks(min(0, min(kimg for kimg, _ in points)), max(kimg for kimg, _ in points))
        self.value_ticks = round_ticks(min(0.0, min(value for _, value in points)), max(value for _, value in points))
        self.left, self.top = MARGINS_PX[0], MARGINS_PX[1]
        self.right, self.bottom = SIZE_PX[0] - MARGINS_PX[2], SIZE_PX[1] - MARGINS_PX[3]

    def x(self, kimg):
        low, high = self.kimg_ticks[0], self.kimg_ticks[-1]
        return self.left + (kimg - low) / (high - low) * (self.right - self.left)

    def y(self, value):
        low, high = self.value_ticks[0], self.value_ticks[-1]
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)


def round_ticks(low, high, wanted=6):
    """Return evenly spaced round numbers (1, 2 or 5 times a power of ten apart) that span low ... high."""
    if high <= low:
        high = low + 1.0
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def number_text(value):
    """Return a number without needless digits: 2000, 0.05, 1.5e-05."""
    return "{:,.0f}".format(value) if abs(value) >= 1000 else "{:.4g}".format(value)


def load_font(size_px):
    """Return Pillow's own font, scaled where this Pillow can."""
    try:
        return ImageFont.load_default(size=size_px)
    except TypeError:  # Pillow before 10.1 has one size only
        return ImageFont.load_default()


def text_size(draw, text, font):
    """Return (width, height) of a line of text in pixels."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    return right - left, bottom - top


def _draw_axes(draw, axes, title):
    font = load_font(14)
    for value in axes.value_ticks:
        y = axes.y(value)
        draw.line([axes.left, y, axes.right, y], fill=FAINT)
        width, height = text_size(draw, number_text(value), font)
        draw.text((axes.left - width - 8, y - height), number_text(value), fill=INK, font=font)
    for kimg in axes.kimg_ticks:
        x = axes.x(kimg)
        draw.line([x, axes.top, x, axes.bottom], fill=FAINT)
        width, _ = text_size(draw, number_text(kimg), font)
        draw.text((x - width / 2, axes.bottom + 8), number_text(kimg), fill=INK, font=font)
    draw.rectangle([axes.left, axes.top, axes.right, axes.bottom], outline=INK)
    draw.text((axes.left, 14), title, fill=INK, font=load_font(20))
    width, _ = text_size(draw, "thousands of images shown (kimg)", font)
    draw.text(((axes.left + axes.right - width) / 2, SIZE_PX[1] - 26), "thousands of images shown (kimg)", fill=INK, font=font)


def _draw_curve(draw, axes, curve, best, colour):
    pixels = [(axes.x(kimg), axes.y(value)) for kimg, value in sorted(curve)]
    if len(pixels) > 1:
        draw.line(pixels, fill=colour, width=2)
    for x, y in pixels:
        draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=colour)
    if best is not None:
        x, y = axes.x(best[0]), axes.y(best[1])
        draw.ellipse([x - 8, y - 8, x + 8, y + 8], outline=colour, width=2)


def _draw_legend(draw, index, label, best, colour):
    font = load_font(14)
    text = label if best is None else "{}: best {} at {} kimg".format(label, number_text(best[1]), number_text(best[0]))
    width, _ = text_size(draw, text, font)
    x, y = SIZE_PX[0] - MARGINS_PX[2] - width - 12, MARGINS_PX[1] + 10 + 20 * index
    draw.rectangle([x - 30, y - 3, x + width + 6, y + 17], fill="white")
    draw.line([x - 26, y + 8, x - 6, y + 8], fill=colour, width=3)
    draw.text((x, y), text, fill=INK, font=font)
