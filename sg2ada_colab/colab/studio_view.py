"""The studio's widgets: one picture that follows its sliders, and the favourites below; for ipywidgets 7.7.1 and 8."""

import io
import time
from typing import Any, List, Optional

from ..errors import UserError
from ..generate.choice import MIXED, Choice, mixed_layers
from ..images.sheet import tile
from ..images.transparency import shown_opaque
from ..words import counted
from .grid_view import enlarged
from .html import STYLE, animation, heading, notice, picture, show_widgets
from .viewer import FOLLOWS_S, guarded

LEAST_PX, LARGEST_PX, THUMB_PX = 384, 768, 96
NO_MIX, LARGEST_SEED = "nothing", 9999
STRENGTH = 4.0


class StudioView:
    """Shows a `Studio`, follows its sliders and keeps what is liked."""

    def __init__(self, studio: Any) -> None:
        import ipywidgets as widgets

        self.studio, self._quiet = studio, False
        self.seconds: Optional[float] = None  # that the picture took
        named, classes = {"description_width": "90px"}, studio.generator.config.label_size
        slide = {"continuous_update": False, "style": named}
        self.seed = widgets.IntSlider(value=0, min=0, max=LARGEST_SEED, description="seed", **slide)
        self.psi = widgets.FloatSlider(
            value=0.7 if studio.start is None else 1.0, min=0, max=1.2, step=0.05, description="truncation", **slide
        )
        self.class_ = widgets.IntSlider(value=0, min=0, max=max(0, classes - 1), description="class", **slide)
        self.mix = widgets.Dropdown(options=[NO_MIX] + list(MIXED), description="mix in", style=named)
        self.mix_seed = widgets.IntSlider(value=1, min=0, max=LARGEST_SEED, description="of seed", **slide)
        self.moves = [
            widgets.FloatSlider(value=0, min=-STRENGTH, max=STRENGTH, step=0.25, description=one.name, **slide)
            for one in studio.directions
        ]
        self.next, self.zero = widgets.Button(description="Next seed"), widgets.Button(description="All directions to 0")
        self.keep, self.save = widgets.Button(description="♥ Keep"), widgets.Button(description="Save PNG")
        self.pack, self.walk = widgets.Button(description="Download all kept"), widgets.Button(description="Video of all kept")
        self.drop = widgets.Button(description="Drop the last")
        self.status, self.out, self.kept, self.video = (widgets.HTML() for _ in range(4))
        first = [] if studio.start is not None else [self.seed]
        left = first + [self.psi] + ([self.class_] if classes else []) + [self.mix, self.mix_seed]
        rows = [widgets.HBox([widgets.VBox(left), widgets.VBox(self.moves)], layout=widgets.Layout(flex_flow="row wrap"))]
        for row in ([self.next] * bool(first) + [self.zero, self.keep, self.save], [self.pack, self.walk, self.drop]):
            rows.append(widgets.HBox(row, layout=widgets.Layout(flex_flow="row wrap")))
        top = [widgets.HTML(STYLE), widgets.HTML(heading(studio.name))]
        self.box = widgets.VBox(top + [rows[0], rows[1], self.status, self.out, rows[2], self.kept, self.video])
        self.box.add_class("sg2-studio")
        self._connect()
        show_widgets(self.box)
        self.show()

    @property
    def sliders(self) -> List[Any]:
        return [self.seed, self.psi, self.class_, self.mix_seed] + self.moves

    def choice(self) -> Choice:
        """Return the Choice that the widgets stand for."""
        mixed = self.mix.value != NO_MIX
        layers = mixed_layers(self.mix.value, self.studio.generator.num_layers) if mixed else ()
        moves = tuple((one.name, slider.value) for one, slider in zip(self.studio.directions, self.moves) if slider.value)
        fields = {"class_": self.class_.value} if self.studio.generator.config.label_size else {}
        return self.studio.choice(
            seed=self.seed.value, trunc=round(self.psi.value, 3), mix_seed=self.mix_seed.value if mixed else None,
            mix_layers=layers, moves=moves, **fields
        )  # fmt: skip

    def _connect(self):
        for widget in self.sliders + [self.mix]:
            widget.observe(lambda change: self.show(), names="value")
        for button, action in (
            (self.next, self.take_next_seed), (self.zero, self.rest), (self.keep, self.keep_it), (self.save, self.save_it),
            (self.pack, self.download_kept), (self.walk, self.make_video), (self.drop, self.drop_last),
        ):  # fmt: skip
            button.on_click(lambda _, action=action: guarded(self.status, action))

    def show(self) -> None:
        """Make the picture that is chosen and show it."""
        if not self._quiet:
            guarded(self.status, self._show)

    def _show(self):
        began, choice = time.time(), self.choice()
        image = enlarged(self.studio.image(choice), LEAST_PX)
        stream = io.BytesIO()
        shown_opaque(image).save(stream, "JPEG", quality=90)
        alt = f"the picture {self.studio.title(choice)} of {self.studio.name}"
        self.out.value = picture(stream.getvalue(), alt, self.studio.title(choice), zoom=image.width > LARGEST_PX)
        self.seconds = time.time() - began
        for slider in self.sliders:  # a machine that is too slow to follow a slider follows when it is let go
            slider.continuous_update = self.seconds < FOLLOWS_S
        self.status.value = notice("info", f"Drawn in {self.seconds:.2f} s.")

    def take_next_seed(self) -> None:
        self.seed.value = (self.seed.value + 1) % (LARGEST_SEED + 1)

    def rest(self) -> None:
        """Bring all directions back to 0, with one picture at the end."""
        self._quiet = True
        try:
            for slider in self.moves:
                slider.value = 0
        finally:
            self._quiet = False
        self._show()

    def keep_it(self) -> None:
        path = self.studio.keep(self.choice())
        self._show_kept()
        self.status.value = notice("good", f"Kept: {path}" if path else "This picture is kept already.")

    def drop_last(self) -> None:
        """Take the newest favourite out, file and all; raise UserError where there is none."""
        if not self.studio.favourites:
            raise UserError("No pictures are kept.", "at least one", "press Keep below a picture that you like")
        self.studio.drop(-1)
        self._show_kept()
        self.status.value = notice("info", self.studio.kept_words() + ".")

    def save_it(self) -> None:
        self.status.value = notice("good", f"Saved: {self.studio.save(self.choice())}")

    def download_kept(self) -> None:
        count = counted(len(self.studio.favourites), "picture", "pictures")
        self.status.value = notice("good", f"{count}: {self.studio.download()}")

    def make_video(self) -> None:
        self.status.value = notice("work", "Making a video …")
        path = self.studio.video()
        self.video.value = animation(path, f"a video through {len(self.studio.favourites)} kept pictures, in a loop")
        self.status.value = notice("good", f"Saved: {path}")

    def _show_kept(self):
        import numpy as np
        from PIL import Image

        thumbs = []
        for choice, path in self.studio.favourites:
            with Image.open(path) as image:
                small, stream = tile(np.asarray(image if image.mode == "RGBA" else image.convert("RGB")), THUMB_PX), io.BytesIO()
            small.save(stream, "PNG")
            thumbs.append(
                f'<div style="display:inline-block;margin:4px">{_thumb(stream.getvalue(), self.studio.title(choice))}</div>'
            )
        self.kept.value = "".join(thumbs)


def _thumb(data, title):
    return picture(data, f"kept: {title}", title.partition("-")[0], kind="png", zoom=False)
