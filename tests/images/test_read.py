import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from sg2ada_colab.images.read import ReadOptions, UnreadableImage, decode, read_header, read_image, to_plain

PLAIN, GREY = ReadOptions(), ReadOptions(channels=1)


def photo(width=40, height=24):
    """Return a smooth RGB picture, which JPEG keeps to a few levels."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, 255 - x * 255 // width], -1).astype(np.uint8)


def saved(image, kind, **options):
    stream = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(stream, kind, **options)
    stream.seek(0)
    return stream


def pixels(stream, options=PLAIN):
    stream.seek(0)
    return np.asarray(read_image(stream, options)).astype(int)


@pytest.mark.parametrize("kind, tolerance", [
    ("PNG", 0), ("BMP", 0), ("TIFF", 0), ("PPM", 0), ("JPEG", 3), ("WEBP", 5), ("GIF", 12), ("JPEG2000", 1)
])  # fmt: skip
def test_every_format_gives_its_pixels(kind, tolerance):
    difference = np.abs(pixels(saved(photo(), kind)) - photo())
    assert difference.mean() <= tolerance


def test_avif_where_pillow_has_it():
    Image.init()
    if "AVIF" not in Image.SAVE:
        assert reason(b"\0\0\0\x20ftypavif" + bytes(60))[1].startswith("AVIF image; this Pillow")
        return
    assert np.abs(pixels(saved(photo(), "AVIF", quality=100)) - photo()).mean() <= 3


def test_heic_where_a_library_is_present():
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    stream = saved(photo(64, 48), "HEIF", quality=95)
    assert read_header(stream).format == "HEIF"
    assert np.abs(pixels(stream) - photo(64, 48)).mean() <= 5


@pytest.mark.parametrize("orientation, is_turned", [(1, False), (3, False), (6, True), (8, True)])
def test_a_heic_is_turned_once(orientation, is_turned):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = saved(photo(64, 48), "HEIF", quality=95, exif=exif.tobytes())
    jpeg = saved(photo(64, 48), "JPEG", quality=100, exif=exif.tobytes())
    header = read_header(stream)
    assert (header.width, header.height) == ((48, 64) if is_turned else (64, 48))
    assert np.abs(pixels(stream) - pixels(jpeg)).mean() <= 5


@pytest.mark.parametrize("orientation, undo", [
    (2, lambda a: a[:, ::-1]), (3, lambda a: a[::-1, ::-1]), (4, lambda a: a[::-1]), (5, lambda a: a.transpose(1, 0, 2)),
    (6, lambda a: np.rot90(a, 3)), (7, lambda a: np.rot90(a, 2).transpose(1, 0, 2)), (8, lambda a: np.rot90(a)),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_rotation_is_applied(kind, orientation, undo):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x0112: orientation}} if kind == "TIFF" else {"exif": exif.tobytes()}
    if kind == "JPEG":
        options.update(quality=100, subsampling=0)
    if kind == "WEBP":
        options["lossless"] = True
    stream = saved(photo(), kind, **options)
    header = read_header(stream)
    expected = undo(photo())
    assert (header.height, header.width) == expected.shape[:2]
    assert "EXIF rotation" in header.notes
    assert np.abs(pixels(stream) - expected).max() <= (3 if kind == "JPEG" else 0)


def test_damaged_exif_counts_as_upright():
    stream = saved(photo(), "JPEG", exif=b"Exif\0\0II*\0garbage garbage garbage", quality=100, subsampling=0)
    assert np.abs(pixels(stream) - photo()).max() <= 3


def test_cmyk():
    stream = saved(Image.fromarray(photo()).convert("CMYK"), "JPEG", quality=100, subsampling=0)
    assert read_header(stream).mode == "CMYK"
    assert np.abs(pixels(stream) - photo()).max() <= 8


def test_transparency_shows_the_background():
    image = np.dstack([photo(), np.full(photo().shape[:2], 255, np.uint8)])
    image[:10, :, 3] = 0
    image[10:20, :, 3] = 128
    for background in ((255, 255, 255), (10, 200, 30)):
        got = pixels(saved(image, "PNG"), ReadOptions(background=background))
        assert (got[:10] == background).all()
        mixed = photo()[10:20] * (128 / 255) + np.array(background) * (127 / 255)
        assert np.abs(got[10:20] - mixed).max() <= 1
        assert (got[20:] == photo()[20:]).all()


def test_transparency_is_kept_where_four_channels_are_asked_for():
    """Of every kind of file: what is drawn over white equals what flattening gives."""
    keep, image = ReadOptions(channels=4), np.dstack([photo(), np.full(photo().shape[:2], 255, np.uint8)])
    image[:10, :, 3], image[10:20, :, 3] = 0, 128
    indexed, grey = Image.fromarray(photo()).quantize(16), Image.fromarray(photo()[..., 0])
    streams = [saved(image, "PNG"), saved(indexed, "PNG", transparency=3), saved(photo(), "PNG", transparency=(1, 2, 3)),
               saved(Image.merge("LA", [grey, Image.fromarray(image[..., 3])]), "PNG"), saved(grey, "PNG"),
               saved(photo(), "JPEG")]  # fmt: skip
    for stream in streams:
        got = read_image(stream, keep)
        stream.seek(0)
        assert got.mode == "RGBA"
        white = Image.new("RGBA", got.size, "white")
        flat = np.asarray(Image.alpha_composite(white, got).convert("RGB")).astype(int)
        assert np.abs(flat - pixels(stream)).max() <= 1
    kept = np.asarray(read_image(saved(image, "PNG"), keep))
    np.testing.assert_array_equal(kept[10:], image[10:])


def test_a_transparent_pixel_lends_its_colour_to_no_neighbour():
    image = np.zeros((16, 16, 4), np.uint8)
    image[..., 0] = 255  # red, but invisible
    assert (pixels(saved(image, "PNG")) == 255).all()


def test_palettes_with_and_without_transparency():
    indexed = Image.fromarray(photo()).quantize(16)
    plain = np.asarray(indexed.convert("RGB")).astype(int)
    assert (pixels(saved(indexed, "PNG")) == plain).all()
    transparent = pixels(saved(indexed, "PNG", transparency=3))
    is_clear = np.asarray(indexed) == 3
    assert is_clear.any()
    assert (transparent[is_clear] == 255).all()
    assert (transparent[~is_clear] == plain[~is_clear]).all()
    per_entry = pixels(saved(indexed, "PNG", transparency=bytes([255, 255, 255, 0] + [255] * 12)))
    assert (per_entry == transparent).all()


def test_one_transparent_colour_of_an_rgb_png():
    image = photo()
    image[:5] = (1, 2, 3)
    got = pixels(saved(image, "PNG", transparency=(1, 2, 3)))
    assert (got[:5] == 255).all() and (got[5:] == photo()[5:]).all()


def test_grey_and_grey_with_alpha():
    grey = photo()[..., 0]
    assert (pixels(saved(grey, "PNG")) == grey[..., None]).all()
    assert (pixels(saved(grey, "PNG"), GREY) == grey).all()
    alpha = np.full_like(grey, 255)
    alpha[:8] = 0
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    for options in (ReadOptions(background=(0, 0, 0)), ReadOptions(channels=1, background=(0, 0, 0))):
        got = pixels(saved(image, "PNG"), options)
        got = got if got.ndim == 2 else got[..., 0]
        assert (got[:8] == 0).all() and (got[8:] == grey[8:]).all()


def test_one_bit_images():
    bits = photo()[..., 0] > 100
    assert (pixels(saved(Image.fromarray(bits), "PNG"), GREY) == bits * 255).all()


def test_16_bit_png_and_tiff_keep_their_range():
    values = (np.arange(40 * 24).reshape(24, 40) * 68).astype(np.uint16)
    expected = np.rint(values / 257.0)
    for kind in ("PNG", "TIFF"):
        got = pixels(saved(Image.fromarray(values), kind), GREY)
        assert np.abs(got - expected).max() <= 1
    dark = (values // 300).astype(np.uint16)  # no value over 255: still 16 bits deep, so nearly black
    assert pixels(saved(Image.fromarray(dark), "PNG"), GREY).max() <= 1


def png_chunks(width, height, bits, color_type, rows):
    """Write a PNG by hand, for depths that Pillow does not write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def test_16_bit_rgb_png():
    values = photo().astype(np.uint16) * 257
    stream = png_chunks(40, 24, 16, 2, [row.astype(">u2").tobytes() for row in values])
    assert np.abs(pixels(stream) - photo()).max() <= 1


