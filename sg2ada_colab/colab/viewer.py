"""The explorer's widgets, of the subset common to ipywidgets 7.7.1 and 8."""

import time
from typing import Any, Callable

from ..errors import UserError
from ..generate.seed_list import parse_seeds
from ..previews.compare import side_by_side
from ..previews.timeline import as_jpeg, thinned
from .grid_view import enlarged
from .html import STYLE, animation, heading, notice, picture, show_widgets

PICTURE_BYTES, PICTURE_PX, HISTORY_FRAMES, HISTORY_S = 400000, 1400, 60, 0.15
FOLLOWS_S = 0.4
NO_OTHER = "nothing"


def guarded(status: Any, action: Callable[[], Any]) -> None:
    """Do something; a problem becomes a sentence in the widget `status` instead of a traceback that no cell would show."""
    try:
        action()
    except UserError as error:
        status.value = notice("warn", error.what, error.next_step)
    except Exception as error:  # out of memory, a file that vanished: the viewer lives on
        status.value = notice("bad", f"That did not work: {str(error).splitlines()[0] if str(error) else error}")


class Viewer:
    """Shows an `Explorer` and reacts to what is chosen.

    Args:
        explorer: `Explorer` with at least one snapshot.
    """

    def __init__(self, explorer: Any) -> None:
        import ipywidgets as widgets

        self.explorer, self._quiet = explorer, False
        self.image: Any = None  # the Pillow image that is shown
        titles = list(explorer.snapshots())
        wide, named = widgets.Layout(width="98%"), {"description_width": "90px"}
        self.snapshot = widgets.Dropdown(options=titles, description="snapshot", style=named)
        self.other = widgets.Dropdown(options=[NO_OTHER] + titles, description="compare with", style=named)
        self.seeds = widgets.Text(value="0-15", description="seeds", continuous_update=False, style=named)
        self.psi = widgets.FloatSlider(
            value=0.7, min=0, max=1.2, step=0.05, description="truncation", continuous_update=False, style=named
        )
        self.columns = widgets.IntSlider(value=4, min=1, max=16, description="columns", continuous_update=False, style=named)
        self.new_seeds = widgets.Button(description="Other seeds")
        self.refresh_list = widgets.Button(description="Look for snapshots")
        self.play = widgets.Button(description="Play the history")
        self.save_png, self.save_video = widgets.Button(description="Save PNG"), widgets.Button(description="Save video")
        self.save_each = widgets.Button(description="Save each", tooltip="a file for each seed, at the network's own size")
        self.save_history = widgets.Button(description="Save history")
        self.status, self.out, self.video = (widgets.HTML(layout=wide) for _ in range(3))
        self.name = widgets.HTML(heading(explorer.name))
        rows = [
            [self.snapshot, self.other],
            [self.seeds, self.psi, self.columns],
            [self.new_seeds, self.save_png, self.save_each, self.save_video]
            + ([self.play, self.save_history, self.refresh_list] if explorer.folders else []),
        ]
        if not explorer.folders:  # one network: there is nothing to choose, to compare, or to look back at
            del rows[0]
        boxes = [widgets.HBox(row, layout=widgets.Layout(flex_flow="row wrap")) for row in rows]
        self.box = widgets.VBox([widgets.HTML(STYLE), self.name] + boxes + [self.status, self.out, self.video])
        self.box.add_class("sg2-explorer")
        self._connect()
        show_widgets(self.box)
        self.show()

    def _connect(self):
        for widget in (self.snapshot, self.other, self.seeds, self.psi, self.columns):
            widget.observe(lambda change: self.show(), names="value")
        for button, action in (
            (self.new_seeds, self.take_new_seeds), (self.play, self.play_history), (self.save_png, self.save_picture),
            (self.save_each, self.save_single_pictures), (self.save_video, self.save_walk),
            (self.save_history, self.save_the_history), (self.refresh_list, self.look_again),
        ):  # fmt: skip
            button.on_click(lambda _, action=action: guarded(self.status, action))

    def show(self) -> None:
        """Make the picture that is chosen and show it."""
        if not self._quiet:
            guarded(self.status, self._show)

    def _show(self):
        self.status.value = notice("work", "Making images …")
        began = time.time()
        chosen = (self.seeds.value, self.psi.value, self.columns.value)
        if self.other.value == NO_OTHER:
            self.image = self.explorer.grid(self.snapshot.value, *chosen)
            words = self.snapshot.value if self.explorer.path else f"{self.explorer.name} at {self.snapshot.value}"
        else:
            self.image = self.explorer.compare(self.snapshot.value, self.other.value, *chosen)
            words = f"{self.explorer.name} at {self.snapshot.value} beside {self.other.value}"
        alt = f"fakes of {words}, seeds {self.seeds.value}, truncation {self.psi.value}"
        self.out.value = picture(as_jpeg(enlarged(self.image), PICTURE_PX, PICTURE_BYTES), alt, alt)
        seconds = time.time() - began
        # A machine that is too slow to follow the slider follows when it is let go.
        self.psi.continuous_update = seconds < FOLLOWS_S
        self.status.value = notice("info", f"Drawn in {seconds:.2f} s.")

    def take_new_seeds(self) -> None:
        """Go to the seeds after those shown."""
        seeds = parse_seeds(self.seeds.value)
        self.seeds.value = f"{max(seeds) + 1}-{max(seeds) + len(seeds)}"

    def play_history(self) -> None:
        """Show the grids that training wrote, one after the other, below the pictures; raise UserError where there are none."""
        frames = thinned(self.explorer.history(), HISTORY_FRAMES)
        if not frames:
            raise UserError("There is no history yet.", "grids that training wrote", "train for a while first")
        for title, path in frames:
            self.video.value = picture(as_jpeg(path, 900, 120000), f"fakes at {title}", title, zoom=False)
            time.sleep(HISTORY_S)
        self.status.value = notice("info", f"{len(frames)} pictures, from {frames[0][0]} to {frames[-1][0]}.")

    def save_picture(self) -> None:
        """Save what is shown, at full size; raise UserError where nothing is shown yet."""
        if self.image is None:
            raise UserError("There is no picture yet.", "one that is shown", "choose a snapshot")
        name = f"fakes-{self.snapshot.value}-psi{self.psi.value:g}"
        self._say_saved(self.explorer.save(self.image, name))

    def save_single_pictures(self) -> None:
        """Save the picture of each seed that is shown in a file of its own."""
        self.status.value = notice("work", "Saving …")
        folder = self.explorer.save_each(self.snapshot.value, self.seeds.value, self.psi.value)
        self._say_saved(f"{len(parse_seeds(self.seeds.value))} pictures in {folder}")

    def save_walk(self) -> None:
        """Save a walk through the seeds that are shown."""
        self.status.value = notice("work", "Making a video …")
        frames = self.explorer.walk(self.snapshot.value, self.seeds.value, self.psi.value)
        if self.other.value != NO_OTHER:
            both = zip(frames, self.explorer.walk(self.other.value, self.seeds.value, self.psi.value))
            titles = (self.snapshot.value, self.other.value)
            frames = ((None, side_by_side([(titles[0], enlarged(a)), (titles[1], enlarged(b))])) for (_, a), (_, b) in both)
        path = self.explorer.save_video(frames, f"walk-{self.snapshot.value}", 24)
        self._show_saved(path, f"a walk through the seeds {self.seeds.value}, in a loop")

    def save_the_history(self) -> None:
        """Save the history as a video."""
        self.status.value = notice("work", "Making a video …")
        path = self.explorer.save_video(thinned(self.explorer.history(), 600), "history", 8)
        self._show_saved(path, "how the fakes changed while training, in a loop")

    def look_again(self) -> None:
        """Take over snapshots that were written meanwhile."""
        titles, before = list(self.explorer.snapshots()), self.snapshot.value
        self._quiet = True
        try:
            self.snapshot.options, self.other.options = titles, [NO_OTHER] + titles
            self.snapshot.value = before if before in titles else titles[0]
            self.other.value = NO_OTHER
        finally:
            self._quiet = False
        self.status.value = notice("info", f"{len(titles)} snapshots.")
        if before not in titles:
            self.show()

    def _say_saved(self, path):
        self.status.value = notice("good", f"Saved: {path}")

    def _show_saved(self, path, alt):
        """Show an animation that was saved below the pictures, where it is small enough."""
        self.video.value = animation(path, alt)
        self._say_saved(path)
