"""Pictures from seeds or from a file of w, each in its own file; a second call makes only what is missing."""

import collections
import os
import threading
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Deque, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import FilePath, atomic_file
from ..images.progress import Progress
from ..machine import usable_processors
from ..previews.sheet import check_side, class_sheet, grid_of, parse_grid
from .picture_files import SUFFIXES, cannot_write, check_format, has_note, is_complete, note_of, read_recipe, write_picture
from .settings import PictureSettings, same_call, same_picture

if TYPE_CHECKING:
    from .named_network import NamedNetwork


CHUNK = 1000  # pictures, about, whose w are made and brought to a GPU at once, while those before are computed
SHEET_CLASSES = "classes.png"


class Job(NamedTuple):
    """One picture to be made."""

    name: str  # of its file, without ending
    recipe: dict  # what its metadata will say
    seed: int
    w: Optional[np.ndarray] = None  # [num_layers, dlatent_size]; None: from the seed


class Made(NamedTuple):
    """What a call did."""

    paths: list  # of all its pictures, in order
    written: int
    skipped: int  # were there already


def seed_jobs(generator: "NamedNetwork", settings: PictureSettings, seeds: Iterable[int]) -> List[Job]:
    """Return the Jobs of seeds, each once, named as NVIDIA's programs do: seed0012."""
    generator.labels(settings.class_)
    recipe = settings.recipe(generator, "generate")
    return [Job(f"seed{seed:04d}", dict(recipe, seed=seed), seed) for seed in dict.fromkeys(seeds)]


def latent_jobs(
    generator: "NamedNetwork", settings: PictureSettings, w: np.ndarray, digest: str, prefix: str = "dlatent"
) -> List[Job]:
    """Return the Jobs of w [N, num_layers, dlatent_size] from a file with this SHA-256, named dlatent00 or proj00, …

    Truncation applies where it is asked for; the class is that of w, and noise from a seed takes the row's number.

    Raises UserError for settings that belong to seeds.
    """
    if settings.noise_mode == "tf" or settings.class_ is not None:
        what = "The noise mode tf" if settings.noise_mode == "tf" else "A class"
        raise UserError(f"{what} belongs to a seed, and w comes from a file.", "noise const, random or none, and no class",
                        "leave it out")  # fmt: skip
    rows = settings.truncate(generator, w)
    return [Job(f"{prefix}{row:02d}", settings.recipe(generator, "generate", latents=digest, row=row), row, rows[row])
            for row in range(len(w))]  # fmt: skip


def make_pictures(
    generator: "NamedNetwork",
    settings: PictureSettings,
    jobs: Sequence[Job],
    outdir: FilePath,
    form: str = "png",
    show: bool = False,
) -> Made:
    """Make the pictures of `jobs` that are not in `outdir` yet.

    Args:
        generator: TrainedGenerator, or a NamedNetwork, which is made ready where a picture is missing.
        settings: PictureSettings.
        jobs: List of Job.
        outdir: Folder; made where there is none.
        form: "png", "jpg" or "webp".
        show: Show a progress bar.

    Returns:
        Made.

    Raises:
        UserError: The folder holds other pictures, or cannot be written to. What was written stays, complete.
    """
    settings.check(generator)
    check_format(form, generator.config.num_channels)
    outdir = make_folder(outdir)
    paths = [os.path.join(outdir, f"{job.name}.{form}") for job in jobs]
    there = pictures_there(outdir, {os.path.basename(path): job.recipe for path, job in zip(paths, jobs)})
    missing = [(job, path) for job, path in zip(jobs, paths) if os.path.basename(path) not in there]
    if not missing:
        return Made(paths, 0, len(paths))
    ready = generator.ready().expect(len(missing))
    with Progress(show, len(missing), "Making pictures") as bar, ThreadPoolExecutor(usable_processors()) as pool:
        written: Deque[Future] = collections.deque()
        for job, path, image in _images(ready, settings, missing):
            written.append(pool.submit(write_picture, path, image, job.recipe))
            while len(written) > 64 or (written and written[0].done()):  # images that wait take memory
                written.popleft().result()
                bar.update(1)
        for future in written:
            future.result()
            bar.update(1)
    return Made(paths, len(missing), len(paths) - len(missing))


