"""Embedded colour profiles -> sRGB, which is what the network's numbers mean."""

import functools
import io

try:
    from PIL import ImageCms
except ImportError:  # a Pillow built without LittleCMS takes the numbers as they are
    ImageCms = None  # type: ignore[assignment]


@functools.lru_cache(maxsize=64)
def _transform(profile_bytes, mode):
    """Return the transform to sRGB, None where there is nothing to do; cached, because most sets share one profile."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
    if "srgb" in ImageCms.getProfileDescription(profile).lower() or profile.profile.xcolor_space.strip() != mode:
        return None
    return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")


def to_srgb(image):
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
            image = ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        pass  # a damaged profile must not cost an image
    if image.mode == "CMYK":
        image = image.convert("RGB")
    if alpha is not None:
        image.putalpha(alpha)
    return image
