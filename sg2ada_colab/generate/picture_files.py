"""Picture files: uint8 images as PNG, JPEG or WebP, complete or absent, each with a note of what made it."""

import io
import json
import os
from typing import Any, Dict, Mapping, Optional, Union

import numpy as np
from PIL import Image, PngImagePlugin, features

from ..errors import UserError
from ..files import FilePath, atomic_file
from ..images.png_writer import HEADER_BYTES, png_bytes, png_texts
from ..json_text import BadJson, parse_json

FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
NOTE = "sg2ada"  # the key of PNG's text; JPEG and WebP have it as Exif's description of the image
EXIF_DESCRIPTION = 0x010E
MOST_NOTE_BYTES = 1 << 20
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
JPEG_QUALITY, WEBP_QUALITY = 95, 90
PNG_LEVEL = 1  # packing harder takes up to four times as long for a seventh less


def check_format(form: str, channels: int = 3) -> None:
    """Raise a UserError for a format that is not known, not installed, or has no transparency where the network has it."""
    if form not in FORMATS:
        raise UserError(f"There is no format {form!r}.", "one of " + ", ".join(FORMATS), "write --format=png")
    if form == "webp" and not features.check("webp"):
        raise UserError("This Pillow cannot write WebP.", "a Pillow with WebP, or another format", "write --format=png")
    if form == "jpg" and channels == 4:
        raise UserError("JPEG has no transparency, and this network makes it.", "png or webp", "write --format=png")


def as_image(image: np.ndarray) -> Image.Image:
    """Return uint8 [H,W,C] as a Pillow image: grey, RGB or RGBA."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def encode(image: Union[np.ndarray, Image.Image], form: str, recipe: Mapping[str, Any]) -> bytes:
    """Return the bytes of a picture file.

    Args:
        image: uint8 [H,W,C], or a Pillow image.
        form: A key of FORMATS.
        recipe: What made it, plain data; see `read_recipe`.
    """
    note = note_of(recipe)
    if form == "png" and isinstance(image, np.ndarray):
        return png_bytes(image, {NOTE: note})
    stream, image = io.BytesIO(), image if isinstance(image, Image.Image) else as_image(image)
    if form == "png":  # a sheet, flat where it is labelled
        text = PngImagePlugin.PngInfo()
        text.add_text(NOTE, note)
        image.save(stream, "PNG", pnginfo=text, compress_level=PNG_LEVEL)
        return stream.getvalue()
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION] = NOTE + note
    quality = {"quality": JPEG_QUALITY, "subsampling": 0} if form == "jpg" else {"quality": WEBP_QUALITY, "exact": True}
    image.save(stream, FORMATS[form], exif=exif.tobytes(), **quality)
    return stream.getvalue()


def note_of(recipe: Mapping[str, Any]) -> str:
    """Return the text in a picture that says what made it."""
    return json.dumps(recipe, sort_keys=True)


def write_picture(path: FilePath, image: Union[np.ndarray, Image.Image], recipe: Mapping[str, Any]) -> None:
    """Write a picture in the format of the path's ending.

    Raises:
        UserError: The disk is full, or the folder cannot be written to.
    """
    content = encode(image, form_of(path), recipe)
    try:
        with atomic_file(path, durable=False) as file:
            file.write(content)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: FilePath, error: OSError) -> UserError:
    """Return the UserError for an OSError while writing."""
    return UserError(f"{path} cannot be written: {error.strerror or error}.", "a folder with free space that you may write to",
                     "free some space or name another folder; the same command goes on where it stopped")  # fmt: skip


def form_of(path: FilePath) -> str:
    """Return the format of a path's ending."""
    ending = os.path.splitext(str(path))[1][1:].lower()
    return "jpg" if ending == "jpeg" else ending


def read_recipe(path: FilePath) -> Optional[Dict[str, Any]]:
    """Return what a picture's metadata says of how it was made, a dict; None where it says nothing.

    Raises:
        OSError: The file cannot be read.
    """
    try:
        with Image.open(str(path)) as opened:
            note = opened.info.get(NOTE)
            if note is None:
                text = opened.getexif().get(EXIF_DESCRIPTION)
                note = text[len(NOTE) :] if isinstance(text, str) and text.startswith(NOTE + "{") else None
        recipe = None if note is None else parse_json(note, MOST_NOTE_BYTES)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, BadJson, Image.DecompressionBombError):  # what Pillow makes of a damaged file
        return None
    return recipe if isinstance(recipe, dict) else None


def has_note(path: FilePath, note: str) -> bool:
    """Return whether a file is a complete PNG with this text of `note_of` where `png_bytes` puts it: False may mean otherwise.

    It reads the file's two ends alone, for folders of many thousands.
    """
    expected = png_texts({NOTE: note})
    with open(str(path), "rb", buffering=0) as file:
        head = file.read(HEADER_BYTES + len(expected))
        if head[HEADER_BYTES:] != expected:
            return False
        file.seek(-len(PNG_END), os.SEEK_END)
        return file.read() == PNG_END


def is_complete(path: FilePath) -> bool:
    """Return whether a picture file ends as its format wants, which one that lost power while being written does not."""
    size = os.path.getsize(path)
    with open(str(path), "rb") as file:
        head = file.read(12)
        file.seek(max(0, size - len(PNG_END)))
        tail = file.read()
    if head[:4] == b"RIFF":
        return size >= 8 + int.from_bytes(head[4:8], "little")
    return tail == PNG_END if head[:4] == b"\x89PNG" else tail.endswith(b"\xff\xd9")
