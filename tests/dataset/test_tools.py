import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.dataset.classic.torch_format import export
from sg2ada_colab.dataset.tools import compare, extract, info, verify
from sg2ada_colab.shape import compact_size
from tests.oracles.forms import FORMS

in_every_form = pytest.mark.parametrize("small_set", FORMS, indirect=True)


def as_they_are(images, factor=1):
    """Return the PrepareOptions that keep the form and the order of uint8 images [N, H, W, C], `factor` times smaller."""
    size = compact_size(images.shape[1] // factor, images.shape[2] // factor)
    return PrepareOptions(resolution=size, alpha="keep" if images.shape[3] == 4 else "flatten", shuffle=False)


def flip_bit(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(bytes(data))


@in_every_form
def test_info_tells_the_facts(small_set):
    facts, (height, width, channels) = info(small_set[0]), small_set[1].shape[1:]
    size = 16 if height == width else f"{width}x{height}"
    assert (facts["images"], facts["resolution"], facts["label size"]) == (11, size, 3)
    assert facts["channels"] == (3 if channels == 3 else "4 (RGBA)")
    assert facts["images per class"] == "4, 4, 3"
    assert facts["classes"] == "a, b, c"
    assert facts["manifest"] == "yes" and facts["mean label length"] == "1.000"


@in_every_form
def test_a_whole_set_verifies(small_set):
    result = verify(small_set[0], progress=False)
    assert result.problems == []
    assert result.records == 33
    assert result.checked["manifest"]


@pytest.mark.parametrize("position, message", [(3, "breaks off|damaged"), (9, "checksum"), (60, "checksum"), (-2, "checksum")])
def test_one_changed_bit_is_found_by_both_checks(small_set, position, message):
    path, _ = small_set
    flip_bit(path / "small-r04.tfrecords", position)
    problems = verify(path, progress=False).problems
    assert any("SHA-256" in problem for problem in problems)
    (path / "manifest.json").unlink()
    problems = verify(path, progress=False).problems
    import re

    assert len(problems) == 1 and re.search(message, problems[0])


def test_all_problems_are_told_at_once(small_set):
    path, _ = small_set
    flip_bit(path / "small-r04.tfrecords", 100)
    flip_bit(path / "small-r03.tfrecords", -9)
    (path / "small-r02.tfrecords").unlink()
    problems = verify(path, progress=False).problems
    assert len([p for p in problems if "SHA-256" in p]) == 2
    assert len([p for p in problems if "record 0 does not match" in p]) == 1
    assert len([p for p in problems if "record 10 does not match" in p]) == 1
    assert len([p for p in problems if "is missing" in p]) == 1


@pytest.mark.parametrize("small_set", ["square", "tall", "wide"], indirect=True)  # RGBA is not taken without its manifest
def test_a_level_of_other_images_is_found(small_set, tmp_path, make_folder):
    path, images = small_set
    other = prepare(make_folder(255 - images, folder="x"), tmp_path / "small2", as_they_are(images), progress=False).path
    shutil.copy(other + "/small2-r03.tfrecords", str(path / "small-r03.tfrecords"))
    (path / "manifest.json").unlink()
    problems = verify(path, progress=False).problems
    assert len(problems) == 1 and "record 0 is not the mean of the full resolution" in problems[0]


def test_labels_that_do_not_fit_are_a_problem(small_set):
    path, _ = small_set
    with open(str(path / "small-rxx.labels"), "wb") as file:
        np.save(file, np.zeros((5, 2), np.float32))
    assert any("holds (5, 2)" in problem for problem in verify(path, progress=False).problems)


@in_every_form
def test_extract_names_images_as_the_original_does(small_set, tmp_path):
    path, images = small_set
    assert extract(path, tmp_path / "out", progress=False) == 11
    names = sorted(entry.name for entry in (tmp_path / "out").iterdir())
    assert names == [f"img{i:08d}.png" for i in range(11)]
    assert (np.asarray(Image.open(str(tmp_path / "out" / names[7]))) == images[7]).all()
    with pytest.raises(UserError, match="is in use"):
        extract(path, tmp_path / "out", progress=False)


@in_every_form
def test_compare_counts_what_is_equal(small_set, tmp_path, make_folder):
    path, images = small_set
    assert compare(path, path, progress=False).equal
    changed = images.copy()
    changed[4] += 1
    other = prepare(make_folder(changed, folder="x"), tmp_path / "other", as_they_are(images), progress=False).path
    result = compare(path, other, ignore_labels=True, progress=False)
    assert (result.equal_images, result.equal_labels, result.equal) == (10, 11, False)
    assert compare(path, other, progress=False).equal_labels == 0
    smaller = prepare(make_folder(images[:3], folder="y"), tmp_path / "third", as_they_are(images, 2), progress=False).path
    result = compare(path, smaller, progress=False)
    assert (result.images_b, result.compared, result.equal_images) == (3, 3, 0)


@in_every_form
def test_preparing_a_set_again_gives_the_same_set(small_set, tmp_path):
    path, images = small_set
    again = prepare(path, tmp_path / "x" / "small", as_they_are(images), progress=False)
    old, new = json.loads((path / "manifest.json").read_text()), again.manifest
    assert old["files"] == new["files"]
    smaller = prepare(path, tmp_path / "smaller", as_they_are(images, 2), progress=False)
    assert open_dataset(smaller.path).label_size == 3 and open_dataset(smaller.path).resolution == 8


@pytest.fixture(params=["set.zip", "set"])
def torch_set(request, small_set, tmp_path):
    """Return the path of a set in PyTorch's form, as a zip and as a folder, of 11 images with 3 classes."""
    export(small_set[0], tmp_path / "torch" / request.param, progress=False)
    return tmp_path / "torch" / request.param


def change(path, name, data):
    """Replace one file of such a set."""
    if path.is_dir():
        (path / name).write_bytes(data)
        return
    with zipfile.ZipFile(str(path)) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    members[name] = data
    with zipfile.ZipFile(str(path), "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)


@in_every_form
def test_a_set_in_pytorchs_form_verifies(torch_set):
    result = verify(torch_set, progress=False)
    assert (result.problems, result.records, result.unit, result.checked) == ([], 11, "images", {"manifest": False})


def test_the_facts_of_a_set_in_pytorchs_form(torch_set):
    facts = info(torch_set)
    total = sum(file.stat().st_size for file in ([torch_set] if torch_set.is_file() else torch_set.rglob("*")) if file.is_file())
    assert facts["files"] == (1 if torch_set.is_file() else 12) and facts["size on disk"] == f"{total / 1000:.1f} kB"
    assert (facts["images"], facts["label size"], facts["images per class"]) == (11, 3, "4, 4, 3")


def test_all_problems_of_a_set_in_pytorchs_form_are_told(torch_set):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    change(torch_set, "00000/img00000003.png", stream.getvalue())
    change(torch_set, "00000/img00000007.png", stream.getvalue()[:-20])
    problems = verify(torch_set, progress=False).problems
    assert len(problems) == 2
    assert problems[0].endswith("00000/img00000003.png is 8x8, not 16x16 pixels (width x height)")
    assert "00000/img00000007.png: truncated" in problems[1]
    change(torch_set, "dataset.json", b'{"labels": [["00000/img00000000.png", 0]]}')
    (problem,) = verify(torch_set, progress=False).problems
    assert "10 of 11 images without a label" in problem


def test_what_is_no_dataset_is_told(tmp_path):
    with pytest.raises(UserError, match="nothing does not exist"):
        verify(tmp_path / "nothing", progress=False)
    (tmp_path / "x.tfrecord").write_bytes(b"x")
    assert verify(tmp_path, progress=False).problems == [f"{tmp_path} holds TFRecords of another program"]
    (tmp_path / "x.tfrecord").unlink()
    (problem,) = verify(tmp_path, progress=False).problems
    assert "holds neither TFRecords nor images" in problem
