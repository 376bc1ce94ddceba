"""Put a photograph into a network: its w, a network that is tuned to it, edits, and a video from one photograph to another."""

import io
import os
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple, Optional, Sequence, Union

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import FilePath, atomic_file
from ..generate.directions import Direction
from ..generate.latent_file import read_latents
from ..generate.morph import make_morph
from ..generate.project import FOUND, NETWORK, TARGET, TUNED, W_FILES, project_target
from ..generate.target import read_target
from ..images.sheet import Sheet, tile
from ..machine import in_colab
from ..previews.video_file import video_suffix
from .explore import PLAIN_SHEET, new_path
from .html import animation, notice, picture, show
from .load import load
from .opened_network import opened_network
from .session import plainly, tell
from .studio import LEAST_VIDEO_PX, Studio, shown_studio

PROJECTED, PHOTOGRAPHS = "projected", "photographs"
SHOWN_PX = 256
FLAGS = Path(__file__).parent.parent / "demo_images" / "flags.zip"
EXAMPLES = ("flags/asia/japan.png", "flags/europe/france/france.png")  # for those without a photograph


class PutIn(NamedTuple):
    """A photograph in a network."""

    name: str  # of the photograph
    folder: str  # that holds its files
    pictures: str  # folder for further pictures
    generator: Any  # TrainedGenerator: the network, or the one that is tuned to the photograph
    w: np.ndarray  # [1, num_layers, dlatent_size]
    distance_of_mean: Optional[float] = None
    distance: Optional[float] = None
    tuned_distance: Optional[float] = None

    def sheet(self) -> Image.Image:
        """Return the photograph, what was found, and what the tuned network makes, side by side."""
        shown = [("photograph", TARGET), (_with("found", self.distance), FOUND)]
        shown += [(_with("tuned", self.tuned_distance), TUNED)] if self.is_tuned else []
        sheet = Sheet(len(shown), 1, (SHOWN_PX, SHOWN_PX), PLAIN_SHEET)
        for place, (caption, name) in enumerate(shown):
            with Image.open(os.path.join(self.folder, name)) as image:
                sheet.put(place, tile(np.asarray(image if image.mode == "RGBA" else image.convert("RGB")), SHOWN_PX), caption)
        return sheet.image

    @property
    def is_tuned(self) -> bool:
        return os.path.isfile(os.path.join(self.folder, TUNED))

    def __repr__(self) -> str:
        return f"{self.name} in {self.generator.title}: {self.folder}"


@plainly
def put_in(
    photo: Optional[FilePath] = None,
    network: Union[FilePath, int, None] = None,
    steps: int = 300,
    tuning_steps: int = 100,
    space: str = "w+",
    upload: bool = False,
    example: int = 0,
    xla: Optional[bool] = None,
) -> PutIn:
    """Find the w with which a network makes a photograph again, tune the network to it, and show how close it came.

    What was found before with the same settings is not sought again.

    Args:
        photo: Path of a photograph; None or "": a flag of the collection that comes along.
        network: As `explore` takes it.
        steps: Of the search.
        tuning_steps: Of pivotal tuning; 0 leaves the network as it is, which keeps edits truer and the likeness less so.
        space: "w+" comes closer, "w" edits better.
        upload: Ask for the photograph by a window of the browser, in Colab.
        example: Which of the two flags.
        xla: See `load`.

    Returns:
        PutIn.
    """
    from ..generate.perceptual import open_distance  # they import TensorFlow: only now
    from ..generate.projector import ProjectOptions, Projector

    opened = opened_network(network)
    generator = load(opened.path or opened.folders[0], xla)
    target = read_target(_photograph(photo, upload, example, opened.pictures), generator, enlarge=True)
    options = ProjectOptions(steps=int(steps), space=space)
    options.check()
    words = [target.name, space, str(steps)] + ([f"tuned{tuning_steps}"] if tuning_steps else [])
    folder = os.path.join(opened.pictures, PROJECTED, re.sub(r"[^\w.+-]+", "-", "-".join(words)) + f"-{target.digest[:6]}")
    distance = open_distance(say=lambda sentence: tell("info", sentence))
    projector = Projector(generator, distance, options)
    done = project_target(projector, target, folder, int(tuning_steps) or None, None, generator.snapshot.D, True)
    shown = load(os.path.join(folder, NETWORK), xla) if tuning_steps else generator
    w = read_latents(os.path.join(folder, W_FILES[0]), shown)
    made = PutIn(target.name, folder, opened.pictures, shown, w, *done[1:4])
    _show(made)
    return made


