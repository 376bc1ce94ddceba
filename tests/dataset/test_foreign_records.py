"""TFRecords of other programs: each test writes its own, with an encoder of its own."""

import gzip
import io
import struct
import zlib

import google_crc32c
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.dataset.foreign_records import foreign_source, image_file
from sg2ada_colab.dataset.sources import open_any_source
from sg2ada_colab.images.fit import FitOptions
from sg2ada_colab.images.labels import find_labels
from sg2ada_colab.images.read import UnreadableImage, read_image


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytearray([value]))


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def feature(value):
    """Return a serialised Feature of bytes, of integers, or of floats that are not packed."""
    if isinstance(value, bytes):
        return field(1, field(1, value))
    if isinstance(value[0], float):
        return field(2, b"".join(b"\x0d" + struct.pack("<f", number) for number in value))
    return field(3, field(1, b"".join(varint(number % (1 << 64)) for number in value)))


def example(**features):
    entries = [field(1, field(1, name.replace("_slash_", "/").encode()) + field(2, feature(value)))
               for name, value in features.items()]  # fmt: skip
    return field(1, b"".join(entries))


def masked(data):
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def framed(payload):
    length = struct.pack("<Q", len(payload))
    return length + masked(length) + payload + masked(payload)


def write(path, payloads, packed=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(map(framed, payloads))
    path.write_bytes(packed(data) if packed else data)
    return path.parent


def images(count=4, height=16, width=16, channels=3):
    return np.random.RandomState(3).randint(0, 256, (count, height, width, channels)).astype(np.uint8)


def raw(image):
    return example(shape=[image.shape[2], image.shape[0], image.shape[1]], data=image.transpose(2, 0, 1).tobytes())


def encoded(image, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind)
    return stream.getvalue()


def pixels_of(folder):
    source = open_any_source(folder)
    return np.stack([np.asarray(read_image(source.open(i))) for i in range(len(source))])


@pytest.mark.parametrize("name, packed", [
    ("x-r04.tfrecords", gzip.compress), ("x-r04.tfrecords", zlib.compress), ("x.tfrecords.gz", gzip.compress),
    ("x.tfrecord", None),
])  # fmt: skip
def test_compressed_ones(tmp_path, name, packed):
    folder = write(tmp_path / "set" / name, map(raw, images()), packed)
    assert (pixels_of(folder) == images()).all()
    with pytest.raises(UserError, match=f"sg2ada prepare {folder} FOLDER") as error:
        open_dataset(folder)
    if name == "x-r04.tfrecords":
        kind = "gzip" if packed is gzip.compress else "zlib"
        assert error.value.what == f"{folder / name} is compressed with {kind}"
        assert error.value.next_step.startswith("gunzip it first, or convert") == (kind == "gzip")


@pytest.mark.parametrize("pattern", ["x-{:05d}-of-00003.tfrecords", "x.tfrecord-{:05d}-of-00003", "x.tfrecords-{:05d}-of-00003",
                                     "x-{:05d}-of-00003"])  # fmt: skip
def test_shards(tmp_path, pattern):
    for i, part in enumerate(np.split(images(6), 3)):
        write(tmp_path / "set" / pattern.format(i), map(raw, part))
    assert (pixels_of(tmp_path / "set") == images(6)).all()
    with pytest.raises(UserError, match=f"sg2ada prepare {tmp_path / 'set'} FOLDER"):
        open_dataset(tmp_path / "set")
    result = prepare(tmp_path / "set", tmp_path / "out", PrepareOptions(shuffle=False), progress=False)
    assert (open_dataset(result.path).read(range(6)) == images(6)).all()


def test_one_file_by_its_path(tmp_path):
    folder = write(tmp_path / "set" / "x.tfrecord", map(raw, images()))
    assert (pixels_of(folder / "x.tfrecord") == images()).all()
    with pytest.raises(UserError, match="x.tfrecord holds TFRecords of another program"):
        open_dataset(folder / "x.tfrecord")


@pytest.mark.parametrize("height, width, channels", [(25, 17, 3), (17, 20, 1), (16, 16, 4), (12, 16, 2)])
def test_rectangular_ones_and_transparency(tmp_path, height, width, channels):
    pictures = images(3, height, width, channels)
    folder = write(tmp_path / "set" / "x-r04.tfrecords", map(raw, pictures))
    source = open_any_source(folder)
    for i, picture in enumerate(pictures):
        image = Image.open(source.open(i))
        assert image.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
        assert (np.asarray(image).reshape(picture.shape) == picture).all()
    result = prepare(folder, tmp_path / "out", PrepareOptions(fit=FitOptions("pad", upscale=True)), progress=False)
    assert result.num_images == 3 and result.channels == (1 if channels < 3 else 3)
    with pytest.raises(UserError, match=f"holds images of {channels} x {height} x {width} (.|\n)*convert it: sg2ada prepare"):
        open_dataset(folder)


@pytest.mark.parametrize("name, record", [("x-r04.tfrecords", raw), ("y.tfrecord", lambda image: example(img=encoded(image)))])
def test_rgba_is_kept_where_it_is_asked_for(tmp_path, name, record):
    pictures = images(3, 16, 16, 4)
    pictures[..., 3] = np.maximum(pictures[..., 3], 1)  # all visible, so nothing is filled
    pictures[1, :4, :4] = 0, 0, 0, 0
    folder = write(tmp_path / "set" / name, map(record, pictures))
    result = prepare(folder, tmp_path / "out", PrepareOptions(alpha="keep", shuffle=False), progress=False)
    kept = open_dataset(result.path).read(range(3))
    visible = pictures[..., 3] > 0
    np.testing.assert_array_equal(kept[visible], pictures[visible])
    np.testing.assert_array_equal(kept[..., 3], pictures[..., 3])
    assert prepare(folder, tmp_path / "flat", PrepareOptions(), progress=False).channels == 3
    with pytest.raises(UserError, match="sg2ada prepare"):
        open_dataset(folder)
    again = prepare(result.path, tmp_path / "again", PrepareOptions(alpha="keep", shuffle=False), progress=False)
    np.testing.assert_array_equal(open_dataset(again.path).read(range(3)), kept)


def test_rectangles_that_networks_can_have_are_opened_as_they_are(tmp_path):
    write(tmp_path / "set" / "x-r04.tfrecords", map(raw, images(3, 24, 16, 3)))
    data = open_dataset(tmp_path / "set")
    assert (data.height, data.width, data.resolution) == (24, 16, 16)
    assert (data.read(range(3)) == images(3, 24, 16, 3)).all()
    write(tmp_path / "set" / "x-r03.tfrecords", map(raw, images(3, 12, 9, 3)))  # not half of it
    with pytest.raises(UserError, match="holds images of 3 x 12 x 9 "):
        open_dataset(tmp_path / "set")


def test_of_several_levels_the_largest_is_taken(tmp_path):
    write(tmp_path / "set" / "x-r05.tfrecords", map(raw, images(3, 48, 32)))
    write(tmp_path / "set" / "x-r04.tfrecords", map(raw, images(3, 24, 16)))
    write(tmp_path / "set" / "validation-x-r05.tfrecords", map(raw, images(1, 48, 32)))
    np.save(str(tmp_path / "labels.npy"), np.eye(3, dtype=np.float32))
    (tmp_path / "labels.npy").rename(tmp_path / "set" / "x-rxx.labels")
    assert (pixels_of(tmp_path / "set") == images(3, 48, 32)).all()
    assert find_labels(open_any_source(tmp_path / "set"), "auto").rows.tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("key", ["img", "image_slash_encoded", "image", "jpg"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_encoded_ones(tmp_path, key, kind):
    files = [encoded(picture, kind) for picture in images(3)]
    payloads = [example(**{"id": b"7", key: file, "shape": [3, 16, 16], "score": [0.5]}) for file in files]
    folder = write(tmp_path / "set" / "x-r04.tfrecords", payloads)
    assert (pixels_of(folder) == np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])).all()
    with pytest.raises(UserError, match="holds something else at byte 0(.|\n)*convert it: sg2ada prepare"):
        open_dataset(folder)


@pytest.mark.parametrize("sizes", [{"height": [24], "width": [16], "depth": [3]}, {"image_slash_height": [24], "width": [16]}])
def test_raw_pixels_by_height_and_width(tmp_path, sizes):
    pictures = images(2, 24, 16)
    folder = write(tmp_path / "set" / "x.tfrecords", [example(image_raw=picture.tobytes(), **sizes) for picture in pictures])
    assert (pixels_of(folder) == pictures).all()


@pytest.mark.parametrize("key, values, expected, classes", [
    ("label", [[1], [0], [1]], [[0, 1], [1, 0], [0, 1]], None),
    ("image_slash_class_slash_label", [[1], [0], [1]], [[0, 1], [1, 0], [0, 1]], None),
    ("image_slash_class_slash_text", [b"owl", b"jay", b"owl"], [[0, 1], [1, 0], [0, 1]], ["jay", "owl"]),
    ("label", [[1, 2], [3, 4], [5, -6]], [[1, 2], [3, 4], [5, -6]], None),
])  # fmt: skip
def test_labels_in_the_records(tmp_path, key, values, expected, classes):
    payloads = [example(image=encoded(picture), **{key: value}) for picture, value in zip(images(3), values)]
    labels = find_labels(open_any_source(write(tmp_path / "set" / "x.tfrecord", payloads)), "auto")
    assert labels.rows.tolist() == expected and labels.classes == classes


def test_labels_that_do_not_fit_can_be_left_out(tmp_path):
    folder = write(tmp_path / "set" / "x.tfrecord", [example(image=encoded(image), label=[700]) for image in images(3)])
    with pytest.raises(UserError, match="the class number 700 for 00000000, but there are only 3 images"):
        prepare(folder, tmp_path / "out", progress=False)
    assert prepare(folder, tmp_path / "out", PrepareOptions(labels="none"), progress=False).num_images == 3


def test_what_is_damaged_costs_one_image_or_is_told(tmp_path):
    folder = write(tmp_path / "set" / "x.tfrecord", [example(image=encoded(image)) for image in images(3)] + [example(id=b"x")])
    data = bytearray((folder / "x.tfrecord").read_bytes())
    data[100] ^= 1
    (folder / "x.tfrecord").write_bytes(bytes(data))
    result = prepare(folder, tmp_path / "out", progress=False)
    assert result.num_images == 2
    assert result.problems == [
        ("00000000", "damaged", "its record at byte 0 does not match its checksum"),
        ("00000003", "not an image", "no field of its record holds an image (it has id)"),
    ]
    (folder / "x.tfrecord").write_bytes(bytes(data[:-7]))
    with pytest.raises(UserError, match="x.tfrecord breaks off in the record at byte"):
        open_any_source(folder)
    data[3] ^= 255
    (folder / "x.tfrecord").write_bytes(bytes(data))
    with pytest.raises(UserError, match="x.tfrecord breaks off, or is damaged, at byte 0"):
        open_any_source(folder)
    for packed in (gzip.compress(bytes(data)), zlib.compress(bytes(data))):
        (folder / "x.tfrecord").write_bytes(packed[: len(packed) // 2])
        with pytest.raises(UserError, match="x.tfrecord cannot be unpacked"):
            open_any_source(folder)


def test_a_full_disk_of_temporary_files_is_told(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    folder = write(tmp_path / "set" / "x.tfrecord", [raw(np.zeros((512, 512, 3), np.uint8))] * 4, gzip.compress)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(UserError, match="needs more disk space unpacked than (.|\n)*TMPDIR"):
            open_any_source(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_source_of_compressed_records_can_be_sent_to_a_process(tmp_path):
    folder = write(tmp_path / "set" / "x.tfrecord", map(raw, images(40)), gzip.compress)
    result = prepare(folder, tmp_path / "out", PrepareOptions(shuffle=False, workers=2), progress=False)
    assert (open_dataset(result.path).read(range(40)) == images(40)).all()
    assert foreign_source(folder).fingerprint() == foreign_source(folder).fingerprint()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_records_give_an_image_or_a_reason(choices):
    payload = bytearray(choices.draw(st.sampled_from([
        example(image=encoded(images(1)[0]), label=[1], name=b"x", score=[0.5, 1.5]), raw(images(1)[0]),
        example(image_raw=images(1)[0].tobytes(), height=[16], width=[16], depth=[3]),
    ])))  # fmt: skip
    for _ in range(choices.draw(st.integers(1, 4))):
        payload[choices.draw(st.integers(0, min(len(payload) - 1, 120)))] = choices.draw(st.integers(0, 255))
    try:
        assert image_file(bytes(payload[: choices.draw(st.integers(0, len(payload)))]))
    except UnreadableImage as problem:
        assert str(problem)
