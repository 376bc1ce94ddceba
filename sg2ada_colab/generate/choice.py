"""One picture as a person shapes it: a seed or a projected w, truncated, mixed with another seed, moved along directions."""

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, Tuple

import numpy as np

from .direction_file import find_direction
from .directions import Direction, move
from .labels import ChosenClass
from .settings import PictureSettings

if TYPE_CHECKING:
    from .generator import TrainedGenerator

MIXED = ("coarse", "middle", "fine")  # thirds of the layers: pose and shape, details, colours


@dataclass(frozen=True)
class Choice:
    """What was chosen for one picture."""

    seed: int = 0  # not used where the picture begins with a projected w
    trunc: float = 0.7
    class_: ChosenClass = None  # see `labels.label_vectors`
    mix_seed: Optional[int] = None  # the seed whose styles are mixed in; None: none
    mix_layers: Tuple[int, ...] = ()  # the layers that take them
    moves: Tuple[Tuple[str, float], ...] = ()  # (name of a direction, strength), those of strength 0 left out

    @property
    def settings(self) -> PictureSettings:
        """The PictureSettings of it."""
        return PictureSettings(class_=self.class_, trunc=self.trunc)

    @property
    def is_plain(self) -> bool:
        """Whether its seed, class and truncation alone make it."""
        return not self.moves and not self.is_mixed

    @property
    def is_mixed(self) -> bool:
        return self.mix_seed is not None and bool(self.mix_layers)

    def title(self) -> str:
        """Return it in a few words, which a file's name can take."""
        words = [f"seed{self.seed:04d}", f"psi{self.trunc:g}"]
        words += [f"class{self.class_}"] if isinstance(self.class_, int) else []
        words += ["mix{}-{}".format(self.mix_seed, ".".join(map(str, self.mix_layers)))] if self.is_mixed else []
        return "-".join(words + [f"{name}{strength:+.2g}".replace(" ", "_") for name, strength in self.moves])


def mixed_layers(part: str, num_layers: int) -> Tuple[int, ...]:
    """Return the numbers of the layers of one of `MIXED`, a third of them each."""
    thirds = np.array_split(np.arange(num_layers), len(MIXED))
    return tuple(int(layer) for layer in thirds[MIXED.index(part)])


def choice_w(
    generator: "TrainedGenerator", choice: Choice, directions: Sequence[Direction] = (), start: Optional[np.ndarray] = None
) -> np.ndarray:
    """Return w [1, num_layers, dlatent_size] of a Choice.

    Args:
        generator: TrainedGenerator.
        directions: Directions that its moves name.
        start: w [1, num_layers, dlatent_size] to begin with instead of the seed's, such as a projection's.

    Raises:
        UserError: The network cannot make it.
    """
    settings = choice.settings
    settings.check(generator)
    w = settings.w(generator, [choice.seed]) if start is None else settings.truncate(generator, start)
    if choice.is_mixed:
        w = generator.mix(w, settings.w(generator, [choice.mix_seed]), choice.mix_layers)  # type: ignore[list-item]
    for name, strength in choice.moves:
        w = move(w, find_direction(directions, name), strength)
    return w


def choice_recipe(
    generator: "TrainedGenerator", choice: Choice, directions: Sequence[Direction] = (), start: Optional[np.ndarray] = None
) -> Dict[str, Any]:
    """Return what the metadata of its picture says; `sg2ada generate --like` makes a plain one again.

    The arguments are those of `choice_w`.
    """
    if start is None and choice.is_plain:
        return choice.settings.recipe(generator, "generate", seed=choice.seed)
    begin = {"start": choice.seed} if start is None else {"latents": _digest(start)}
    mixed = {"mix": choice.mix_seed, "styles": list(choice.mix_layers)} if choice.is_mixed else {}
    moves = [[name, strength, _digest(find_direction(directions, name).vector)] for name, strength in choice.moves]
    return choice.settings.recipe(generator, "shape", moves=moves, **begin, **mixed)


def moved(choice: Choice, name: str, strength: float) -> Choice:
    """Return a Choice with another strength of one direction."""
    others = tuple(one for one in choice.moves if one[0] != name)
    return replace(choice, moves=others + (((name, strength),) if strength else ()))


def _digest(numbers):
    return hashlib.sha256(np.asarray(numbers, "<f4").tobytes()).hexdigest()[:16]