def _photograph(photo, upload, example, pictures):
    """Return the path of the photograph that is meant."""
    if upload:
        return _uploaded(os.path.join(pictures, PHOTOGRAPHS))
    if photo and str(photo).strip():
        return os.path.expanduser(str(photo).strip())
    tell("info", "No photograph is named; this is a flag from the collection that comes along.",
         "Write a path into the field, or tick upload in Colab. A network that has never seen flags draws it badly: "
         "to try this out, write flags into the field network.")  # fmt: skip
    os.makedirs(os.path.join(pictures, PHOTOGRAPHS), exist_ok=True)
    path = os.path.join(pictures, PHOTOGRAPHS, os.path.basename(EXAMPLES[example]))
    with zipfile.ZipFile(str(FLAGS)) as archive:
        Image.open(io.BytesIO(archive.read(EXAMPLES[example]))).convert("RGB").save(path)
    return path


def _uploaded(folder):
    """Ask for a file by the browser's window; return its path in a folder, where it stays."""
    if not in_colab():
        raise UserError("A photograph is uploaded in Colab only.", "a path in the field for the photograph", "untick upload")
    from google.colab import files

    picked = files.upload()
    if not picked:
        raise UserError("No photograph was chosen.", "one photograph", "run the cell again and choose a file")
    name, data = next(iter(picked.items()))
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, os.path.basename(name))
    with atomic_file(path) as file:
        file.write(data)
    return path


def _show(made):
    stream, sheet = io.BytesIO(), made.sheet()
    sheet.save(stream, "PNG")
    words = f"Saved: {made.folder}"
    alt = f"{made.name}: the photograph, what was found{', and the tuned network' if made.is_tuned else ''}"
    text = _with(words + ". Distance of the average picture", made.distance_of_mean) + "."
    show(picture(stream.getvalue(), alt, kind="png", zoom=False) + notice("good", text), text)


def _with(words, number):
    return words if number is None else f"{words} {number:.3f}"


@plainly
def edit(made: PutIn, directions: Optional[Sequence[Direction]] = None) -> Studio:
    """Change a photograph that was put in, by directions and truncation: the studio with its w in the seed's place.

    Args:
        made: PutIn.
        directions: List of Direction; None finds the strongest ones in the weights.

    Returns:
        Studio.
    """
    folder = os.path.join(made.pictures, f"edits-{made.name}")
    return shown_studio(Studio(made.generator, folder, directions, made.w, f"{made.name} in {made.generator.title}"))


@plainly
def morph(first: PutIn, second: PutIn, seconds: float = 4.0, fps: float = 30.0) -> str:
    """Write a video from one photograph to another and back, and show it; between tuned networks their weights go along.

    Args:
        first, second: PutIn of one network, or of networks with the same layers.

    Returns:
        The path of the video.
    """
    path = new_path(first.pictures, f"from-{first.name}-to-{second.name}", video_suffix())
    scale = max(1, LEAST_VIDEO_PX // first.generator.config.width)
    make_morph((first.generator, first.w), (second.generator, second.w), path, seconds, fps, scale)
    saved = f"Saved: {path}"
    show(animation(path, f"{first.name} becomes {second.name} and back, in a loop") + notice("good", saved), saved)
    return path
