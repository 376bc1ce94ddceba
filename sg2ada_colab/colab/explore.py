"""Explore what a run's generators make: choose snapshot, seeds and truncation, compare two, play the history, save pictures."""

import os
import re

import numpy as np
from PIL import Image

from ..errors import UserError
from ..previews.animate import save_animation, video_suffix
from ..previews.compare import side_by_side
from ..previews.grid import make_grid
from ..snapshots.atomic import atomic_file
from ..snapshots.choose import RunFolder
from ..snapshots.manifest import order_of
from .evaluate import find_run
from .grid_view import LEAST_PX, enlarged
from .html import animation, can_show_widgets, notice, show
from .run_view import grids_in
from .seed_text import parse_seeds
from .session import plainly, tell, workspace

SAMPLERS_KEPT = 2
PICTURES = "pictures"  # folder in the run's folder
FRAMES_OF_A_WALK = 90


class Explorer:
    """The generators of one run, without any user interface.

    Args:
        name: Of the run.
        folders: Its folders, the nearest first; pictures are saved in the last one, which stays.
        xla: Compile with XLA where TensorFlow can.
    """

    def __init__(self, name, folders, xla=True):
        self.name, self.folders, self.xla = name, [str(folder) for folder in folders], xla
        self._samplers = {}

    def snapshots(self):
        """Return {title such as "120 kimg": path of the pickle}, new to old."""
        found = {}
        for folder in self.folders:
            for name, kinds in RunFolder(folder).files.items():
                if kinds.get("network-snapshot"):
                    found.setdefault(name, os.path.join(folder, kinds["network-snapshot"][0]))
        names = sorted(found, key=order_of, reverse=True)
        return {_title(name): found[name] for name in names}

    def images(self, snapshot=None, seeds="0-15", psi=0.7):
        """Return uint8 [n,R,R,C] images of a snapshot, one a seed.

        Args:
            snapshot: Title, path, or None for the newest.
            seeds: Text such as "0-15" or "1,5,9", or a list of integers.
            psi: Truncation: 0 is the average image, 1 is no truncation.
        """
        sampler = self._sampler(self._path(snapshot))
        z = sampler.latents(parse_seeds(seeds))
        return sampler.uint8(z, self._labels(sampler, len(z)), float(psi))

    def grid(self, snapshot=None, seeds="0-15", psi=0.7, columns=4):
        """Return the images of `images` as one Pillow image."""
        return tile(self.images(snapshot, seeds, psi), columns)

    def compare(self, snapshot, other, seeds="0-15", psi=0.7, columns=4):
        """Return the same seeds from two snapshots side by side; small images are enlarged, titles are not."""
        grids = [enlarged(self.grid(one, seeds, psi, columns), LEAST_PX // 2) for one in (snapshot, other)]
        return side_by_side([(self._name(one), grid) for one, grid in zip((snapshot, other), grids)])

    def history(self):
        """Return [(title, path)] of the grids that training wrote, old to new; all show the same latent vectors."""
        found = {}
        for folder in reversed(self.folders):
            found.update(grids_in(folder))
        return [("{} kimg".format(kimg), found[kimg]) for kimg in sorted(found)]

    def walk(self, snapshot=None, seeds="0-5", psi=0.7, frames=FRAMES_OF_A_WALK, columns=1):
        """Yield (None, image) along a closed path through the latent vectors of the seeds, by spherical interpolation."""
        sampler = self._sampler(self._path(snapshot))
        keys = sampler.latents(parse_seeds(seeds))
        for step in range(frames):
            at = step / frames * len(keys)
            z = slerp(keys[int(at)], keys[(int(at) + 1) % len(keys)], at - int(at))
            yield None, tile(sampler.uint8(z[None], self._labels(sampler, 1), float(psi)), columns)

    def save(self, image, name):
        """Write a Pillow image as PNG to the run's pictures; returns the path."""
        path = self._new_path(name, ".png")
        with atomic_file(path) as file:
            image.save(file, "PNG")
        return path

    def save_video(self, frames, name, frames_per_second=8.0):
        """Write an animation to the run's pictures: MP4, or WebP or GIF where no encoder is installed; returns the path."""
        path = self._new_path(name, video_suffix())
        save_animation(path, frames, frames_per_second)
        return path

    def show_video(self, path):
        """Show an animation that was saved, and say where it is."""
        saved, alt = "Saved: {}".format(path), "the animation {}, in a loop".format(os.path.basename(path))
        show(animation(path, alt) + notice("good", saved), saved)

    def _new_path(self, name, suffix):
        folder = os.path.join(self.folders[-1], PICTURES)
        os.makedirs(folder, exist_ok=True)
        name, number = re.sub(r"[^\w.-]+", "-", name), 0
        path = os.path.join(folder, name + suffix)
        while os.path.exists(path):
            number += 1
            path = os.path.join(folder, "{}-{}{}".format(name, number, suffix))
        return path

    def _path(self, snapshot):
        found = self.snapshots()
        if not found and not snapshot:
            raise UserError("The run {} has no snapshot.".format(self.name), "at least one", "train for a while first")
        path = next(iter(found.values())) if not snapshot else found.get(snapshot, str(snapshot))
        if not os.path.isfile(path):
            known = ", ".join(list(found)[:8])
            raise UserError("There is no snapshot {!r}.".format(snapshot), "one of: {}".format(known), "choose one of these")
        return path

    def _name(self, snapshot):
        path = self._path(snapshot)
        return next((title for title, one in self.snapshots().items() if one == path), os.path.basename(path))

    def _sampler(self, path):
        if path not in self._samplers:
            from ..previews.sample import Sampler
            from ..runs.device import prepare_device
            from ..snapshots.read import read_snapshot

            prepare_device()  # take only as much GPU memory as is needed: training may share the GPU
            while len(self._samplers) >= SAMPLERS_KEPT:
                del self._samplers[next(iter(self._samplers))]
            snapshot = read_snapshot(path)
            self._samplers[path] = Sampler.of_snapshot(snapshot, batch_size=batch_for(snapshot.Gs.resolution), xla=self.xla)
        return self._samplers[path]

    @staticmethod
    def _labels(sampler, count):
        size = sampler.generator.config.label_size
        return np.eye(size, dtype=np.float32)[np.arange(count) % size] if size else None


def _title(name):
    kimg, part = order_of(name)
    return "{} kimg".format(kimg) + (" ({})".format(part) if part else "")


def batch_for(resolution):
    """Return how many images to make at once: fewer of the large ones."""
    return max(1, min(16, 4096 // resolution))


def tile(images, columns):
    """Return uint8 [n,R,R,C] images as one Pillow image, the last row filled up with white."""
    columns = max(1, min(int(columns), len(images)))
    missing = -len(images) % columns
    if missing:
        images = np.concatenate([images, np.full((missing,) + images.shape[1:], 255, np.uint8)])
    return Image.fromarray(make_grid(images, 0, 255, columns)).convert("RGB")


def slerp(a, b, share):
    """Return the point between two latent vectors on the arc over the origin, `share` of the way from a to b."""
    ua, ub = a / np.linalg.norm(a), b / np.linalg.norm(b)
    angle = np.arccos(np.clip(np.dot(ua, ub), -1, 1))
    if angle < 1e-4:
        return a + share * (b - a)
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)


@plainly
def explore(run=None, xla=True):
    """Explore the fakes of a run: with widgets in a notebook; elsewhere by the methods of what is returned.

    Args:
        run: Name or number of the run; None is the newest.
        xla: Compile with XLA where TensorFlow can.

    Returns:
        Explorer.
    """
    explorer = Explorer(*find_run(workspace(), run), xla=xla)
    if not explorer.snapshots():
        raise UserError("The run {} has no snapshot.".format(explorer.name), "at least one", "train for a while first")
    if can_show_widgets():
        from .viewer import Viewer

        explorer.viewer = Viewer(explorer)
    else:
        tell("info", "{}: {} snapshots. Use .grid(), .compare(), .save_video().".format(explorer.name, len(explorer.snapshots())))
    return explorer