def _images(generator, settings, missing):
    """Yield (job, path, uint8 [H,W,C]); on a GPU the next batches are under way while one is handed out.

    Each batch is fetched by the thread that began it. What is fetched later waits for all that the GPU was given meanwhile.
    """
    turn = threading.Lock()
    waiting: Deque[Future] = collections.deque()

    def make(part, w):
        with turn:
            wait = generator.launch(w, settings.noise_mode, [job.seed for job, _ in part])
        return [(job, path, image) for (job, path), image in zip(part, wait())]

    with ThreadPoolExecutor(generator.batches_at_once) as threads:
        for part, w in _batches(generator, settings, missing):
            waiting.append(threads.submit(make, part, w))
            if len(waiting) > generator.batches_at_once:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _batches(generator, settings, missing):
    """Yield (part of `missing`, its w as `launch` takes them); the w of the next chunk are made meanwhile."""
    size = generator.batch_size
    step = size * max(1, CHUNK // size)
    chunks = [missing[start : start + step] for start in range(0, len(missing), step)]

    def w_of(chunk):
        return generator.placed(_w_of([job for job, _ in chunk], generator, settings))

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(w_of, chunks[0])
        for chunk, following in zip(chunks, chunks[1:] + [None]):
            w = coming.result()
            coming = following and thread.submit(w_of, following)
            for start in range(0, len(chunk), size):
                yield chunk[start : start + size], w[start : start + size]


def _w_of(jobs, generator, settings):
    if jobs[0].w is not None:
        return np.stack([job.w for job in jobs])
    return settings.w(generator, [job.seed for job in jobs])


def make_folder(outdir: FilePath) -> str:
    """Make a folder where there is none; return its path. Raises UserError where it cannot be made."""
    outdir = str(outdir)
    try:
        os.makedirs(outdir, exist_ok=True)
    except OSError as error:
        raise cannot_write(outdir, error) from error
    return outdir


def pictures_there(outdir: FilePath, recipes: Mapping[str, Dict[str, Any]]) -> Set[str]:
    """Return the names of those pictures that a folder holds already.

    Args:
        outdir: The folder.
        recipes: dict file name → recipe of what a call is to make; those of one call differ in the seed only.

    Raises:
        UserError: The folder holds pictures that another call made, or that nobody knows who made.
    """
    call, there = next(iter(recipes.values()), {}), set()
    for entry in sorted(os.scandir(outdir), key=lambda one: one.name):
        if not entry.name.lower().endswith(SUFFIXES) or not entry.is_file():
            continue
        if entry.name in recipes and has_note(entry.path, note_of(recipes[entry.name])):
            there.add(entry.name)
            continue
        if entry.name in recipes and not is_complete(entry.path):
            continue  # the machine lost power while it was written
        recipe = read_recipe(entry.path)
        if recipe is None or not same_call(recipe, call):
            raise UserError(
                f"{outdir} holds other pictures: {entry.name} was made {_difference(recipe, call)}.",
                "a new folder, or one that the same command has filled",
                "name another folder with --outdir",
            )
        if entry.name in recipes and same_picture(recipe, recipes[entry.name]):
            there.add(entry.name)
    return there


def _difference(recipe, call):
    """Return in words how a picture in the folder was made otherwise."""
    if recipe is None:
        return "by something else"
    if recipe.get("verb") != call.get("verb"):
        return f"by `sg2ada {recipe.get('verb')}`"[:60]
    if recipe.get("network") != call.get("network"):
        return "with another network"
    theirs, ours = recipe.get("settings"), call.get("settings", {})
    if not isinstance(theirs, dict):
        return "by something else"
    if theirs == ours:
        return "with other styles"
    names = [name for name in sorted(set(theirs) | set(ours)) if theirs.get(name) != ours.get(name)]
    return "with another " + ", ".join(name.rstrip("_").replace("_", " ") for name in names)[:60]


def make_grid(
    generator: "NamedNetwork", settings: PictureSettings, made: Made, outdir: FilePath, grid: Optional[str] = None
) -> str:
    """Write grid.png of pictures that were made; returns its path.

    Args:
        made: Made.
        grid: Text such as "4x2"; None or "" is nearly square.
    """
    columns, rows = parse_grid(grid, len(made.paths))
    path = os.path.join(str(outdir), "grid.png")
    check_side(columns, rows, generator.config.width, generator.config.height)
    recipe = settings.recipe(generator, "generate", grid=[columns, rows], pictures=len(made.paths))
    write_picture(path, grid_of((Image.open(one) for one in made.paths), columns, rows), recipe)
    return path


def make_class_sheet(
    network: "NamedNetwork", settings: PictureSettings, seeds: Sequence[int], outdir: FilePath, show: bool = False
) -> str:
    """Write classes.png: a row for each class, a column for each seed; returns its path.

    Raises UserError where the network has no classes, or as `make_pictures`.
    """
    settings.check(network)
    count = network.config.label_size
    if not count:
        raise UserError(f"{network.title} was trained without classes.", "a network with classes", "leave --classes out")
    outdir = make_folder(outdir)
    path, seeds = os.path.join(outdir, SHEET_CLASSES), list(dict.fromkeys(seeds))
    recipe = settings.recipe(network, "generate", sheet="classes", seeds=seeds)
    if SHEET_CLASSES in pictures_there(outdir, {SHEET_CLASSES: recipe}):
        return path
    generator = network.ready().expect(count * len(seeds))
    with Progress(show, count, "Making classes", unit="class") as bar:

        def rows():
            for number in range(count):
                w = generator.w(seeds, number)
                centres = generator.centres(settings.trunc_clusters, number) if settings.trunc_clusters else None
                w = generator.truncate(w, settings.trunc, settings.trunc_cutoff, centres)
                yield generator.pictures(w, settings.noise_mode, seeds)
                bar.update(1)

        write_picture(path, class_sheet(rows(), range(count)), recipe)
    return path


def zip_pictures(paths: Iterable[FilePath], zip_path: FilePath) -> str:
    """Pack picture files into a zip archive, without compressing them again; returns its path.

    Raises UserError where the disk does not take it.
    """
    try:
        with atomic_file(zip_path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for path in paths:
                archive.write(path, os.path.basename(path))
    except OSError as error:
        raise cannot_write(zip_path, error) from error
    return str(zip_path)
