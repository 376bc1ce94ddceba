"""The live panel of a run: widgets that show one RunView, updated by the cell's thread; plain lines where there are none."""

import functools
import time

from ..metrics.report import format_seconds
from ..previews.curves import Panel as Axes
from ..previews.curves import describe, draw_curves
from ..previews.timeline import as_jpeg
from .concerns import concerns
from .drive_look import DriveLook
from .grid_view import excerpt_jpeg
from .html import STYLE, can_show_widgets, escape, notice, picture, preformatted, show_widgets, table
from .runtime import disk_bytes

NUMBERS_EVERY_S, CURVES_EVERY_S, LISTS_EVERY_S, LINE_EVERY_S = 2.0, 30.0, 10.0, 60.0
NEWEST_BYTES, FRAME_BYTES, CURVES_BYTES, WHOLE_BYTES = 200000, 60000, 120000, 200000
NEWEST_PX, FRAME_PX, WHOLE_PX = 1280, 640, 1920
MOST_FRAMES = 32  # of the history; beyond, those go that leave the smallest gaps
NEW_FRAMES_AT_ONCE = 2  # a grid can take a second to shrink, and the stop button must not wait
KIMG_WINDOW_S = 600.0  # the speed for the estimate is that of so many seconds
LOG_LINES_SHOWN = 25
STARTING = "Starting; the first minutes go into compiling the networks."
TRAINING = "Training. To stop early, press the cell's stop button once: it saves and says so."


