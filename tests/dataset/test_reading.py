import io
import shutil
import struct

import numpy as np
import pytest

from sg2ada_colab import UserError
from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.dataset.records import RecordLayout
from tests.oracles.forms import FORMS


def write_level(folder, images_nhwc, name=None, orders=None):
    """Write images as one level, with the fields of each record in the order that `orders` says (True: shape first)."""
    images = images_nhwc.transpose(0, 3, 1, 2)
    count, channels, side, width = images.shape
    layouts = {first: RecordLayout(channels, side, width, first) for first in (True, False)}
    orders = [True] * count if orders is None else orders
    folder.mkdir(exist_ok=True)
    path = folder / (name or f"set-r{side.bit_length() - 1:02d}.tfrecords")
    path.write_bytes(b"".join(layouts[o].encode(images[i : i + 1]).tobytes() for i, o in enumerate(orders)))
    return path


def random_images(count, side=8, channels=3, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (count, side, side, channels)).astype(np.uint8)


@pytest.mark.parametrize("small_set", FORMS, indirect=True)
def test_reads_images_and_labels_in_any_order(small_set):
    path, images = small_set
    data = open_dataset(path)
    assert (data.num_images, data.resolution, data.label_size, data.name) == (11, 16, 3, "small")
    assert (data.height, data.width, data.channels) == images.shape[1:]
    picks = [10, 0, 3, 3]
    assert (data.read(picks) == images[picks]).all()
    assert data.read(picks).flags.c_contiguous and data.read([]).shape == (0,) + images.shape[1:]
    assert data.labels.argmax(1).tolist() == [0] * 4 + [1] * 4 + [2] * 3
    with pytest.raises(IndexError):
        data.read([11])


def test_both_field_orders_may_mix(tmp_path):
    images = random_images(6)
    write_level(tmp_path / "set", images, orders=[True, False, False, True, False, True])
    assert (open_dataset(tmp_path / "set").read(range(6)) == images).all()


def test_records_of_other_lengths_are_walked(tmp_path):
    # The shape stored unpacked makes a record three bytes longer than its neighbours.
    images = random_images(3)
    path = write_level(tmp_path / "set", images)
    record = RecordLayout(3, 8, 8).encode(images[:1].transpose(0, 3, 1, 2))[0].tobytes()
    payload = record[12:-4].replace(b"\x12\x07\x1a\x05\x0a\x03\x03\x08\x08", b"\x12\x08\x1a\x06\x08\x03\x08\x08\x08\x08")
    payload = payload.replace(b"\x0a\x10\x0a\x05shape", b"\x0a\x11\x0a\x05shape")
    assert len(payload) == len(record) - 15
    features = len(payload) - 3
    payload = b"\x0a" + bytes([features & 127 | 128, features >> 7]) + payload[3:]
    longer = struct.pack("<Q", len(payload)) + b"crc!" + payload + b"crc!"
    path.write_bytes(path.read_bytes() + longer)
    assert (open_dataset(tmp_path / "set").read([0, 3, 2]) == images[[0, 0, 2]]).all()


