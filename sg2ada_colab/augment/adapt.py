"""The controller of the augmentation's strength p: overfitting is measured, and p follows slowly. On the host, in float64."""

import math
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

import numpy as np

from ..errors import UserError

DEFAULT_TARGETS = {"rt": 0.6, "rv": 0.5}
KINDS = ("real", "fake", "valid")
MINIBATCHES_PER_UPDATE = 4  # after which p moves
LEAK_P = 0.8  # from about here on the generator begins to imitate the augmentations (Section 2.2 of the paper)


@dataclass(frozen=True)
class AdaptConfig:
    """How p is chosen and moved.

    Raises:
        UserError: A value is outside its range; all wrong values are named at once.
    """

    heuristic: Optional[str] = "rt"  # "rt": sign of the real scores; "rv": against a validation set; None: p stays
    target: Optional[float] = None  # of the heuristic, 0...1; None takes 0.6 for rt and 0.5 for rv
    tune_kimg: float = 500.0  # thousands of images for p to move by 1; 100 where training starts from other weights
    images_per_tune: int = 256  # training images between two updates of p: four minibatches
    initial_p: float = 0.0  # p at the start
    max_p: Optional[float] = None  # p never goes above; None: no bound, as in the original

    @classmethod
    def of(cls, settings: Any, minibatch_size: int) -> Optional["AdaptConfig"]:
        """Return what the `AugmentSettings` of a run say, or None where its images are not augmented.

        Args:
            settings: config.settings.AugmentSettings.
            minibatch_size: Images of an optimiser step.
        """
        if settings.heuristic is None and settings.initial_p == 0:
            return None
        values = {name: getattr(settings, name) for name in ("heuristic", "target", "tune_kimg", "initial_p", "max_p")}
        return cls(images_per_tune=MINIBATCHES_PER_UPDATE * minibatch_size, **values)

    def __post_init__(self) -> None:
        if self.target is None:
            object.__setattr__(self, "target", DEFAULT_TARGETS.get(self.heuristic or ""))
        problems = []
        if self.heuristic not in (None,) + tuple(DEFAULT_TARGETS):
            problems.append(f"heuristic {self.heuristic!r} (expected rt, rv or None)")
        if self.target is not None and not _within(self.target, 0, 1):
            problems.append(f"target {self.target!r} (expected 0...1)")
        if not _within(self.initial_p, 0, 1):
            problems.append(f"p {self.initial_p!r} (expected 0...1)")
        if self.max_p is not None and not (_within(self.max_p, 0, math.inf) and self.max_p >= self.initial_p):
            problems.append(f"largest p {self.max_p!r} (expected a number not below the initial p)")
        for name in ("tune_kimg", "images_per_tune"):
            if not (_within(getattr(self, name), 0, math.inf) and getattr(self, name) > 0):
                problems.append(f"{name} {getattr(self, name)!r} (expected a number above 0)")
        if problems:
            raise UserError(
                "The augmentation cannot be controlled with {}.".format("; ".join(problems)),
                "p and target between 0 and 1; a normal target is 0.6 for ada and 0.5 for adarv.",
                "Correct these values, or leave them out for the defaults.",
            )


