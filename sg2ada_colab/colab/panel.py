"""The live panel of a run: widgets that show one RunView, updated by the cell's thread; plain lines where there are none."""

import functools
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set, Tuple, Union

from ..config.train_config import TrainConfig
from ..files import FilePath
from ..machine import disk_bytes
from ..previews.axes import Panel as Axes
from ..previews.axes import describe, draw_each, metric_label
from ..previews.timeline import as_jpeg
from ..runs.plan import RunPlan
from ..shape import Size
from ..words import duration, size_text
from .concerns import concerns
from .drive_look import DriveLook
from .grid_view import excerpt_jpeg
from .html import STYLE, can_show_widgets, escape, notice, picture, preformatted, show_widgets, side_by_side, table
from .run_view import RunView
from .starting import Starting, StartTimes
from .status_line import StatusLine
from .supervisor import Ending

NUMBERS_EVERY_S, LISTS_EVERY_S, LINE_EVERY_S = 2.0, 10.0, 60.0
# In the first ten minutes and later: curves take a third of a second to draw, and where "\r" means nothing each status is a line.
CURVES_EVERY_S, STATUS_EVERY_S = (30.0, 120.0), (15.0, 60.0)
NEWEST_BYTES, FRAME_BYTES, CURVES_BYTES, WHOLE_BYTES = 200000, 60000, 60000, 200000
NEWEST_PX, FRAME_PX, WHOLE_PX = 1280, 640, 1920
MOST_FRAMES = 32  # of the history; beyond, those go that leave the smallest gaps
NEW_FRAMES_AT_ONCE = 2  # a grid can take a second to shrink, and the stop button must not wait
KIMG_WINDOW_S = 600.0  # the estimate uses the speed over this many seconds
LOG_LINES_SHOWN = 25
NOTHING_LOGGED = "Nothing has been logged in this session. The whole log is log.txt in the run's folder."
SessionLeft = Optional[Callable[[], Optional[float]]]  # returns the seconds that this session can last, or None
TRAINING = "Training. To stop early, press the cell's stop button once: it saves and says so."


