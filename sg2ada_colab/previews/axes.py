"""Curves of a run, drawn with matplotlib: panels one below the other over the same kimg axis, and one metric of several runs."""

import io
import math
from dataclasses import dataclass
from typing import Any, Iterable, List, Optional, Sequence, Tuple

from PIL import Image

from ..config.metric_names import find_metric, lower_is_better

KIMG_LABEL = "training images shown (kimg)"
WIDTH_PX, PANEL_HEIGHT_PX, METRIC_PX, DPI = 860, 210, (1000, 600), 100
SMALL_PX, SHARPNESS = (480, 270), 2  # of a picture that stands beside others: its letters stay readable on a narrow page
TEXT_PT, TITLE_PT = 9, 10
TICK_PX = 90  # room that a number below the axis needs
COLOURS = ("#1f5fbf", "#c2410c", "#15803d", "#7e22ce", "#b91c1c", "#0e7490", "#a16207", "#4b5563")
DASHES = ("-", (0, (6, 3)), (0, (1.5, 2)), (0, (7, 2, 1.5, 2)))  # curves differ in more than their colour
METRIC_KINDS = {  # by the kind of a MetricSpec
    "fid": "Fréchet distance", "kid": "kernel distance", "is": "inception score", "pr": "precision",
    "ppl": "path length",
}  # fmt: skip
MARKED_POINTS = 20  # a curve of fewer points shows each of them
SMOOTHED_OVER = 0.02  # of a panel's points


@dataclass(frozen=True)
class Panel:
    """One set of axes."""

    title: str
    curves: Sequence[Tuple[str, List[Tuple[float, float]]]]  # (label, [(kimg, value), ...])
    y_label: str = ""  # what the values are, with their unit
    target: Optional[Tuple[str, float]] = None  # (label, value) of a dashed horizontal line
    limits: Optional[Tuple[float, float]] = None  # that the values' axis has at least; None: as they come
    smooth: bool = False
    best: Sequence[Optional[Tuple[float, float]]] = ()  # a point to ring for each curve, or None


def draw_panels(panels: Any, width_px: int = WIDTH_PX, height_px: int = PANEL_HEIGHT_PX) -> Optional[Image.Image]:
    """Return a Pillow image with one panel below the other, or None; panels without any point are left out."""
    panels = [panel for panel in panels if _points(panel)]
    if not panels:
        return None
    figure = _figure(width_px, height_px * len(panels))
    last = max(x for panel in panels for x, _ in _points(panel))
    for row, panel in enumerate(panels):
        axes = figure.add_subplot(len(panels), 1, row + 1)
        _draw_panel(axes, panel, (0.0, last or 1.0), width_px)
        if row == len(panels) - 1:
            axes.set_xlabel(KIMG_LABEL)
    return _as_image(figure)


def draw_each(
    panels: Any, size_px: Tuple[int, int] = SMALL_PX, sharpness: float = SHARPNESS, first_kimg: float = 0.0
) -> List[Tuple[Panel, Image.Image]]:
    """Return [(panel, Pillow image)]: a picture for each panel that has points, all over the same kimg.

    Args:
        size_px: (width, height) at which a picture is meant to be seen.
        sharpness: Factor by which it has more pixels, for high-density screens and for readers that enlarge it.
        first_kimg: Where the axis begins; earlier, if there are earlier points.
    """
    panels = [panel for panel in panels if _points(panel)]
    kimgs = [x for panel in panels for x, _ in _points(panel)]
    first, last = min(kimgs + [first_kimg]), max(kimgs + [0.0])
    drawn = []
    for panel in panels:
        figure = _figure(*size_px, sharpness)
        axes = figure.add_subplot(1, 1, 1)
        _draw_panel(axes, panel, (first, last if last > first else first + 1.0), size_px[0])
        axes.set_xlabel(KIMG_LABEL, fontsize=TEXT_PT)
        drawn.append((panel, _as_image(figure)))
    return drawn


def _points(panel):
    return [point for _, curve in panel.curves for point in finite(curve)]


def draw_metric(series: Any, title: str, y_label: str) -> Optional[Image.Image]:
    """Return a Pillow image with a metric of several runs, None without any point; the best point of each is ringed and named.

    Args:
        series: List of (label, [(kimg, value), ...], (kimg, value) of the best or None).
        title: Heading, the metric's name.
        y_label: What its values are, and which way is better.
    """
    curves, rings = [], []
    for label, curve, best in series:
        note = "" if best is None else f": best {number_text(best[1])} at {number_text(best[0])} kimg"
        curves.append((label + note, sorted(curve)))
        rings.append(best)
    return draw_panels([Panel(title, curves, y_label, limits=(0, 0), best=rings)], *METRIC_PX)


