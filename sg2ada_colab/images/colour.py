"""Convert embedded colour profiles to sRGB, the colour space of the networks; and colours by name."""

import functools
import io
from typing import Tuple

from PIL import Image, ImageColor

from ..errors import UserError

try:
    from PIL import ImageCms
except ImportError:  # Pillow built without LittleCMS: the numbers are used as they are
    ImageCms = None  # type: ignore[assignment]


@functools.lru_cache(maxsize=64)
def _transform(profile_bytes, mode):
    """Return the transform to sRGB, None where there is nothing to do; cached, because most sets share one profile."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
    if "srgb" in ImageCms.getProfileDescription(profile).lower() or profile.profile.xcolor_space.strip() != mode:
        return None
    return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")


def to_srgb(image: Image.Image) -> Image.Image:
    """Return a Pillow image with its embedded profile applied, its transparency kept; a profile that fails is ignored."""
    profile = image.info.get("icc_profile")
    if ImageCms is None or not profile:
        return image
    # Grey profiles differ from sRGB in their gamma alone, and little: their numbers are taken as they are.
    alpha = None
    if image.mode in ("P", "PA") or (image.mode == "RGB" and "transparency" in image.info):
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        alpha, image = image.getchannel("A"), image.convert("RGB")
    if image.mode not in ("RGB", "CMYK"):
        return image
    try:
        transform = _transform(profile, image.mode)
        if transform is not None:
            image = ImageCms.applyTransform(image, transform) or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        pass  # a damaged profile must not make an image unusable
    if image.mode == "CMYK":
        image = image.convert("RGB")
    if alpha is not None:
        image.putalpha(alpha)
    return image


def parse_colour(text: str) -> Tuple[int, int, int]:
    """Return a colour's name or #rrggbb as (red, green, blue), 0 to 255; raises UserError for anything else."""
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
        return red, green, blue
    except ValueError:
        raise UserError(f"{text!r} is not a color", "a name such as black, or #rrggbb", "choose one of these") from None