def open_panel(
    view: RunView,
    plan: RunPlan,
    session_left_s: SessionLeft = None,
    start_times: Optional[StartTimes] = None,
) -> Union["LinePanel", "WidgetPanel"]:
    """Return the panel for this front end: `WidgetPanel`, or `LinePanel` without widgets."""
    if not can_show_widgets():
        return LinePanel(view, plan.config, session_left_s, start_times, processes=plan.processes)
    frame = functools.partial(frame_jpeg, plan.config.size)
    look = DriveLook(plan.drive_dir, MOST_FRAMES // 2, frame) if plan.drive_dir else None
    return WidgetPanel(view, plan.config, session_left_s, look, start_times, processes=plan.processes)


def frame_jpeg(size: Size, path: FilePath) -> bytes:
    """Return a grid as a page of the history shows it."""
    return excerpt_jpeg(path, size, FRAME_PX, FRAME_BYTES)


class Numbers:
    """Where training stands and where it will be.

    Args:
        total_kimg: Length of the run.
        session_left_s: Callable that returns how long this session can last from now, or None where nothing ends it.
        processes: That train together, one a GPU.
        start_kimg: That the run counts from.
    """

    def __init__(self, total_kimg: float, session_left_s: SessionLeft = None, processes: int = 1, start_kimg: float = 0) -> None:
        self.processes, self.start_kimg = processes, start_kimg
        self.total_kimg, self.session_left_s = total_kimg, session_left_s or (lambda: None)
        self._seen: List[Tuple[float, float]] = []  # (session seconds, kimg)
        self.kimg, self.speed = start_kimg, 0.0
        self.time: Optional[float] = None

    def update(self, kimg: float, pulse: Optional[Mapping[str, Any]]) -> None:
        """Take over the kimg of the folder and the child's newest pulse (None before training begins)."""
        self.kimg = max(kimg, self.start_kimg, pulse["kimg"] if pulse else 0.0)
        if pulse:
            self.time = pulse["time"]
        # The first minibatches compile the networks: their speed says nothing of the rest.
        if pulse and pulse["images_per_second"] > 0 and (not self._seen or pulse["session_s"] > self._seen[-1][0]):
            self._seen.append((pulse["session_s"], pulse["kimg"]))
            while len(self._seen) > 2 and self._seen[-1][0] - self._seen[1][0] > KIMG_WINDOW_S:
                del self._seen[0]
            (t0, k0), (t1, k1) = self._seen[0], self._seen[-1]
            self.speed = (k1 - k0) * 1000 / (t1 - t0) if t1 > t0 else 0.0

    def seconds_to_end(self) -> Optional[float]:
        """Return the seconds to the run's end, or None where no speed is known."""
        if self.speed <= 0:
            return None
        return max(0.0, self.total_kimg - self.kimg) * 1000 / self.speed

    def done_sentence(self) -> str:
        """Return how far the run is."""
        share = (self.kimg - self.start_kimg) / max(self.total_kimg - self.start_kimg, 1e-9)
        return f"{self.kimg:.1f} of {self.total_kimg:,} kimg ({min(1, share):.1%})"

    def sentences(self) -> List[str]:
        """Return [what is done, speed, time to the end, what this session will reach]."""
        words = [self.done_sentence()]
        seconds = self.seconds_to_end()
        if seconds is None:
            return words
        words.append(f"{self.speed:.1f} img/s" + (f" by {self.processes} processes" if self.processes > 1 else ""))
        if seconds <= 0:
            return words
        words.append(f"{duration(seconds)} to the end")
        left = self.session_left_s()
        if left is not None and left < seconds:
            reached = self.kimg + max(0.0, left) * self.speed / 1000
            words.append(f"this session will reach about {reached:,.0f} kimg")
        return words


def axes_of(view: RunView, target: Optional[float] = None) -> List[Axes]:
    """Return the panels of curves of a RunView."""
    curves = view.curves
    panels = [
        Axes("losses", [("G loss", curves["G loss"]), ("D loss", curves["D loss"])], "loss (nats)", smooth=True),
        Axes(
            "r_t: overfitting, p: augmentation strength",
            [("r_t", curves["r_t"]), ("p", curves["p"])],
            "r_t, p (0 to 1)",
            None if target is None else ("target of r_t", target),
            (0, 1),
        ),
    ]
    return panels + [Axes(name, [(name, points)], metric_label(name)) for name, points in sorted(view.metrics.items())]


class LinePanel:
    """Prints a line now and then, for terminals and notebooks without widgets."""

    def __init__(
        self,
        view: RunView,
        config: TrainConfig,
        session_left_s: SessionLeft = None,
        start_times: Optional[StartTimes] = None,
        say: Callable[[str], Any] = print,
        processes: int = 1,
    ) -> None:
        self.view, self.config, self.out = view, config, say
        self.numbers = Numbers(config.schedule.total_kimg, session_left_s, processes, config.start.kimg)
        self.starting = Starting(start_times, time.monotonic)
        self._next = 0.0
        self._told: Set[str] = set()

    def say(self, sentence: str) -> None:
        self.out(sentence)

    def refresh(self, pulse: Optional[Mapping[str, Any]] = None) -> None:
        """Print where training stands if a minute has passed, and every concern once."""
        if time.monotonic() < self._next:
            return
        self.view.update()
        self.numbers.update(self.view.kimg, pulse)
        self._next = time.monotonic() + (LINE_EVERY_S if self.starting.update(pulse) else LINE_EVERY_S / 4)
        if self.starting.is_over:
            self.out("  ".join(self.numbers.sentences()))
        else:
            self.out(" ".join(self.starting.sentences(self.view.doing())))
        for sentence in concerns(self.view, disk_bytes(self.view.run_dir)[1], resolution=self.config.size):
            if sentence not in self._told:
                self._told.add(sentence)
                self.out("Note: " + sentence)

    def finish(self, ending: Ending) -> None:
        self.starting.update(ending.pulse)
        self.out("{}{}".format(ending.sentence, " " + ending.advice if ending.advice else ""))


class WidgetPanel:
    """Shows a run with widgets of the subset common to ipywidgets 7.7.1 and 8.

    Everything that can be used while the cell runs works in the browser alone: the kernel is busy and hears nothing. So the
    history's slider is linked to its frames in the browser, and pictures enlarge by style.

    Args:
        view: `RunView`.
        config: `TrainConfig`.
        session_left_s: As for `Numbers`.
        look: `DriveLook`, or None where the run is on no Drive.
        start_times: `StartTimes`, or None.
        line: `StatusLine` below the panel.
    """

    def __init__(
        self,
        view: RunView,
        config: TrainConfig,
        session_left_s: SessionLeft = None,
        look: Optional[DriveLook] = None,
        start_times: Optional[StartTimes] = None,
        line: Optional[StatusLine] = None,
        processes: int = 1,
    ) -> None:
        import ipywidgets as widgets

        self.widgets, self.view, self.config, self.look = widgets, view, config, look
        self.numbers = Numbers(config.schedule.total_kimg, session_left_s, processes, config.start.kimg)
        self.starting, self.line = Starting(start_times, time.monotonic), line or StatusLine()
        self._due: Dict[str, float] = {}
        self._sent: Dict[Any, Any] = {}
        self._started = time.time()
        self._said, self._newest_snapshot = "", ""  # what the supervisor said: it stays the headline
        self._frames: Dict[float, Any] = {}  # kimg -> page of the history
        self._considered: Set[float] = set()  # kimgs that had their chance to be one
        self._build(widgets)
        show_widgets(self.box)

    def _build(self, widgets):
        wide = widgets.Layout(width="98%")
        self.head, self.facts, self.warnings = (widgets.HTML(layout=wide) for _ in range(3))
        least = self.config.start.kimg
        most = max(self.config.schedule.total_kimg, least + 1)
        self.bar = widgets.FloatProgress(value=least, min=least, max=most, description="kimg", layout=wide)
        half = widgets.Layout(width="48%", min_width="280px")
        self.newest, self.reals = widgets.HTML(layout=half), widgets.HTML(layout=half)
        pictures = widgets.HBox([self.newest, self.reals], layout=widgets.Layout(flex_flow="row wrap", width="98%"))
        self.curves, self.whole, self.snapshots, self.log = (widgets.HTML(layout=wide) for _ in range(4))
        # A slider that chooses a page of a Tab whose titles are hidden: both live in the browser, the kernel is not asked.
        self.slider = widgets.IntSlider(value=0, min=0, max=1, description="time", readout=False, layout=wide, disabled=True)
        self.pages, self.link = widgets.Tab(children=[]), None
        self.pages.add_class("sg2-history")
        self.history = widgets.VBox([self.slider, self.pages])
        self.more = widgets.Accordion(children=[self.history, self.whole, self.snapshots, self.log])
        for index, title in enumerate(("History of the pictures", "All fakes of the grid", "Snapshots", "Log")):
            self.more.set_title(index, title)
        self.more.selected_index = None
        style = widgets.HTML(STYLE + HISTORY_STYLE)
        parts = [style, self.head, self.bar, self.facts, self.warnings, pictures, self.curves, self.more]
        self.box = widgets.VBox(parts)
        self.box.add_class("sg2-panel")

    def say(self, sentence: str) -> None:
        """Show a sentence as the headline, until the end."""
        self._said = sentence
        self._show_headline()
        self.line.write(sentence)

    def refresh(self, pulse: Optional[Mapping[str, Any]] = None) -> None:
        """Bring what is due up to date; called from the cell's thread, often."""
        if not self._is_due("numbers", NUMBERS_EVERY_S):
            return
        ticked = self.view.update()
        self.numbers.update(self.view.kimg, pulse)
        self.starting.update(pulse)
        self._show_headline()
        self._show_numbers(self.numbers.sentences())
        later = time.time() - self._started > 600
        if self._is_due("status", STATUS_EVERY_S[later]):
            self.line.write(self._status())
        if self._is_due("lists", LISTS_EVERY_S):
            self._show_warnings(time.time() - (self.numbers.time or self._started))
            self._show_lists()
            self._show_pictures()
        if ticked and self._is_due("curves", CURVES_EVERY_S[later]):
            self._show_curves()

    def finish(self, ending: Ending) -> None:
        """Show the end and what is there now; the first pulse of a short training can come after the last `refresh`."""
        self.view.update()
        self.starting.update(ending.pulse)
        saved = self.numbers.kimg if ending.state in ("done", "stopped") else 0.0  # since the newest tick, too
        self.numbers.update(max(self.view.kimg, saved), None)
        kind = {"done": "good", "stopped": "stop"}.get(ending.state, "bad")
        self._set(self.head, notice(kind, ending.sentence, ending.advice))
        self.bar.bar_style = {"done": "success", "stopped": ""}.get(ending.state, "danger")
        self.line.finish(f"{ending.sentence}  {self.numbers.done_sentence()}")
        self._show_lists()
        self._show_numbers([self.numbers.done_sentence()])  # with the newest snapshot
        for show in (self._show_warnings, self._show_pictures, self._show_curves):
            show()
        if self.look:
            self.look.stop()

    def _show_headline(self):
        if self._said:
            self._set(self.head, notice("work", self._said))
        elif self.starting.is_over:
            self._set(self.head, notice("work", TRAINING))
        else:
            self._set(self.head, notice("work", *self.starting.sentences(self.view.doing())))

    def _status(self):
        """Return where training stands, for the line of text."""
        if self._said:
            return self._said
        return "  ".join(self.numbers.sentences()) if self.starting.is_over else self.starting.in_short(self.view.doing())

    def _is_due(self, name, every_s):
        now = time.monotonic()
        if now < self._due.get(name, 0.0):
            return False
        self._due[name] = now + every_s
        return True

    def _set(self, widget, value):
        """Set a widget's value if it is new: each assignment is a message to the browser."""
        if self._sent.get(id(widget)) != value:
            self._sent[id(widget)] = widget.value = value

    def _show_numbers(self, words):
        value = min(self.numbers.kimg, self.bar.max)
        if self.bar.value != value:
            self.bar.value = value
        if self._newest_snapshot:
            words = words + [self._newest_snapshot]
        self._set(self.facts, " · ".join(f"<span>{word}</span>" for word in map(escape, words)))

    def _show_warnings(self, silent_s=0.0):
        free = disk_bytes(self.view.run_dir)[1]
        found = concerns(self.view, free, silent_s, self.config.size)
        self._set(self.warnings, "".join(notice("warn", sentence) for sentence in found))

    def _show_pictures(self):
        fakes, reals = self.view.fakes(), self.view.reals()
        if reals and not self._sent.get(id(self.reals)):
            self._show_excerpt(self.reals, reals, "a grid of your training images", "Your images")
        if not fakes:
            return
        kimg, path = fakes[-1]
        if self._sent.get("newest") != path:
            alt = f"a grid of images that the generator made at {kimg} kimg"
            title = f"Fakes at {kimg} kimg"
            if self._show_excerpt(self.newest, path, alt, title):
                self._sent["newest"] = path
                self._set(self.whole, picture(as_jpeg(path, WHOLE_PX, WHOLE_BYTES), "all of " + alt, title))
        self._show_history(fakes)

    def _show_excerpt(self, widget, path, alt, caption):
        try:
            jpeg = excerpt_jpeg(path, self.config.size, NEWEST_PX, NEWEST_BYTES)
            self._set(widget, picture(jpeg, alt, caption))
            return True
        except OSError:  # it is being written: the next look shows it
            return False

    def _show_history(self, fakes):
        earlier = self.look.frames if self.look else {}
        paths = dict(fakes)
        wanted = thinned_by_gaps(set(self._frames) | set(earlier) | set(paths), MOST_FRAMES)
        new = [kimg for kimg in wanted if kimg not in self._considered][:NEW_FRAMES_AT_ONCE]
        made = {kimg: self._frame(kimg, earlier.get(kimg), paths.get(kimg)) for kimg in new}
        made = {kimg: page for kimg, page in made.items() if page is not None}
        self._considered.update(made)
        if not made:
            return
        self._frames.update(made)
        surplus = [self._frames.pop(kimg) for kimg in set(self._frames) - set(thinned_by_gaps(self._frames, MOST_FRAMES))]
        # The number of pages never falls, so that the slider, wherever the browser has it, points at one.
        self.pages.children = [self._frames[kimg] for kimg in sorted(self._frames)]
        if len(self._frames) > 1:
            self.slider.max, self.slider.disabled = len(self._frames) - 1, False
            self.link = self.link or self.widgets.jslink((self.slider, "value"), (self.pages, "selected_index"))
        for page in surplus:
            page.close()

    def _frame(self, kimg, jpeg, path):
        """Return the page of one grid, from its JPEG or its file; None where that is being written."""
        title = f"Fakes at {kimg} kimg"
        try:
            jpeg = jpeg or frame_jpeg(self.config.size, path)
            return self.widgets.HTML(picture(jpeg, "a grid: " + title, title))
        except OSError:
            return None

    def _show_lists(self):
        found = self.view.snapshots(self.look.records if self.look else {})
        if found:
            self._newest_snapshot = f"newest snapshot: {found[0][1]:.0f} kimg, on {found[0][3]}"
        rows = [(name, kimg, size_text(size), where) for name, kimg, size, where in found[:50]]
        content = table(rows, ("snapshot", "kimg", "size", "where")) if rows else "No snapshot yet."
        status = self.view.drive_status()
        if status:
            content = "<p>Drive: {}</p>".format(escape(status["sentence"])) + content
        self._set(self.snapshots, content)
        self._set(self.log, preformatted(self.view.log[-LOG_LINES_SHOWN:] or [NOTHING_LOGGED]))

    def _show_curves(self):
        drawn = draw_each(axes_of(self.view, self.config.augment.target), first_kimg=self.config.start.kimg)
        pictures = [picture(as_jpeg(image, 1000, CURVES_BYTES), describe([panel]), zoom=False) for panel, image in drawn]
        if pictures:
            self._set(self.curves, side_by_side(pictures))


HISTORY_STYLE = """<style>
.sg2-history > .p-TabBar, .sg2-history > .lm-TabBar, .sg2-history > .jp-TabBar {display: none !important}
</style>"""


def thinned_by_gaps(kimgs: Iterable[float], most: int) -> List[float]:
    """Return at most `most` of the kimgs, sorted; the first and the last stay, and those go that leave the smallest gaps."""
    kept = sorted(kimgs)
    while len(kept) > most:
        gaps = [after - before for before, after in zip(kept, kept[2:])]
        del kept[1 + gaps.index(min(gaps))]
    return kept
