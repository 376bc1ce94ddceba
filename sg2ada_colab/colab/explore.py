"""Look at what networks make: choose snapshot, seeds and truncation, compare two, play the history, save pictures."""

import os
import re
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Optional, Tuple, Union

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import FilePath, atomic_file
from ..generate.find_network import snapshot_titles
from ..generate.pictures import make_pictures, seed_jobs, zip_pictures
from ..generate.seed_list import parse_seeds
from ..generate.settings import PictureSettings
from ..images.sheet import WHITE, Sheet, SheetStyle
from ..images.sheet import tile as square
from ..networks.latents import slerp
from ..previews.animate import save_animation
from ..previews.compare import side_by_side
from ..previews.grid import make_grid
from ..previews.video_file import video_suffix
from ..storage import run_folder
from ..storage.choose import RunFolder
from .grid_view import LEAST_PX, enlarged
from .html import animation, can_show_widgets, notice, show
from .opened_network import PICTURES, OpenedNetwork, opened_network
from .session import plainly, tell

if TYPE_CHECKING:
    from ..generate.generator import TrainedGenerator

GENERATORS_KEPT = 2
MOST_IMAGES, MOST_FILES = 256, 10000  # on one sheet; in files of their own
FRAMES_OF_A_WALK = 90
LEAST_CELL_PX, CAPTION_PX = 64, 18  # smaller pictures are enlarged, so that the number of a seed fits below
PLAIN_SHEET = SheetStyle(caption_px=CAPTION_PX, paper=WHITE, ink=(60, 60, 60))


