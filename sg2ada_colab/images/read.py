"""One image file of any kind -> 8-bit RGB, RGBA or grey pixels, upright; or one line that says why not."""

import contextlib
import importlib
import warnings
from dataclasses import dataclass
from typing import Any, BinaryIO, Optional, Tuple, Union

from PIL import Image

from .colour import to_srgb
from .png import Examined, examine, without
from .source import DISK_FAILS, DISK_GONE
from .wide import is_wide, to_8_bits

# The formats that are opened, by the bytes they begin with. Other decoders of Pillow stay out: some run foreign programs.
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG", "Jpeg"),
    (b"\x89PNG\r\n\x1a\n", "PNG", "Png"),
    (b"GIF8", "GIF", "Gif"),
    (b"BM", "BMP", "Bmp"),
    (b"II*\0", "TIFF", "Tiff"),
    (b"MM\0*", "TIFF", "Tiff"),
    (b"II+\0", "TIFF", "Tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000", "Jpeg2K"),
    (b"\xff\x4f\xff\x51", "JPEG2000", "Jpeg2K"),
) + tuple((b"P%d" % n, "PPM", "Ppm") for n in range(1, 7))
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
# EXIF orientation -> what makes the image upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DEEP_COLOUR = "16 bits a colour, the upper 8 are read"
TRANSPARENT_MODES = ("RGBA", "LA", "PA", "La", "RGBa")
TRANSPARENCY = "transparency"  # the note of a header
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class UnreadableImage(Exception):
    """A file that gives no pixels; `kind` is a short word for counting, the text says what happened."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, text)
        self.kind, self.text = kind, text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class ReadOptions:
    """How files become pixels."""

    channels: int = 3  # 3 = RGB, 1 = grey, 4 = RGBA
    background: Tuple[int, int, int] = (255, 255, 255)  # what shows through where an image is transparent
    use_icc: bool = True  # convert embedded colour profiles to sRGB; False takes the numbers as they are
    grey_range: Optional[Union[Tuple[float, float], str]] = None  # of greys of over 8 bits, as `wide.to_8_bits` takes it
    max_pixels: int = 89478485  # width x height above which a file is refused (Pillow's own warning level)


@dataclass(frozen=True)
class Header:
    """What a file says about itself without being decoded."""

    width: int  # pixels, after EXIF rotation
    height: int
    mode: str  # Pillow's mode
    format: str
    frames: int  # 1 unless animated or multi-page
    notes: Tuple[str, ...]  # what reading will change: "EXIF rotation", "colour profile", "transparency" ...


def _format(start):
    """Return Pillow's name of the format of a file that starts with these bytes, its decoder loaded; None if not opened here."""
    name: Optional[str]
    plugin: Optional[str] = None
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        name, plugin = "WEBP", "WebP"
    elif start[4:12] in (b"ftypavif", b"ftypavis"):
        name, plugin = "AVIF", "Avif"
    elif start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS:
        name = "HEIF"
    else:
        name, plugin = next(((name, plugin) for first, name, plugin in _SIGNATURES if start.startswith(first)), (None, None))
    try:
        if plugin:
            importlib.import_module(f"PIL.{plugin}ImagePlugin")  # registers itself
        elif name == "HEIF":
            import pillow_heif

            pillow_heif.register_heif_opener()
    except ImportError:
        return None
    return name if name in Image.OPEN else None


def is_image(start: bytes) -> bool:
    """Return whether a file that begins with these bytes, 64 of them or all, is in a format that is read here."""
    return _format(bytes(start)) is not None


def _one_line(error):
    text = " ".join(str(error).split())
    return (text or type(error).__name__)[:160]


