"""Which transforms the augmentation pipeline has, at what share of p, and how far they go."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Dict

from ..errors import UserError

GEOMETRY = ("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac")
COLOR = ("brightness", "contrast", "lumaflip", "hue", "saturation")
TRANSFORMS = GEOMETRY + COLOR + ("imgfilter", "noise", "cutout")  # the order in which they are applied

_BLIT, _GEOM = GEOMETRY[:3], GEOMETRY[3:]
PIPES = {
    "blit": _BLIT,
    "geom": _GEOM,
    "color": COLOR,
    "filter": ("imgfilter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
    "bg": GEOMETRY,
    "bgc": GEOMETRY + COLOR,
    "bgcf": GEOMETRY + COLOR + ("imgfilter",),
    "bgcfn": GEOMETRY + COLOR + ("imgfilter", "noise"),
    "bgcfnc": TRANSFORMS,
}
DEFAULT_PIPE = "bgc"
FILTER_PADDING_PX = 21  # half of the longest band filter of imgfilter (43 taps)
MIN_GEOMETRY_PX = 4  # the resampler reflects three pixels


@dataclass(frozen=True)
class AugmentConfig:
    """Multipliers of p per transform (0 = left out) and the spread of their random parameters.

    Raises:
        UserError: A multiplier or spread is negative or not a number.
    """

    xflip: float = 0.0
    rotate90: float = 0.0
    xint: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    aniso: float = 0.0
    xfrac: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    lumaflip: float = 0.0
    hue: float = 0.0
    saturation: float = 0.0
    imgfilter: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0
    xint_max: float = 0.125  # largest whole-pixel shift, in widths to the side and heights up and down
    scale_std: float = 0.2  # of log2 of the zoom
    rotate_max: float = 1.0  # largest angle, in half turns
    aniso_std: float = 0.2  # of log2 of the stretch
    xfrac_std: float = 0.125  # of the sub-pixel shift, in widths and heights
    brightness_std: float = 0.2  # in units of the range [-1, 1]
    contrast_std: float = 0.5  # of log2 of the factor
    hue_max: float = 1.0  # largest angle, in half turns
    saturation_std: float = 1.0  # of log2 of the factor
    imgfilter_std: float = 1.0  # of log2 of the factor of a frequency band
    noise_std: float = 0.1  # of the noise's standard deviation
    cutout_size: float = 0.5  # of the blanked rectangle, in widths and heights

    def __post_init__(self) -> None:
        wrong = {f.name: getattr(self, f.name) for f in fields(self) if not _is_usable(getattr(self, f.name))}
        if wrong:
            raise UserError(
                "Invalid augmentation settings: {}.".format(", ".join("{}={!r}".format(*i) for i in wrong.items())),
                "Numbers from 0 upwards; 1 is a transform's normal strength, 0 leaves it out.",
                f"Correct these values, or name a pipe such as '{DEFAULT_PIPE}'.",
            )

    @classmethod
    def from_pipe(cls, pipe: str, **settings: float) -> "AugmentConfig":
        """Return the config of a named pipe (a key of `PIPES`), every member at multiplier 1.

        Raises:
            UserError: There is no such pipe, or `settings` names no field.
        """
        if pipe not in PIPES:
            raise UserError(
                f"There is no augmentation pipe named {pipe!r}.",
                "One of {}.".format(", ".join(PIPES)),
                f"Use the default '{DEFAULT_PIPE}', or pick another of these.",
            )
        return cls.from_apply_args({**dict.fromkeys(PIPES[pipe], 1.0), **settings})

    @classmethod
    def from_apply_args(cls, apply_args: Dict[str, float]) -> "AugmentConfig":
        """Return the config for a dictionary such as `augment_args.apply_args` of a training_options.json.

        Raises:
            UserError: A key is not a transform or setting of the pipeline.
        """
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(apply_args) - set(known))
        if unknown:
            raise UserError(
                "Unknown augmentation transforms or settings: {}.".format(", ".join(unknown)),
                "Transforms {}; settings {}.".format(", ".join(TRANSFORMS), ", ".join(known[len(TRANSFORMS) :])),
                "Remove or correct these names.",
            )
        return cls(**apply_args)

    def to_dict(self) -> Dict[str, float]:
        """Return all fields as a plain dictionary, for JSON and for `from_apply_args`."""
        return asdict(self)

    def has(self, *transforms: str) -> bool:
        """Return whether any of the named transforms has a multiplier above 0."""
        return any(getattr(self, name) > 0 for name in transforms)

    def check_images(self, height: int, width: int, channels: int) -> None:
        """Raise a UserError if images of this size and channel count cannot go through the pipeline."""
        if self.has(*COLOR) and channels not in (1, 3, 4):
            raise UserError(
                f"The colour transforms cannot work on images with {channels} channels.",
                "RGB (3), RGBA (4) or grey (1) images.",
                "Prepare the images as one of these, or choose the pipe 'bg', which leaves colours alone.",
            )
        if self.has("imgfilter") and min(height, width) <= FILTER_PADDING_PX:
            raise UserError(
                f"Images of {width}x{height} pixels are too small for the transform 'imgfilter'.",
                f"At least {32}x{32} pixels, because its filters reach {FILTER_PADDING_PX} pixels far.",
                f"Choose a pipe without 'f', such as '{DEFAULT_PIPE}', or a larger resolution.",
            )
        if self.has(*GEOMETRY) and min(height, width) < MIN_GEOMETRY_PX:
            raise UserError(
                f"Images of {width}x{height} pixels are too small for the geometric transforms.",
                f"At least {MIN_GEOMETRY_PX}x{MIN_GEOMETRY_PX} pixels.",
                "Choose a larger resolution, or the pipe 'color'.",
            )


def _is_usable(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