class Explorer:
    """The generators of one run, or one network, without any user interface.

    Args:
        name: Of the run or network.
        folders: Of the run, the nearest first; pictures are saved in the last one, which stays.
        xla: Compile with XLA where TensorFlow can.
        path: Of a network that is no run's; it takes the place of the folders.
        pictures: Folder for pictures; None is that of the run.
    """

    def __init__(
        self,
        name: str,
        folders: Iterable[FilePath] = (),
        xla: Optional[bool] = True,
        path: Optional[str] = None,
        pictures: Optional[FilePath] = None,
    ) -> None:
        self.name, self.folders, self.xla, self.path = name, [str(folder) for folder in folders], xla, path
        self.pictures = str(pictures) if pictures else os.path.join(self.folders[-1], PICTURES)
        self._generators: Dict[str, TrainedGenerator] = {}
        self.viewer: Any = None  # `Viewer`, where there are widgets

    @classmethod
    def of_opened(cls, opened: OpenedNetwork, xla: Optional[bool] = True) -> "Explorer":
        """Return the Explorer of an OpenedNetwork."""
        return cls(opened.name, opened.folders, xla, opened.path, opened.pictures)

    def snapshots(self) -> Dict[str, str]:
        """Return {title such as "120 kimg": path of the pickle}, new to old; of a network that is no run's, its name alone."""
        if self.path:
            return {self.name: self.path}
        found: Dict[str, str] = {}
        for folder in self.folders:
            for name, kinds in RunFolder(folder).files.items():
                if kinds.get("network-snapshot"):
                    found.setdefault(name, os.path.join(folder, kinds["network-snapshot"][0]))
        return {title: found[name] for name, title in snapshot_titles(self.folders).items() if name in found}

    def images(self, snapshot: Optional[str] = None, seeds: Union[str, Iterable[int]] = "0-15", psi: float = 0.7) -> np.ndarray:
        """Return uint8 [n,H,W,C] images of a snapshot, one a seed.

        Args:
            snapshot: Title, path, or None for the newest.
            seeds: Text such as "0-15" or "1,5,9", or a list of integers.
            psi: Truncation: 0 is the average image, 1 is no truncation.
        """
        generator, numbers = self.generator(snapshot), parse_seeds(seeds, MOST_IMAGES)
        return generator.images(numbers, _classes(generator, len(numbers)), float(psi))

    def grid(
        self, snapshot: Optional[str] = None, seeds: Union[str, Iterable[int]] = "0-15", psi: float = 0.7, columns: int = 4
    ) -> Image.Image:
        """Return the images of `images` as one Pillow image, with its seed below each."""
        return captioned(self.images(snapshot, seeds, psi), parse_seeds(seeds, MOST_IMAGES), columns)

    def compare(
        self,
        snapshot: Optional[str],
        other: Optional[str],
        seeds: Union[str, Iterable[int]] = "0-15",
        psi: float = 0.7,
        columns: int = 4,
    ) -> Image.Image:
        """Return the same seeds from two snapshots side by side; small images are enlarged, titles are not."""
        grids = [enlarged(self.grid(one, seeds, psi, columns), LEAST_PX // 2) for one in (snapshot, other)]
        return side_by_side([(self._name(one), grid) for one, grid in zip((snapshot, other), grids)])

    def history(self) -> List[Tuple[str, str]]:
        """Return [(title, path)] of the grids that training wrote, old to new; all show the same latent vectors."""
        found = {}
        for folder in reversed(self.folders):
            found.update(run_folder.grids(folder))
        return [(f"{kimg} kimg", found[kimg]) for kimg in sorted(found)]

    def save_each(
        self,
        snapshot: Optional[str] = None,
        seeds: Union[str, Iterable[int]] = "0-99",
        psi: float = 0.7,
        form: str = "png",
        pack: bool = False,
    ) -> str:
        """Write the picture of each seed as a file of its own, at the network's size; a second call makes only what is missing.

        Each file's metadata says what made it, see `sg2ada generate --like`. Of a network with classes the seeds take them in
        turn, and each class has a folder.

        Args:
            seeds: Up to 10,000.
            form: "png", "jpg" or "webp".
            pack: Also pack them into a zip archive beside the folder.

        Returns:
            The path of the folder, or of the archive.
        """
        generator, numbers = self.generator(snapshot), parse_seeds(seeds, MOST_FILES)
        folder = os.path.join(self.pictures, _plain(f"{self._name(snapshot)}-psi{psi:g}"))
        classes, paths = generator.config.label_size, []
        for class_ in range(classes) if classes else [None]:
            mine = numbers if class_ is None else numbers[class_::classes]
            settings, place = PictureSettings(class_=class_, trunc=float(psi)), folder
            if class_ is not None:
                place = os.path.join(folder, f"class{class_}")
            if mine:
                paths += make_pictures(generator, settings, seed_jobs(generator, settings, mine), place, form, True).paths
        return zip_pictures(paths, folder + ".zip") if pack else folder

    def walk(
        self,
        snapshot: Optional[str] = None,
        seeds: Union[str, Iterable[int]] = "0-5",
        psi: float = 0.7,
        frames: int = FRAMES_OF_A_WALK,
        columns: int = 1,
    ) -> Iterator[Tuple[None, Image.Image]]:
        """Yield (None, image) along a closed path through the latent vectors of the seeds, by spherical interpolation."""
        generator = self.generator(snapshot).expect(frames)
        keys, labels = generator.latents(parse_seeds(seeds, MOST_IMAGES)), generator.labels(_classes(generator, 1))
        for step in range(frames):
            at = step / frames * len(keys)
            z = slerp(keys[int(at)], keys[(int(at) + 1) % len(keys)], at - int(at))
            yield None, tile(generator.pictures(generator.map(z[None], labels, float(psi))), columns)

    def save(self, image: Image.Image, name: str) -> str:
        """Write a Pillow image as PNG to the folder of pictures; returns the path."""
        path = self._new_path(name, ".png")
        with atomic_file(path) as file:
            image.save(file, "PNG")
        return path

    def save_video(self, frames: Iterable[Tuple[Optional[str], Any]], name: str, frames_per_second: float = 8.0) -> str:
        """Write an animation to the folder of pictures: MP4, or WebP or GIF where no encoder is installed; returns the path."""
        path = self._new_path(name, video_suffix())
        save_animation(path, frames, frames_per_second)
        return path

    def show_video(self, path: str) -> None:
        """Show an animation that was saved, and say where it is."""
        saved, alt = f"Saved: {path}", f"the animation {os.path.basename(path)}, in a loop"
        show(animation(path, alt) + notice("good", saved), saved)

    def _new_path(self, name, suffix):
        return new_path(self.pictures, name, suffix)

    def _path(self, snapshot):
        found = self.snapshots()
        if not found and not snapshot:
            raise UserError(f"The run {self.name} has no snapshot.", "at least one", "train for a while first")
        path = next(iter(found.values())) if not snapshot else found.get(snapshot, str(snapshot))
        if not os.path.isfile(path):
            known = ", ".join(list(found)[:8])
            raise UserError(f"There is no snapshot {snapshot!r}.", f"one of: {known}", "choose one of these")
        return path

    def _name(self, snapshot):
        path = self._path(snapshot)
        return next((title for title, one in self.snapshots().items() if one == path), os.path.basename(path))

    def generator(self, snapshot: Optional[str] = None) -> "TrainedGenerator":
        """Return the TrainedGenerator of a snapshot: a title, a path, or None for the newest.

        Raises UserError where there is none.
        """
        path = self._path(snapshot)
        if path not in self._generators:
            from .load import load

            while len(self._generators) >= GENERATORS_KEPT:
                del self._generators[next(iter(self._generators))]
            self._generators[path] = load(path, None if self.xla else False)
        return self._generators[path]


def _classes(generator, count):
    """Return which class each of `count` images shows: one after the other; None for a network without classes."""
    size = generator.config.label_size
    return [number % size for number in range(count)] if size else None


def new_path(folder: FilePath, name: str, suffix: str) -> str:
    """Return a path in a folder, which is made, that no file has yet."""
    os.makedirs(folder, exist_ok=True)
    name, number = _plain(name), 0
    path = os.path.join(folder, name + suffix)
    while os.path.exists(path):
        number += 1
        path = os.path.join(folder, f"{name}-{number}{suffix}")
    return path


def _plain(name):
    return re.sub(r"[^\w.-]+", "-", name)


def captioned(images: np.ndarray, captions: Iterable[Any], columns: int) -> Image.Image:
    """Return uint8 [n,H,W,C] images as one Pillow image with a caption below each; small ones are enlarged by a whole factor."""
    columns, side = max(1, min(int(columns), len(images))), max(images.shape[1:3])
    side *= max(1, -(-max(LEAST_CELL_PX, LEAST_PX // columns) // side))
    sheet = Sheet(columns, -(-len(images) // columns), (side, side), PLAIN_SHEET)
    for place, (image, caption) in enumerate(zip(images, captions)):
        sheet.put(place, square(image, side), str(caption))
    return sheet.image


def tile(images: np.ndarray, columns: int) -> Image.Image:
    """Return uint8 [n,H,W,C] images as one Pillow image, the last row filled up with white."""
    columns = max(1, min(int(columns), len(images)))
    missing = -len(images) % columns
    if missing:
        images = np.concatenate([images, np.full((missing,) + images.shape[1:], 255, np.uint8)])
    return Image.fromarray(make_grid(images, 0, 255, columns)).convert("RGB")


@plainly
def explore(network: Union[str, int, None] = None, xla: Optional[bool] = True) -> Explorer:
    """Explore what a network makes: with widgets in a notebook; elsewhere by the methods of what is returned.

    Args:
        network: Name or number of a run, whose snapshots can then be compared, or any other name that `load` takes; None or "" is
            the newest run, or the network that ships where there is none.
        xla: Compile with XLA where TensorFlow can.

    Returns:
        Explorer.
    """
    explorer = Explorer.of_opened(opened_network(network), xla)
    if can_show_widgets():
        from .viewer import Viewer

        explorer.viewer = Viewer(explorer)
    else:
        tell("info", f"{explorer.name}: {len(explorer.snapshots())} snapshots. Use .grid(), .compare(), .save_video().")
    return explorer