class AdaptiveController:
    """Strength p and the statistics that move it.

    Section 3.1 of the ADA paper: r_t = E[sign(D(real))], r_v = (E[D(real)] - E[D(valid)]) / (E[D(real)] - E[D(fake)]).

    Attributes:
        p: Strength, float64. The graph is fed `p_float32`.
        statistic: r_t or r_v at the last update, None before.
        warned_p: The level that the last warning spoke of.
    """

    def __init__(self, config: AdaptConfig) -> None:
        self.config = config
        self.p = float(config.initial_p)
        self.statistic = None
        self.warned_p = 0.0
        self._clear()

    @property
    def p_float32(self) -> np.float32:
        """Return p as the compiled steps see it."""
        return np.float32(self.p)

    def observe(self, mean_scores: Mapping[str, Optional[float]], mean_real_sign: Optional[float] = None) -> None:
        """Add one pass of the discriminator to the statistics; all passes have the same number of images.

        Args:
            mean_scores: {"real", "fake", "valid": mean score, None or absent where the pass did not judge such images}.
            mean_real_sign: Mean sign of the real scores, or None. Every pass over reals counts, main and regularisation.
        """
        for index, value in enumerate([mean_real_sign] + [mean_scores.get(kind) for kind in KINDS]):
            if value is not None:
                self._sums[index] += float(value)
                self._counts[index] += 1

    def update(self) -> float:
        """Move p by the statistics since the last call, clear them, and return the new p."""
        statistic = self._measure()
        self._clear()
        if statistic is None:
            return self.p
        self.statistic = statistic
        step = self.config.images_per_tune / (self.config.tune_kimg * 1000)
        self.p = max(self.p + step * float(np.sign(statistic - self.config.target)), 0.0)
        if self.config.max_p is not None:
            self.p = min(self.p, float(self.config.max_p))
        return self.p

    def _clear(self):
        self._sums, self._counts = [0.0] * (1 + len(KINDS)), [0] * (1 + len(KINDS))

    def _measure(self):
        """Return r_t or r_v of the passes so far; None without a heuristic, without scores, or where scores are not finite."""
        needed = {"rt": [0], "rv": [1, 2, 3], None: []}[self.config.heuristic]
        if not needed or not all(self._counts[i] for i in needed):
            return None
        means = [self._sums[i] / self._counts[i] for i in needed]
        if self.config.heuristic == "rt":
            statistic = means[0]
        else:
            real, fake, valid = means
            statistic = (real - valid) / max(real - fake, 1e-8)
        return statistic if math.isfinite(statistic) else None

    def status(self) -> str:
        """Return p and its reason in a few words, for status lines: "p 0.312 (r_t 0.58, target 0.60)"."""
        text = f"p {self.p:.3f}"
        if self.statistic is not None:
            name = {"rt": "r_t", "rv": "r_v"}[self.config.heuristic]
            text += f" ({name} {self.statistic:.2f}, target {self.config.target:.2f})"
        if self.config.max_p is not None and self.p >= self.config.max_p:
            text += ", held at its cap"
        elif self.p > 1:
            text += ", beyond 1: see the log"
        return text

    def warning(self) -> Optional[str]:
        """Return a text when p has newly risen above 0.8, 1, 2, 3, ...; None otherwise."""
        level = LEAK_P if LEAK_P < self.p <= 1 else float(math.ceil(self.p) - 1) if self.p > 1 else 0.0
        if level <= self.warned_p or self.config.heuristic is None:
            return None
        self.warned_p = level
        return _warning_text(self.p, self.statistic, self.config.target)

    def state(self) -> Dict[str, Any]:
        """Return all that an exact resume needs, as plain numbers and lists: floats survive JSON unchanged."""
        names = ("p", "statistic", "warned_p")
        return {"sums": list(self._sums), "counts": list(self._counts), **{name: getattr(self, name) for name in names}}

    def restore(self, state: Dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.p, self.statistic, self.warned_p = state["p"], state["statistic"], state["warned_p"]
        self._sums, self._counts = list(state["sums"]), list(state["counts"])


def _warning_text(p, statistic, target):
    if p <= 1:
        return (
            f"Augmentation strength p has risen to {p:.2f}. Above about 0.8 the generator may begin to imitate the augmentations "
            "(tilted, shifted or discoloured images). If you see that, continue from an earlier snapshot with a cap on p, "
            "or with a pipe that leaves out what you see."
        )
    return (
        f"Augmentation strength p is {p:.2f}. At 1 every transform is already applied to every image, so a larger p changes "
        "nothing except that it takes longer to come down. It rises because the discriminator still recognises the training "
        f"images (statistic {statistic:.2f}, target {target:.2f}): it memorises them. More images help most; else a "
        "smaller discriminator "
        "(--dcap=0.5), a larger --gamma, or stopping: the best snapshot is probably an earlier one. A cap on p keeps it at "
        "a value you choose."
    )


def _within(value, low, high):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high and math.isfinite(value)