@pytest.mark.parametrize("small_set", FORMS, indirect=True)
def test_a_smaller_level_and_fewer_label_components(small_set):
    data = open_dataset(small_set[0], resolution=8, max_label_size=2)
    assert (data.resolution, data.label_size) == (8, 2)
    (height, width, channels), shown = small_set[1].shape[1:], data.read([0])
    assert shown.shape == (1, height // 2, width // 2, channels) == (1, data.height, data.width, data.channels)
    assert open_dataset(small_set[0], max_label_size=0).labels.shape == (11, 0)


def test_a_subset_is_fixed_by_its_seed(small_set):
    path, images = small_set
    rows = np.arange(11)
    np.random.RandomState(4).shuffle(rows)
    rows = np.sort(rows[:5])
    data = open_dataset(path, max_images=5, subset_seed=4)
    assert (data.read(range(5)) == images[rows]).all()
    assert (data.labels == open_dataset(path).labels[rows]).all()
    assert len(open_dataset(path, max_images=50)) == 11
    assert data.digest() != open_dataset(path, max_images=5, subset_seed=5).digest()


def test_the_validation_set_is_separate(tmp_path):
    images = random_images(5)
    write_level(tmp_path / "set", images[:3])
    write_level(tmp_path / "set", images[3:], "validation-set-r03.tfrecords")
    np.save(str(tmp_path / "set" / "set-rxx.labels.npy"), np.ones((3, 2), np.float32))
    (tmp_path / "set" / "set-rxx.labels.npy").rename(tmp_path / "set" / "set-rxx.labels")
    assert (open_dataset(tmp_path / "set").read(range(3)) == images[:3]).all()
    validation = open_dataset(tmp_path / "set", validation=True)
    assert (validation.read(range(2)) == images[3:]).all()
    assert validation.label_size == 0


@pytest.mark.parametrize("small_set", ["square", "tall"], indirect=True)
def test_the_digest_depends_on_content_alone(small_set, tmp_path):
    path, _ = small_set
    original = open_dataset(path).digest()
    shutil.copytree(str(path), str(tmp_path / "copy"))
    (tmp_path / "copy" / "manifest.json").unlink()
    assert open_dataset(tmp_path / "copy").digest() == original
    assert open_dataset(path, resolution=8).digest() != original
    file = tmp_path / "copy" / "small-r04.tfrecords"
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(bytes(data))
    assert open_dataset(tmp_path / "copy").digest() != original


@pytest.mark.parametrize("labels, message", [
    (np.ones((4, 2), np.float32), r"holds \(4, 2\) of float32"),
    (np.ones(3, np.float32), r"holds \(3,\) of float32"),
    (np.array([["a"]] * 3), r"holds \(3, 1\) of <U1"),
    (np.full((3, 1), np.nan, np.float32), "not finite"),
    (b"not an array", "cannot be read"),
])  # fmt: skip
def test_bad_label_files(tmp_path, labels, message):
    write_level(tmp_path / "set", random_images(3))
    stream = io.BytesIO()
    if isinstance(labels, bytes):
        stream.write(labels)
    else:
        np.save(stream, labels)
    (tmp_path / "set" / "set-rxx.labels").write_bytes(stream.getvalue())
    with pytest.raises(UserError, match=message):
        open_dataset(tmp_path / "set")


def test_what_is_no_dataset(tmp_path, make_folder):
    def message(path, **options):
        with pytest.raises(UserError) as caught:
            open_dataset(path, **options)
        return str(caught.value)

    assert "does not exist" in message(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "holds neither TFRecords nor images" in message(tmp_path / "empty")
    write_level(tmp_path / "a", random_images(3))
    assert "no validation files" in message(tmp_path / "a", validation=True)
    assert "one of its resolutions: 8" in message(tmp_path / "a", resolution=16)
    write_level(tmp_path / "a", random_images(2, side=4))
    assert "do not belong together (4 px: 2 images, 3 channels, 8 px: 3 images" in message(tmp_path / "a")
    write_level(tmp_path / "b", random_images(2))
    write_level(tmp_path / "b", random_images(2), "other.tfrecords")
    assert "both hold 8 pixel images" in message(tmp_path / "b")
    write_level(tmp_path / "c", random_images(2, side=17), "c-r03.tfrecords")
    assert "3 x 17 x 17" in message(tmp_path / "c")
    file = write_level(tmp_path / "d", random_images(2))
    data = file.read_bytes()
    file.write_bytes(data[:-7])
    assert "breaks off after 1 complete records" in message(tmp_path / "d")
    file.write_bytes(data[:100])
    assert "breaks off, or is damaged, at byte 0" in message(tmp_path / "d")
    file.write_bytes(b"")
    assert "has 0 bytes" in message(tmp_path / "d")
    file.write_bytes(b"A" * 100)
    assert "breaks off, or is damaged" in message(tmp_path / "d")
    (tmp_path / "a" / "manifest.json").write_text("{")
    assert "manifest.json is damaged" in message(tmp_path / "a")


def test_mixed_sizes_in_one_file_are_named(tmp_path):
    file = write_level(tmp_path / "set", random_images(2))
    other = RecordLayout(3, 4, 16).encode(np.zeros((1, 3, 4, 16), np.uint8)).tobytes()
    file.write_bytes(file.read_bytes() + other)
    data = open_dataset(tmp_path / "set")
    assert len(data) == 3
    with pytest.raises(UserError, match=r"\(3, 8, 8\) in record 0 but \(3, 4, 16\) in record 2"):
        data.read([2])


def test_reads_what_the_original_wrote_in_decoded_form(facts, reference, make_folder, tmp_path):
    arrays = reference("dataset")
    entry = "from_images_rgb_shuffle1"
    folder = make_folder(arrays["src_rgb.images"], facts["src_rgb"]["names"])
    path = prepare(folder, tmp_path / "ds_rgb_s1", PrepareOptions(), progress=False).path
    for level in (4, 8):
        decoded = arrays[f"{entry}/ds_rgb_s1-r{level.bit_length() - 1:02d}.tfrecords"]
        assert (open_dataset(path, resolution=level).read(range(10)) == decoded.transpose(0, 2, 3, 1)).all()
