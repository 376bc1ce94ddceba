"""The reals that metrics compare with: a dataset as numbered images, flipped as in training where the metric does so."""

import hashlib
from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np

from .. import seeds
from ..config.metric_names import DEFAULT_REALS, MetricSpec
from ..machine import cache_folder
from .backgrounds import backgrounds_words, composited
from .feature_set import FeatureSet, ImageSource, Watch, gather
from .features import FeatureNetwork

FLIP_GROUP = 32


def number_of_reals(spec: MetricSpec, num_images: int) -> int:
    """Return how many reals a metric takes; as in the original, one without `_full` repeats a small dataset with new flips."""
    if spec.mirror:
        return int(spec.max_reals or 0)
    return min(num_images, spec.max_reals or num_images)


def real_images(
    dataset: Any,
    cache_dir: Union[str, Path, None] = None,
    flip_seed: Optional[int] = None,
    digest: Optional[str] = None,
    background_seed: Optional[int] = None,
) -> ImageSource:
    """Return a dataset as an ImageSource, which begins again at its end; the features are kept in the cache folder.

    Args:
        dataset: Object with `num_images` and `read(indices)`.
        cache_dir: Folder that holds the features in its folder metrics; None is the default cache folder.
        flip_seed: Seed of random horizontal flips; None: no flips.
        digest: `dataset_digest` of the dataset, where it is known already.
        background_seed: Of what lies under RGBA images, see `backgrounds.composited`.
    """

    def images_of(count: int, start: int) -> np.ndarray:
        images = dataset.read(np.arange(start, start + count) % dataset.num_images)
        if flip_seed is not None:
            images = np.where(flips_of(flip_seed, count, start)[:, None, None, None], images[:, :, ::-1], images)
        return composited(images, background_seed, start)

    identity = f"reals/{digest or dataset_digest(dataset)}/flips {'none' if flip_seed is None else flip_seed}"
    identity += "/" + backgrounds_words(background_seed) if is_rgba(dataset) else ""
    return ImageSource("reals", identity, images_of, Path(cache_dir or cache_folder()) / "metrics")


def is_rgba(dataset: Any) -> bool:
    """Return whether a dataset holds images with transparency."""
    return getattr(dataset, "channels", 3) == 4


def flips_of(seed: int, count: int, start: int) -> np.ndarray:
    """Return bool [count], whether the reals number `start` and on are flipped; drawn by groups, so batches do not matter."""
    first, last = start // FLIP_GROUP, (start + count - 1) // FLIP_GROUP
    draws = [seeds.random_state(seed, "metric_flips", group * FLIP_GROUP) for group in range(first, last + 1)]
    return np.concatenate([draw.randint(2, size=FLIP_GROUP) for draw in draws])[start - first * FLIP_GROUP :][:count] == 1


def real_features(
    dataset: Any,
    network: FeatureNetwork,
    cache_dir: Union[str, Path, None] = None,
    max_reals: int = DEFAULT_REALS,
    progress: Optional[Callable] = None,
) -> np.ndarray:
    """Return the features of a dataset's first `max_reals` images, float32 [N, D], from the cache folder if they are there."""
    wanted = FeatureSet(network, "features", real_images(dataset, cache_dir), min(dataset.num_images, max_reals))
    wanted.needs_rows = True
    gather([wanted], Watch(progress))
    return wanted.store.rows()


def dataset_digest(dataset: Any) -> str:
    """Return a SHA-256 of a dataset: its own `digest` if it has one, else of its size and 64 images spread over it."""
    own = getattr(dataset, "digest", None)
    if own:
        return own() if callable(own) else str(own)
    indices = np.unique(np.linspace(0, dataset.num_images - 1, 64).astype(np.int64))
    digest = hashlib.sha256(f"{dataset.num_images} images".encode())
    for image in dataset.read(indices):
        digest.update(str(image.shape).encode() + np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()
