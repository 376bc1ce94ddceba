"""Directions in w that change one thing in a picture: found in the weights, in many w, or between two groups of seeds."""

from typing import Any, Collection, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import UserError
from ..networks.layout import synthesis_layers
from .clusters import SAMPLES
from .labels import ChosenClass

METHODS = ("weights", "pca")
MOST_DIRECTIONS = 512


class Direction(NamedTuple):
    """A direction of w; w + strength · vector goes along it."""

    name: str
    vector: np.ndarray  # float32 [dlatent_size]; as long as one standard deviation of w along it, or as two groups are apart
    layers: Optional[Tuple[int, ...]] = None  # numbers of the layers that it is meant for; None is all
    origin: str = ""  # how it was found, for people


def find_directions(
    generator: Any, method: str = "weights", count: int = 10, layers: Optional[Collection[int]] = None, class_: ChosenClass = None
) -> List[Direction]:
    """Return Directions by the name of a method: "weights" or "pca"; see the two functions below.

    Raises UserError for another method.
    """
    if method not in METHODS:
        raise UserError(f"There is no method {method!r}.", "weights or pca", "write --method=weights")
    find = closed_form_directions if method == "weights" else pca_directions
    return find(generator, count, layers, class_)


def closed_form_directions(
    generator: Any, count: int = 10, layers: Optional[Collection[int]] = None, class_: ChosenClass = None
) -> List[Direction]:
    """Return the directions to which the styles answer most, strongest first (Shen and Zhou 2021, "Closed-form factorization").

    They are the right singular vectors of the style affines' weights A, stacked over layers: unit n that maximise |A n|. Those of
    ToRGB, which only tint, are left out.

    Args:
        generator: TrainedGenerator.
        count: How many directions.
        layers: Numbers of the layers whose affines are taken, and that the directions are meant for; None is all.
        class_: Of the w that the lengths are measured with, see `TrainedGenerator.labels`.

    Raises:
        UserError: More are asked for than there are, or none of the layers has a style of a convolution.
    """
    names = _affines(generator)
    taken = [index for index in sorted(names) if layers is None or index in layers]
    if not taken:
        raise UserError(f"None of the layers {sorted(layers or ())} is the style of a convolution.",
                        f"some of {', '.join(map(str, sorted(names)))}", "name more layers, such as 0-3")  # fmt: skip
    stacked = np.concatenate([np.float64(generator.network.variables[names[index]]).T for index in taken])
    vectors = np.linalg.svd(stacked, full_matrices=False)[2]
    _check_count(count, len(vectors))
    samples = _samples(generator, class_)
    lengths = (samples @ vectors[:count].T).std(axis=0)
    return _named("weights", vectors[:count], lengths, layers)


def pca_directions(
    generator: Any, count: int = 10, layers: Optional[Collection[int]] = None, class_: ChosenClass = None
) -> List[Direction]:
    """Return the principal components of 10,000 w, widest first (Härkönen et al. 2020, "GANSpace"); see above for the rest."""
    samples = _samples(generator, class_)
    _check_count(count, samples.shape[1])
    values, vectors = np.linalg.eigh(samples.T @ samples / len(samples))
    order = np.argsort(values)[::-1][:count]
    return _named("pca", vectors[:, order].T, np.sqrt(np.maximum(values[order], 0.0)), layers)


def direction_between(
    generator: Any,
    these: Sequence[int],
    those: Sequence[int],
    name: str,
    layers: Optional[Collection[int]] = None,
    class_: ChosenClass = None,
) -> Direction:
    """Return the Direction from the mean w of the seeds `those` to that of `these`: strength 1 is the whole way.

    Raises:
        UserError: A seed is in both groups, or the name cannot be part of a file's name.
    """
    both = sorted(set(these) & set(those))
    if both:
        raise UserError(f"The seeds {', '.join(map(str, both[:8]))} are in both groups.", "two groups of different seeds",
                        "take them out of one")  # fmt: skip
    means = [generator.w(list(seeds), class_)[:, 0].mean(axis=0, dtype=np.float64) for seeds in (these, those)]
    check_name(name)
    return Direction(
        name, (means[0] - means[1]).astype(np.float32), _layers(layers), f"{len(these)} seeds rather than {len(those)}"
    )


def move(
    w: np.ndarray,
    direction: Direction,
    strength: Union[float, Sequence[float], np.ndarray],
    layers: Optional[Collection[int]] = None,
) -> np.ndarray:
    """Return w [N,L,D] moved along a Direction.

    Args:
        strength: A number, or one for each w.
        layers: Numbers of the layers to move; None: those that the direction is meant for.
    """
    layers = direction.layers if layers is None else layers
    chosen = list(range(w.shape[1])) if layers is None else list(layers)
    moved = np.array(w, np.float32)
    moved[:, chosen] += np.reshape(np.asarray(strength, np.float32), [-1, 1, 1]) * direction.vector
    return moved


def check_name(name: str) -> None:
    """Raise a UserError for a name that cannot be part of a file's name."""
    if not (
        isinstance(name, str)
        and 0 < len(name) <= 60
        and all(part.isalnum() or part in " -_." for part in name)
        and name[0] != "."
    ):
        raise UserError(f"{name!r} cannot be the name of a direction.", "1 to 60 letters, digits, spaces, - and _",
                        "write --name=smile")  # fmt: skip


def _affines(generator):
    """Return {layer number: name of the style's weight} of all convolutions but ToRGB."""
    layers = synthesis_layers(generator.config)
    return {layer.style: layer.name + "/mod_weight" for layer in layers if layer.noise is not None}


def _samples(generator, class_):
    """Return 10,000 w without their mean, float64 [N,D], always the same ones."""
    z, labels = np.random.RandomState(0).randn(SAMPLES, generator.config.latent_size), generator.labels(class_, SAMPLES)
    w = generator.map_once(z, labels).astype(np.float64)
    return w - w.mean(axis=0)


def _named(method, vectors, lengths, layers):
    """Return Directions; the largest component of each is positive, so that a sign means the same wherever it was computed."""
    found = []
    for number, (vector, length) in enumerate(zip(vectors, lengths)):
        sign = np.sign(vector[np.abs(vector).argmax()])
        found.append(Direction(f"{method}{number}", np.asarray(sign * length * vector, np.float32), _layers(layers), method))
    return found


def _layers(layers):
    return None if layers is None else tuple(sorted(int(layer) for layer in layers))


def _check_count(count, most):
    if not 1 <= count <= min(most, MOST_DIRECTIONS):
        raise UserError(f"{count} directions are asked for.", f"1 to {min(most, MOST_DIRECTIONS)}", "write --count=10")
