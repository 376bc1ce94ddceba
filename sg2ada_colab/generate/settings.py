"""How pictures are made: class, truncation and noise, as one object that is checked, used, and kept in each picture."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, Mapping, Optional, Sequence

import numpy as np

from .. import __version__
from ..errors import UserError
from .clusters import SAMPLES
from .labels import ChosenClass, check_class
from .noise import check_noise_mode


@dataclass(frozen=True)
class PictureSettings:
    """What decides a picture beside the network and the seed; field names are those in a picture's metadata."""

    class_: ChosenClass = None  # number, list of label_size numbers, "none" for the zero vector; None without classes
    trunc: float = 1.0  # truncation psi; 1 is none, 0 the average image
    trunc_cutoff: Optional[int] = None  # layers that it applies to; None is all
    trunc_clusters: Optional[int] = None  # truncate towards the nearest of N cluster centres of w; None: the average
    noise_mode: str = "const"

    def check(self, generator: Any) -> None:
        """Raise a UserError for what the generator cannot do."""
        check_noise_mode(self.noise_mode)
        layers = generator.num_layers
        if not _is_number(self.trunc):
            raise UserError(
                f"The truncation is {self.trunc}.", "a number, 1 for none, 0.7 for safer pictures", "write --trunc=0.7"
            )
        if self.trunc_cutoff is not None and not (_is_whole(self.trunc_cutoff) and 0 <= self.trunc_cutoff <= layers):
            raise UserError(f"The truncation cutoff is {self.trunc_cutoff}.", f"a number of layers from 0 to {layers}",
                            "write --trunc-cutoff=8, or leave it out for all layers")  # fmt: skip
        if self.trunc_clusters is not None and not (_is_whole(self.trunc_clusters) and 1 <= self.trunc_clusters <= SAMPLES):
            raise UserError(f"The number of clusters is {self.trunc_clusters}.", f"a whole number from 1 to {SAMPLES}",
                            "write --trunc-clusters=64")  # fmt: skip

    def w(self, generator: Any, seeds: Sequence[int]) -> np.ndarray:
        """Return w [N, num_layers, dlatent_size] of seeds, truncated."""
        w = generator.w(seeds, self.class_)
        return self.truncate(generator, w)

    def truncate(self, generator: Any, w: np.ndarray) -> np.ndarray:
        """Return w [N,L,D] with the truncation of these settings."""
        if self.trunc == 1:
            return w
        generator = generator.ready()
        centres = generator.centres(self.trunc_clusters, self.class_) if self.trunc_clusters else None
        return generator.truncate(w, self.trunc, self.trunc_cutoff, centres)

    def recipe(self, generator: Any, verb: str, **source: Any) -> Dict[str, Any]:
        """Return what a picture's metadata says: plain data; `source` names the seed or where else w comes from."""
        settings = {name: value for name, value in asdict(self).items() if value is not None}
        return dict({"program": f"sg2ada_colab {__version__}", "verb": verb, "network": generator.digest, "settings": settings},
                    **source)  # fmt: skip

    @classmethod
    def from_recipe(cls, recipe: Mapping[str, Any]) -> "PictureSettings":
        """Return the settings in a picture's metadata; raise ValueError where they are not valid."""
        settings = recipe.get("settings")
        known = {field.name for field in fields(cls)}
        if not isinstance(settings, dict) or not set(settings) <= known:
            raise ValueError("it has settings that are not known here")
        made = cls(**settings)
        check_class(made.class_)
        return made


def same_call(recipe: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two pictures were made by one network with the same settings; seeds may differ."""
    return all(recipe.get(key) == other.get(key) for key in ("network", "settings", "verb", "styles"))


def same_picture(recipe: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two recipes make the same picture; the version of the program does not count."""
    return {**recipe, "program": ""} == {**other, "program": ""}


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)