@contextlib.contextmanager
def _reporting_damage(what=""):
    """Turn whatever a decoder raises on damaged data into UnreadableImage, and keep its warnings quiet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings that do not concern the pixels, and Pillow's own size limit
            yield
    except UnreadableImage:
        raise
    except OSError as error:
        if error.errno in DISK_GONE + DISK_FAILS:
            raise  # an error of the disk, not of the image
        raise _damage(error, what) from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage("bomb", _one_line(error)) from error
    except Exception as error:  # noqa: BLE001 - decoders raise nearly anything on damaged data
        raise _damage(error, what) from error


def _damage(error, what):
    text = _one_line(error)
    return UnreadableImage("truncated" if "truncated" in text.lower() else "damaged", what + text)


def _open(file, options, to_end=False):
    """Return the opened, not yet decoded Pillow image of a binary file object; `to_end` looks for damage in all of a PNG."""
    start = file.read(64)
    file.seek(0)
    if not start:
        raise UnreadableImage("empty", "the file is empty")
    name = _format(start)
    if name is None:
        raise UnreadableImage("not an image", _describe_foreign(start))
    if Image.MAX_IMAGE_PIXELS and options.max_pixels > 2 * Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = options.max_pixels  # Pillow itself refuses what is twice its limit, whatever the options say
    with _reporting_damage():
        examined = examine(file, to_end) if name == "PNG" else Examined()
        if examined.damage:
            raise OSError(examined.damage)
    with _reporting_damage("damaged header: "):
        image = Image.open(without(file, examined.left_out) if examined.left_out else file, formats=(name,))
        if examined.profile:
            image.info["icc_profile"] = examined.profile
    _check_size(image, options)
    return image


def _check_size(image, options):
    if image.width * image.height > options.max_pixels:
        raise UnreadableImage(
            "bomb",
            f"{image.width} x {image.height} pixels; the limit is {options.max_pixels / 1e6:.0f} megapixels",
        )


def _describe_foreign(start):
    if start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS:
        return "HEIC image; to read it, install pillow-heif"
    if start[4:12] in (b"ftypavif", b"ftypavis"):
        return f"AVIF image; this Pillow ({Image.__version__}) cannot read it"
    if start[:5] == b"<?xml" or start[:4] == b"<svg":
        return "SVG or XML text; vector drawings have no pixels"
    if all(byte in b"\t\n\r" or byte >= 32 for byte in start):
        return "text, not an image"
    return "not an image format that is read here (JPEG, PNG, WebP, GIF, BMP, TIFF, JPEG 2000, PPM, HEIC, AVIF)"


def _orientation(image):
    """Return the EXIF orientation (1 upright ... 8); a damaged EXIF block counts as upright."""
    if "exif" not in image.info and image.format not in ("TIFF", "WEBP", "PNG", "MPO", "HEIF", "AVIF"):
        return 1
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - metadata must not cost an image
        return 1
    return orientation if orientation in _TURNS else 1


def read_header(file: BinaryIO, options: ReadOptions = ReadOptions(), frame: Optional[int] = None) -> Header:
    """Return the `Header` of a binary file object without decoding its pixels; raises UnreadableImage.

    It is that of frame number `frame` of an animation or of several pages; None is the only one to be taken, the first.
    """
    image = _open(file, options)
    with _reporting_damage("damaged header: "):
        if frame:
            image.seek(frame)
        _check_size(image, options)
        # Pillow turns TIFFs itself when it decodes them, and only some versions say so in `size` before.
        width, height = (image.tag_v2[256], image.tag_v2[257]) if image.format == "TIFF" else image.size
        is_deep = _is_deep_colour(image)  # asking for the EXIF block may decode a PNG, which forgets it
        orientation = _orientation(image)
        if orientation >= 5:
            width, height = height, width
        frames = _frames(image)
    notes = (
        ("EXIF rotation", orientation != 1),
        ("several frames, the first is taken", frames > 1 and frame is None),
        (DEEP_COLOUR, is_deep),
        ("colour profile", "icc_profile" in image.info),
        (TRANSPARENCY, image.mode in TRANSPARENT_MODES or "transparency" in image.info),
    )
    return Header(width, height, image.mode, image.format, frames, tuple(note for note, applies in notes if applies))


def _is_deep_colour(image):
    """Return whether an image in colour, as opened, has 16 bits in each; Pillow decodes the upper 8 alone."""
    arguments = image.tile[0][3] if getattr(image, "tile", None) else ""
    return image.mode.startswith("RGB") and ";16" in str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _frames(image):
    if image.format == "MPO":
        return 1  # a photograph with its preview or depth beside it
    try:
        return image.n_frames if getattr(image, "is_animated", False) else 1
    except Exception:  # noqa: BLE001 - counting frames walks the file; damage there shows when it is decoded
        return 1


def _flatten(image, options):
    """Return an RGB or L image over the background colour, for an image with transparency of any kind."""
    if image.mode == "LA" and options.channels == 1:
        backdrop = Image.new("L", image.size, Image.new("RGB", (1, 1), options.background).convert("L").getpixel((0, 0)))
        backdrop.paste(image.getchannel("L"), mask=image.getchannel("A"))
        return backdrop
    image = image.convert("RGBA")
    backdrop = Image.new("RGB", image.size, options.background)
    backdrop.paste(image, mask=image.getchannel("A"))
    return backdrop


def decode(
    file: BinaryIO, options: ReadOptions = ReadOptions(), least_px: Any = None, frame: Optional[int] = None
) -> Image.Image:
    """Return the decoded, upright Pillow image of a binary file object.

    Its mode is the file's own, but grey images of more than 8 bits come as "L".

    Args:
        file: Seekable, at its start.
        options: ReadOptions; the pixel limit and the range of greys matter here.
        least_px: (width, height) of the file as stored beyond which detail is not needed: a JPEG that is at least twice that
            is decoded at a half, a quarter or an eighth of its size, which is much faster.
        frame: Number of the frame or page; None = the first.

    Raises:
        UnreadableImage: Empty, not an image, damaged, truncated or too large.
    """
    return FrameReader(file, options).read(frame, least_px)


class FrameReader:
    """A file that is open for one frame after another: those of an animation take the ones before them to decode."""

    def __init__(self, file: BinaryIO, options: ReadOptions = ReadOptions()) -> None:
        self._image, self._options = _open(file, options, to_end=True), options

    def read(self, frame: Optional[int] = None, least_px: Any = None) -> Image.Image:
        """Return one frame as `decode` does; it is valid until the next one is read.

        Raises UnreadableImage where it is damaged or too large.
        """
        image = self._image
        with _reporting_damage():
            if frame:
                image.seek(frame)
                _check_size(image, self._options)
            if least_px and image.format in ("JPEG", "MPO"):
                image.draft(None, least_px)
            image.load()
            turn = _TURNS.get(_orientation(image))
            if turn is not None and image.format != "TIFF":  # Pillow has turned TIFFs already
                image = image.transpose(turn)
            return to_8_bits(image, self._options.grey_range) if is_wide(image.mode) else image


def to_plain(image: Image.Image, options: ReadOptions = ReadOptions()) -> Image.Image:
    """Return an 8-bit "RGB", "L" or "RGBA" image: profile, bit depth, palette and colour space all resolved.

    Transparency stays in "RGBA" alone; below the others lies `options.background`.

    Raises UnreadableImage where the pixels are damaged.
    """
    with _reporting_damage():
        target = _MODES[options.channels]
        profile = options.use_icc and image.info.get("icc_profile")
        if profile:
            image = to_srgb(image)
        if target != "RGBA" and (image.mode in TRANSPARENT_MODES or "transparency" in image.info):
            image = _flatten(image, options)
        return image if image.mode == target else image.convert(target)


def read_image(file: BinaryIO, options: ReadOptions = ReadOptions()) -> Image.Image:
    """Return a binary file object as a complete, upright "RGB", "RGBA" or "L" Pillow image; raises UnreadableImage."""
    return to_plain(decode(file, options), options)
