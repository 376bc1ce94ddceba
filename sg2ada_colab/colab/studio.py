"""Shape single pictures of a network by seed, truncation, mixing and directions; favourites, as files and as a video."""

import os
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import FilePath
from ..generate.choice import Choice, choice_recipe, choice_w
from ..generate.directions import Direction
from ..generate.picture_files import as_image, check_format, write_picture
from ..generate.pictures import zip_pictures
from ..generate.settings import PictureSettings
from ..generate.video import VideoSettings, make_video
from ..previews.video_file import video_suffix
from ..words import counted
from .download import download
from .explore import new_path
from .html import animation, can_show_widgets, notice, show
from .load import load
from .opened_network import opened_network
from .session import plainly, tell

if TYPE_CHECKING:
    from ..generate.generator import TrainedGenerator

FAVOURITES, SHAPED = "favourites", "shaped"
DIRECTIONS = 6
LEAST_VIDEO_PX = 256  # smaller pictures are enlarged in videos
FPS = 30.0


class Studio:
    """One network, the directions that its sliders move along, and the pictures that are kept; without any user interface.

    Args:
        generator: TrainedGenerator.
        pictures: Folder for pictures.
        directions: List of Direction; None finds the strongest ones in the weights.
        start: w [1, num_layers, dlatent_size] that every picture begins with instead of a seed, such as a projection's.
        name: Of the network, for people.
    """

    def __init__(
        self,
        generator: "TrainedGenerator",
        pictures: FilePath,
        directions: Optional[Sequence[Direction]] = None,
        start: Optional[np.ndarray] = None,
        name: Optional[str] = None,
    ) -> None:
        self.generator, self.pictures, self.start = generator, str(pictures), start
        self.name = name or generator.title
        self.favourites: List[Tuple[Choice, str]] = []
        classes = generator.config.label_size
        self.view: Any = None  # `StudioView`, where there are widgets
        self.directions: Sequence[Direction] = () if directions is None else directions
        if directions is None:
            found = generator.directions(DIRECTIONS, class_=0 if classes else None)
            self.directions = [one._replace(name=f"direction {number}") for number, one in enumerate(found, 1)]

    def choice(self, **fields: Any) -> Choice:
        """Return a Choice; of a network with classes it is class 0 where none is named."""
        classes = self.generator.config.label_size
        return Choice(**dict({"class_": 0 if classes else None}, **fields))

    def title(self, choice: Choice) -> str:
        """Return a Choice in a few words; where the pictures begin with a projected w, no seed is named."""
        return choice.title() if self.start is None else "w-" + choice.title().partition("-")[2]

    def w(self, choice: Choice) -> np.ndarray:
        """Return w [1, num_layers, dlatent_size] of a Choice."""
        return choice_w(self.generator, choice, self.directions, self.start)

    def image(self, choice: Choice) -> Image.Image:
        """Return the picture of a Choice as a Pillow image, at the network's size."""
        return as_image(self.generator.pictures(self.w(choice), seeds=[choice.seed])[0])

    def save(self, choice: Choice, folder: str = SHAPED, form: str = "png") -> str:
        """Write the picture of a Choice; returns its path. Its metadata says what made it."""
        check_format(form, self.generator.config.num_channels)
        path = new_path(os.path.join(self.pictures, folder), self.title(choice), "." + form)
        write_picture(path, self.image(choice), choice_recipe(self.generator, choice, self.directions, self.start))
        return path

    def keep(self, choice: Choice) -> Optional[str]:
        """Add a Choice to the favourites, and write its picture; returns the path, or None where it is kept already."""
        if choice in [one for one, _ in self.favourites]:
            return None
        path = self.save(choice, FAVOURITES)
        self.favourites.append((choice, path))
        return path

    def drop(self, number: int) -> None:
        """Take a favourite out of the list, and remove its file."""
        _, path = self.favourites.pop(number)
        if os.path.isfile(path):
            os.remove(path)

    def pack(self) -> str:
        """Pack the favourites into one zip archive; returns its path. Raises UserError where there are none."""
        self._check(1)
        return zip_pictures([path for _, path in self.favourites], new_path(self.pictures, FAVOURITES, ".zip"))

    def download(self) -> str:
        """Download the favourites as one zip archive."""
        return download(self.pack())

    def video(self, choices: Optional[Sequence[Choice]] = None, seconds_each: float = 1.5, fps: float = FPS) -> str:
        """Write a video that walks through the favourites, or other Choices, in a closed loop; returns its path.

        Pictures with transparency lie on white.

        Raises UserError where there are fewer than two, or as `generate.video.make_video`.
        """
        if choices is None:
            self._check(2)
        import numpy as np

        choices = [choice for choice, _ in self.favourites] if choices is None else list(choices)
        path = new_path(self.pictures, "walk", video_suffix())
        scale = max(1, LEAST_VIDEO_PX // self.generator.config.width)
        video = VideoSettings(w_frames=max(1, round(seconds_each * fps)), fps=fps, scale=scale)
        make_video(self.generator, PictureSettings(), video, path, w=np.concatenate([self.w(one) for one in choices]))
        return path

    def show_video(self, path: Optional[str] = None) -> None:
        """Show a video, by default a new one through the favourites, and say where it is."""
        path = path or self.video()
        saved = f"Saved: {path}"
        show(animation(path, f"the video {os.path.basename(path)}, in a loop") + notice("good", saved), saved)

    def kept_words(self) -> str:
        """Return how many pictures are kept, in words."""
        count = len(self.favourites)
        return f"{counted(count, 'picture is', 'pictures are')} kept" if count else "No pictures are kept"

    def _check(self, least):
        if len(self.favourites) < least:
            raise UserError(f"{self.kept_words()}.", f"{least} or more",
                            "press Keep below a picture that you like")  # fmt: skip


@plainly
def studio(
    network: Union[FilePath, int, None] = None, directions: Optional[FilePath] = None, xla: Optional[bool] = None
) -> Studio:
    """Shape pictures of a network, one at a time: with sliders in a notebook; elsewhere by the methods of what is returned.

    Args:
        network: As `explore` takes it; of a run its newest snapshot.
        directions: A file of named directions, as `sg2ada directions` writes it; None finds the strongest ones in the weights.
        xla: See `load`.

    Returns:
        Studio.
    """
    opened = opened_network(network)
    generator = load(opened.path or opened.folders[0], xla)
    known = None
    if directions:
        from ..generate.direction_file import read_directions

        known = read_directions(directions, generator)[0]
    return shown_studio(Studio(generator, opened.pictures, known, name=opened.name if opened.path else generator.title))


def shown_studio(made: Studio) -> Studio:
    """Show a Studio where there are widgets; returns it."""
    if can_show_widgets():
        from .studio_view import StudioView

        made.view = StudioView(made)
    else:
        tell("info", f"{made.name}: .image(), .save(), .keep() take a .choice(seed=1, trunc=0.7).")
    return made