def open_panel(view, plan, session_left_s=None):
    """Return the panel for this front end: `WidgetPanel`, or `LinePanel` without widgets."""
    if not can_show_widgets():
        return LinePanel(view, plan.config, session_left_s)
    frame = functools.partial(frame_jpeg, plan.config.resolution)
    look = DriveLook(plan.drive_dir, MOST_FRAMES // 2, frame) if plan.drive_dir else None
    return WidgetPanel(view, plan.config, session_left_s, look)


def frame_jpeg(resolution, path):
    """Return a grid as a page of the history shows it."""
    return excerpt_jpeg(path, resolution, FRAME_PX, FRAME_BYTES)


class Numbers:
    """Where training stands and where it will be.

    Args:
        total_kimg: Length of the run.
        session_left_s: Callable that returns how long this session can last from now, or None where nothing ends it.
    """

    def __init__(self, total_kimg, session_left_s=None):
        self.total_kimg, self.session_left_s = total_kimg, session_left_s or (lambda: None)
        self._seen = []  # (session seconds, kimg)
        self.kimg, self.speed, self.time = 0.0, 0.0, None

    def update(self, kimg, pulse):
        """Take over the kimg of the folder and the child's newest pulse (None before training begins)."""
        self.kimg = max(kimg, pulse["kimg"]) if pulse else kimg
        if pulse:
            self.time = pulse["time"]
        # The first minibatches compile the networks: their speed says nothing of the rest.
        if pulse and pulse["images_per_second"] > 0 and (not self._seen or pulse["session_s"] > self._seen[-1][0]):
            self._seen.append((pulse["session_s"], pulse["kimg"]))
            while len(self._seen) > 2 and self._seen[-1][0] - self._seen[1][0] > KIMG_WINDOW_S:
                del self._seen[0]
            (t0, k0), (t1, k1) = self._seen[0], self._seen[-1]
            self.speed = (k1 - k0) * 1000 / (t1 - t0) if t1 > t0 else 0.0

    def seconds_to_end(self):
        """Return the seconds to the run's end, or None where no speed is known."""
        if self.speed <= 0:
            return None
        return max(0.0, self.total_kimg - self.kimg) * 1000 / self.speed

    def sentences(self):
        """Return [what is done, speed, time to the end, what this session will reach]."""
        words = ["{:.1f} of {:,} kimg ({:.1%})".format(self.kimg, self.total_kimg, min(1, self.kimg / self.total_kimg))]
        seconds = self.seconds_to_end()
        if seconds is None:
            return words
        words.append("{:.1f} img/s".format(self.speed))
        if seconds <= 0:
            return words
        words.append("{} to the end".format(format_seconds(seconds)))
        left = self.session_left_s()
        if left is not None and left < seconds:
            reached = self.kimg + max(0.0, left) * self.speed / 1000
            words.append("this session will reach about {:,.0f} kimg".format(reached))
        return words


def axes_of(view, target=None):
    """Return the panels of curves of a RunView."""
    curves = view.curves
    panels = [
        Axes("losses", [("G loss", curves["G loss"]), ("D loss", curves["D loss"])], smooth=True),
        Axes("r_t (overfitting) and p (augmentation strength)", [("r_t", curves["r_t"]), ("p", curves["p"])], target, (0, 1)),
    ]
    return panels + [Axes(name, [(name, points)]) for name, points in sorted(view.metrics.items())]


class LinePanel:
    """Prints a line now and then, for terminals and notebooks without widgets."""

    def __init__(self, view, config, session_left_s=None, say=print):
        self.view, self.config, self.out = view, config, say
        self.numbers = Numbers(config.total_kimg, session_left_s)
        self._next, self._told = 0.0, set()

    def say(self, sentence):
        self.out(sentence)

    def refresh(self, pulse=None):
        """Print where training stands if a minute has passed, and every concern once."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LINE_EVERY_S
        self.view.update()
        self.numbers.update(self.view.kimg, pulse)
        if pulse:
            self.out("  ".join(self.numbers.sentences()))
        for sentence in concerns(self.view, disk_bytes(self.view.run_dir)[1], resolution=self.config.resolution):
            if sentence not in self._told:
                self._told.add(sentence)
                self.out("Note: " + sentence)

    def finish(self, ending):
        self.view.update()
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
    """

    def __init__(self, view, config, session_left_s=None, look=None):
        import ipywidgets as widgets

        self.widgets, self.view, self.config, self.look = widgets, view, config, look
        self.numbers = Numbers(config.total_kimg, session_left_s)
        self._due, self._sent, self._started = {}, {}, time.time()
        self._sentence, self._newest_snapshot = "", ""
        self._frames, self._considered = {}, set()  # kimg -> page of the history; kimgs that had their chance to be one
        self._build(widgets)
        show_widgets(self.box)

    def _build(self, widgets):
        wide = widgets.Layout(width="98%")
        self.head, self.facts, self.warnings = (widgets.HTML(layout=wide) for _ in range(3))
        self.bar = widgets.FloatProgress(value=0, min=0, max=max(self.config.total_kimg, 1), description="kimg", layout=wide)
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

    def say(self, sentence):
        """Show a sentence as the headline."""
        self._sentence = sentence
        self._set(self.head, notice("work", sentence))

    def refresh(self, pulse=None):
        """Bring what is due up to date; called from the cell's thread, often."""
        if not self._is_due("numbers", NUMBERS_EVERY_S):
            return
        ticked = self.view.update()
        self.numbers.update(self.view.kimg, pulse)
        self._show_numbers(pulse)
        if self._sentence == STARTING and self.numbers.speed > 0:
            self.say(TRAINING)
        if self._is_due("lists", LISTS_EVERY_S):
            self._show_warnings()
            self._show_lists()
            self._show_pictures()
        if ticked and self._is_due("curves", CURVES_EVERY_S):
            self._show_curves()

    def finish(self, ending):
        """Show the end."""
        self.view.update()
        self.numbers.update(self.view.kimg, None)
        kind = {"done": "good", "stopped": "stop"}.get(ending.state, "bad")
        self._set(self.head, notice(kind, ending.sentence, ending.advice))
        self.bar.bar_style = {"done": "success", "stopped": ""}.get(ending.state, "danger")
        for show in (self._show_warnings, self._show_lists, self._show_pictures, self._show_curves):
            show()
        self._show_numbers(None)
        if self.look:
            self.look.stop()

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

    def _show_numbers(self, pulse):
        value = min(self.numbers.kimg, self.bar.max)
        if self.bar.value != value:
            self.bar.value = value
        words = self.numbers.sentences()
        if pulse is None and self.view.log and self.numbers.time is None:
            words.append("starting: {}".format(self.view.log[-1][:160]))
        if self._newest_snapshot:
            words.append(self._newest_snapshot)
        self._set(self.facts, " · ".join("<span>{}</span>".format(word) for word in map(escape, words)))

    def _show_warnings(self):
        last = self.numbers.time or self._started
        free = disk_bytes(self.view.run_dir)[1]
        found = concerns(self.view, free, time.time() - last, self.config.resolution)
        self._set(self.warnings, "".join(notice("warn", sentence) for sentence in found))

    def _show_pictures(self):
        fakes, reals = self.view.fakes(), self.view.reals()
        if reals and not self._sent.get(id(self.reals)):
            self._show_excerpt(self.reals, reals, "a grid of your training images", "Your images")
        if not fakes:
            return
        kimg, path = fakes[-1]
        if self._sent.get("newest") != path:
            alt = "a grid of images that the generator made at {} kimg".format(kimg)
            title = "Fakes at {} kimg".format(kimg)
            if self._show_excerpt(self.newest, path, alt, title):
                self._sent["newest"] = path
                self._set(self.whole, picture(as_jpeg(path, WHOLE_PX, WHOLE_BYTES), "all of " + alt, title))
        self._show_history(fakes)

    def _show_excerpt(self, widget, path, alt, caption):
        try:
            jpeg = excerpt_jpeg(path, self.config.resolution, NEWEST_PX, NEWEST_BYTES)
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
        title = "Fakes at {} kimg".format(kimg)
        try:
            jpeg = jpeg or frame_jpeg(self.config.resolution, path)
            return self.widgets.HTML(picture(jpeg, "a grid: " + title, title))
        except OSError:
            return None

    def _show_lists(self):
        found = self.view.snapshots(self.look.records if self.look else {})
        if found:
            self._newest_snapshot = "newest snapshot: {:.0f} kimg, on {}".format(found[0][1], found[0][3])
        rows = [(name, kimg, "{:.1f} MB".format(size / 1e6), where) for name, kimg, size, where in found[:50]]
        content = table(rows, ("snapshot", "kimg", "size", "where")) if rows else "No snapshot yet."
        status = self.view.drive_status()
        if status:
            content = "<p>Drive: {}</p>".format(escape(status["sentence"])) + content
        self._set(self.snapshots, content)
        self._set(self.log, preformatted(self.view.log[-LOG_LINES_SHOWN:]))

    def _show_curves(self):
        panels = axes_of(self.view, self.config.aug_target)
        image = draw_curves(panels)
        if image is not None:
            self._set(self.curves, picture(as_jpeg(image, 1000, CURVES_BYTES), describe(panels), "Curves", zoom=False))


HISTORY_STYLE = """<style>
.sg2-history > .p-TabBar, .sg2-history > .lm-TabBar, .sg2-history > .jp-TabBar {display: none !important}
</style>"""


def thinned_by_gaps(kimgs, most):
    """Return at most `most` of the kimgs, sorted; the first and the last stay, and those go that leave the smallest gaps."""
    kept = sorted(kimgs)
    while len(kept) > most:
        gaps = [after - before for before, after in zip(kept, kept[2:])]
        del kept[1 + gaps.index(min(gaps))]
    return kept