def metric_label(metric: str) -> str:
    """Return what the values of a metric are, and which way is better, for its axis."""
    spec, better = find_metric(metric), "lower" if lower_is_better(metric) else "higher"
    return f"{METRIC_KINDS[spec.kind] if spec else metric} ({better} is better)"


def finite(curve: Iterable[Tuple[float, float]]) -> List[Tuple[float, float]]:
    """Return the points of a curve whose numbers are finite."""
    return [(x, y) for x, y in curve if math.isfinite(x) and math.isfinite(y)]


def smoothed(curve: Sequence[Tuple[float, float]], share: float = SMOOTHED_OVER) -> List[Tuple[float, float]]:
    """Return a curve with each value replaced by an exponential mean over about `share` of its points."""
    weight, mean, result = 1 / max(1.0, share * len(curve)), None, []
    for x, y in curve:
        mean = y if mean is None else mean + weight * (y - mean)
        result.append((x, mean))
    return result


def describe(panels: Any) -> str:
    """Return the curves in words, for those who do not see them: the newest value of each, and from where it came."""
    sentences = []
    for panel in panels:
        for label, curve in panel.curves:
            points = finite(curve)
            if points:
                first, last = points[0][1], points[-1][1]
                way = "unchanged from" if first == last else "up from" if last > first else "down from"
                sentences.append(f"{label} {number_text(last)} ({way} {number_text(first)})")
    return "Curves over kimg: {}.".format("; ".join(sentences)) if sentences else "No curves yet."


def number_text(value: float) -> str:
    """Return a number without needless digits: 2,000, 0.05, 1.5e-05."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _figure(width_px, height_px, sharpness=1):
    """Return an empty figure of a size in pixels, without pyplot: nothing is global, so any thread may draw."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size, dpi = (width_px / DPI, height_px / DPI), DPI * sharpness
    figure = Figure(figsize=size, dpi=dpi, facecolor="white", constrained_layout=True)
    FigureCanvasAgg(figure)
    return figure


def _draw_panel(axes, panel, kimgs, width_px):
    """Draw a panel over (first kimg, last kimg)."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for index, (label, curve) in enumerate(panel.curves):
        points = smoothed(finite(curve)) if panel.smooth else finite(curve)
        if not points:
            continue
        marks = {"marker": "o", "markersize": 4} if len(points) < MARKED_POINTS else {}
        style = {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index % len(DASHES)], "linewidth": 1.8}
        axes.plot(*zip(*points), label=label, **style, **marks)
        best = panel.best[index] if index < len(panel.best) else None
        if best is not None:
            axes.plot(*best, marker="o", markersize=12, fillstyle="none", markeredgewidth=2, clip_on=False, color=style["color"])
    if panel.target is not None:
        label, value = panel.target
        axes.axhline(value, color="#555555", linestyle="--", linewidth=1.2, label=f"{label} {number_text(value)}")
    first, last = kimgs
    axes.set_xlim(first, last + 0.02 * (last - first))
    if panel.limits is not None:
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, panel.limits[0]), max(high, panel.limits[1]))
    axes.xaxis.set_major_locator(MaxNLocator(max(2, width_px // TICK_PX)))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, position: number_text(value)))
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=TEXT_PT)
    axes.set_ylabel(panel.y_label, fontsize=TEXT_PT)
    axes.set_xlabel(axes.get_xlabel(), fontsize=TEXT_PT)
    axes.set_title(panel.title, loc="left", fontsize=TITLE_PT, pad=6 + 14 * _add_legend(axes, panel.title, width_px))


def _add_legend(axes, title, width_px):
    """Put the legend between title and axes, where it covers no curve; return how many rows it has."""
    labels = axes.get_legend_handles_labels()[1]
    if labels == [title]:  # says it already
        return 0
    widths_px = [50 + 8 * len(label) for label in labels]  # at this size of letters
    columns = max(1, min(len(labels), int((width_px - 80) // max(widths_px))))
    if sum(widths_px) <= width_px - 80:
        columns = len(labels)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncol=columns, frameon=False, fontsize=TEXT_PT, borderaxespad=0.1,
        handlelength=3.2, columnspacing=1.5, labelspacing=0.2,
    )  # fmt: skip
    return -(-len(labels) // columns)


def _as_image(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=figure.dpi)
    return Image.open(stream).convert("RGB")