def test_floating_point_tiff():
    values = photo()[..., 0].astype(np.float32) / 255
    values[0, 0] = np.nan
    got = pixels(saved(Image.fromarray(values), "TIFF"), GREY)
    expected = photo()[..., 0].copy()
    expected[0, 0] = 0
    assert np.abs(got - expected).max() <= 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    frames = [Image.new("RGB", (8, 8), color) for color in ((200, 10, 10), (10, 200, 10), (10, 10, 200))]
    options = {"save_all": True, "append_images": frames[1:]}
    if kind == "WEBP":
        options["lossless"] = True
    stream = saved(frames[0], kind, **options)
    assert read_header(stream).frames == 3
    assert np.abs(pixels(stream) - (200, 10, 10)).max() <= 2


def swapped_profile():
    """Return an sRGB-like profile whose red and blue primaries are exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    entries = {bytes(data[132 + 12 * i :][:4]): 132 + 12 * i for i in range(count)}
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    data[red + 4 : red + 12], data[blue + 4 : blue + 12] = data[blue + 4 : blue + 12], data[red + 4 : red + 12]
    text = entries[b"desc"]
    offset, size = struct.unpack(">II", data[text + 4 : text + 12])
    part = bytes(data[offset : offset + size])
    for name in (b"sRGB", "sRGB".encode("utf-16-be")):
        part = part.replace(name, name[::-1])
    data[offset : offset + size] = part
    return bytes(data)


def test_colour_profiles_are_converted_to_srgb():
    stream = saved(photo(), "PNG", icc_profile=swapped_profile())
    assert "colour profile" in read_header(stream).notes
    assert np.abs(pixels(stream) - photo()[..., ::-1]).max() <= 3
    assert (pixels(stream, ReadOptions(use_icc=False)) == photo()).all()


def test_srgb_and_damaged_profiles_change_nothing():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"garbage", swapped_profile()[:200]):
        assert (pixels(saved(photo(), "PNG", icc_profile=profile)) == photo()).all()


def test_a_profile_and_transparency_together():
    image = np.dstack([photo(), np.full(photo().shape[:2], 255, np.uint8)])
    image[:5, :, 3] = 0
    got = pixels(saved(image, "PNG", icc_profile=swapped_profile()))
    assert (got[:5] == 255).all()
    assert np.abs(got[5:] - photo()[5:, :, ::-1]).max() <= 3


def reason(data, options=PLAIN):
    with pytest.raises(UnreadableImage) as caught:
        read_image(io.BytesIO(data), options)
    return caught.value.kind, str(caught.value)


def test_what_is_no_image_says_so():
    assert reason(b"") == ("empty", "the file is empty")
    assert reason(b"Dear diary,\n") == ("not an image", "text, not an image")
    assert reason(b"<svg xmlns=...>")[1].startswith("SVG")
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")[0] == "not an image"
    assert reason(b"\0\0\0\x18ftypheic" + b"\0" * 40)[0] in ("not an image", "damaged")
    assert reason(bytes(range(128, 200)))[0] == "not an image"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_truncated_files_are_refused_and_not_padded(kind):
    noise = np.random.RandomState(0).randint(0, 256, (64, 64, 3)).astype(np.uint8)
    data = saved(noise, kind).getvalue()
    assert reason(data[: len(data) // 2])[0] in ("truncated", "damaged", "not an image")
    assert reason(data[:20])[0] in ("truncated", "damaged", "not an image")


def test_bombs_are_refused_by_their_header():
    huge = png_chunks(60000, 60000, 8, 0, [b"\0"])
    assert reason(huge.getvalue())[0] == "bomb"
    kind, text = reason(saved(photo(), "PNG").getvalue(), ReadOptions(max_pixels=500))
    assert kind == "bomb" and "40 x 24" in text


def test_the_limit_for_bombs_can_be_raised_above_pillows_own(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    stream = saved(photo(64, 48), "PNG")  # 3,072 pixels
    assert read_header(stream, ReadOptions(max_pixels=4000)).width == 64
    assert (pixels(stream) == photo(64, 48)).all()
    assert reason(saved(photo(80, 80), "PNG").read(), ReadOptions(max_pixels=4000))[0] == "bomb"


def test_a_large_jpeg_is_decoded_smaller_when_less_is_needed():
    stream = saved(photo(800, 480), "JPEG", quality=95)
    assert decode(stream, ReadOptions(), (200, 120)).size == (200, 120)
    stream.seek(0)
    assert decode(stream, ReadOptions(), (500, 300)).size == (800, 480)


FILES = [saved(photo(), kind).getvalue() for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")]
FILES.append(saved(Image.fromarray(photo()).quantize(16), "PNG", transparency=3).getvalue())
FILES.append(saved(photo(), "PNG", icc_profile=swapped_profile()).getvalue())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_damaged_bytes_give_pixels_or_a_reason(data, choices):
    damaged = bytearray(data)
    for _ in range(choices.draw(st.integers(1, 6))):
        damaged[choices.draw(st.integers(0, len(damaged) - 1))] = choices.draw(st.integers(0, 255))
    damaged = bytes(damaged[: choices.draw(st.integers(1, len(damaged)))] if choices.draw(st.booleans()) else damaged)
    options = ReadOptions(max_pixels=1 << 20)
    for read in (read_header, read_image):
        try:
            result = read(io.BytesIO(damaged), options)
        except UnreadableImage as problem:
            assert problem.kind in ("empty", "not an image", "damaged", "truncated", "bomb") and str(problem)
        else:
            if read is read_image:
                assert result.mode == "RGB" and np.asarray(result).shape == (result.height, result.width, 3)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_no_image(data):
    with pytest.raises(UnreadableImage):
        read_image(io.BytesIO(data), ReadOptions(max_pixels=1 << 20))


def test_plain_images_are_passed_on_untouched():
    image = Image.fromarray(photo())
    assert to_plain(image) is image
