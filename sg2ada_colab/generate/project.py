"""Project photographs into a network: the files of NVIDIA's projectors, a video of the way, and a tuned network."""

import os
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional

import numpy as np

from ..errors import UserError
from ..files import FilePath
from ..formats.convert import write_snapshot
from ..formats.network_data import NetworkData, NetworkSnapshot
from ..images.progress import Progress
from ..previews.video_file import check_video_path, write_video
from .latent_file import write_latents
from .picture_files import is_complete, read_recipe, write_picture
from .pictures import make_folder
from .settings import PictureSettings
from .target import Target

if TYPE_CHECKING:
    from .projector import Projector

TARGET, FOUND, TUNED = "target.png", "proj.png", "proj-tuned.png"
W_FILES = ("projected_w.npz", "dlatents.npz")  # of NVIDIA's PyTorch and TensorFlow program; each holds both keys
NETWORK = "tuned.pkl"
VIDEO_SECONDS, FPS, SLOW_FPS = 10.0, 60.0, 10.0


class Done(NamedTuple):
    """What became of one photograph."""

    folder: str
    distance_of_mean: Optional[float] = None  # None: it was there already, and its file does not say
    distance: Optional[float] = None
    tuned_distance: Optional[float] = None
    w_error: Optional[float] = None  # of a picture that the network made itself, see `error_of_w`
    was_there: bool = False


def project_target(
    projector: "Projector",
    target: Target,
    outdir: FilePath,
    pti_steps: Optional[int] = None,
    video: Optional[str] = None,
    discriminator: Optional[NetworkData] = None,
    show: bool = False,
) -> Done:
    """Project one photograph and write its files; returns Done.

    Writes target.png, proj.png (which `sg2ada generate --projected-w` makes again), projected_w.npz and dlatents.npz; on request
    proj.mp4 (or .webp, .gif), and tuned.pkl with proj-tuned.png. A second call with the same target and options does nothing.

    Args:
        projector: Projector.
        target: Target.
        outdir: Folder.
        pti_steps: Steps of pivotal tuning; None: none.
        video: Ending of a video of the way, such as ".mp4"; None: none.
        discriminator: D for the tuned network's file.
        show: Show a progress bar.

    Raises:
        UserError: The folder holds another projection, or cannot be written to.
    """
    generator, options, outdir = projector.generator, projector.options, make_folder(outdir)
    recipe = PictureSettings().recipe(
        generator, "project", target=target.digest, steps=options.steps, project_seed=options.seed, space=options.space,
        distance=projector.distance.name, noise=options.optimise_noise, tuning=pti_steps,
        w_noise=None if options.w_noise == type(options).w_noise else options.w_noise,  # as files of before have none
    )  # fmt: skip
    last = os.path.join(outdir, TUNED if pti_steps else FOUND)
    video = video and os.path.join(outdir, "proj" + video)
    if video:
        check_video_path(video)
    if _is_there(outdir, recipe, last) and not (video and not os.path.exists(video)):
        return Done(outdir, *_numbers(last), was_there=True)  # type: ignore[misc]
    with Progress(show, options.steps, f"Projecting {target.name}", "step") as bar:
        found = projector.project(target.pixels, on_step=bar.update)
    picture = generator.pictures(found.w)[0]
    write_picture(os.path.join(outdir, TARGET), target.pixels, recipe)
    for name in W_FILES:
        write_latents(os.path.join(outdir, name), found.w)
    if video:
        _write_way(generator, target, found, video)
    numbers: List[Any] = [found.distance_of_mean, found.distance]
    write_picture(os.path.join(outdir, FOUND), picture, dict(recipe, distances=numbers))
    if pti_steps:
        numbers += [_tuned(projector, target, found, pti_steps, outdir, recipe, discriminator, show)]
    return Done(outdir, *numbers, w_error=error_of_w(projector, target, found.w))  # type: ignore[misc]


def error_of_w(projector: "Projector", target: Target, w: np.ndarray) -> Optional[float]:
    """Return how far w is from that of a picture that the network made itself; None for other pictures.

    It is the root mean square distance over the layers, divided by the spread of w.

    Args:
        w: float32 [1, num_layers, D] that was found.
    """
    generator, recipe = projector.generator, read_recipe(target.path) or {}
    if recipe.get("network") != generator.digest or recipe.get("seed") is None:
        return None
    try:
        true = PictureSettings.from_recipe(recipe).w(generator, [recipe["seed"]])
    except (ValueError, TypeError, UserError):  # metadata from outside
        return None
    return float(np.sqrt(np.mean(np.square(np.float64(w) - true)) * w.shape[2]) / projector.w_std)


def _numbers(path):
    """Return the distances in the metadata of a projection's last file."""
    found = (read_recipe(path) or {}).get("distances")
    return found if isinstance(found, list) and len(found) <= 3 and all(type(one) is float for one in found) else []


def _is_there(outdir, recipe, last):
    """Return whether a folder holds this very projection; raise a UserError where it holds another one."""
    path = os.path.join(outdir, TARGET)
    if not os.path.exists(path) or not is_complete(path):
        return False
    there = read_recipe(path) or {}
    wanted = ("network", "target", "steps", "project_seed", "space", "distance", "noise", "tuning", "w_noise")
    names = [name for name in wanted if there.get(name) != recipe[name]]
    if names:
        differs = " and ".join(names[:3]).replace("project_", "").replace("_", " ")
        raise UserError(f"{outdir} holds another projection, with another {differs}.",
                        "a new folder, or one that the same command has filled", "name another folder with --outdir")  # fmt: skip
    return os.path.exists(last) and is_complete(last)


def _write_way(generator, target, found, path):
    """Write the target beside the picture of w, from the mean to what was found."""
    fps = FPS if path.endswith(".mp4") else SLOW_FPS
    count = min(len(found.path), int(VIDEO_SECONDS * fps))
    steps = np.linspace(0, len(found.path) - 1, count).astype(int)

    def frames():
        for start in range(0, count, generator.batch_size):
            w = found.path[steps[start : start + generator.batch_size]]
            w = np.repeat(w, generator.num_layers // w.shape[1], axis=1)
            for picture in generator.pictures(w):
                yield np.concatenate([target.pixels, picture], axis=1)

    write_video(path, frames(), count, fps)


def _tuned(projector, target, found, steps, outdir, recipe, discriminator, show):
    """Tune the network, write it and its picture; return the distance."""
    from .tune import tune  # imports TensorFlow: only now

    generator = projector.generator
    with Progress(show, steps, f"Tuning to {target.name}", "step") as bar:
        tuned, _, after = tune(generator, target.pixels, found.w, projector.distance, steps, bar.update)
    G = NetworkData("G", tuned.network.kwargs, tuned.network.variables)
    write_snapshot(os.path.join(outdir, NETWORK), NetworkSnapshot(G, discriminator, tuned.network))
    numbers = [found.distance_of_mean, found.distance, after]
    write_picture(os.path.join(outdir, TUNED), tuned.pictures(found.w)[0], dict(recipe, distances=numbers))
    return after
