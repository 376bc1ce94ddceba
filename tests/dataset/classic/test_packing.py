import hashlib

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.dataset import open_dataset
from sg2ada_colab.dataset.classic.packing import PackOptions, pack, unpack
from sg2ada_colab.dataset.tools import verify


@pytest.fixture
def unpacked(tmp_path, reference):
    """Return the folder `unp` of the reference: images, and labels in pack_extras.npz."""
    arrays = reference("dataset")
    folder = tmp_path / "unp"
    (folder / "00000").mkdir(parents=True)
    for i, image in enumerate(arrays["unpack_unp.images"]):
        Image.fromarray(image).save(str(folder / "00000" / f"img{i:08d}.png"))
    np.savez(str(folder / "pack_extras.npz"), labels=arrays["unpack_unp.labels"], num_images=10)
    return folder


@pytest.mark.parametrize("entry", ["pack_plain", "pack_split", "pack_split_seed", "pack_mirror", "pack_mirror_seed"])
def test_packed_files_equal_the_reference_byte_for_byte(tmp_path, facts, unpacked, entry):
    expected = facts[entry]
    options = dict(expected.get("options", {}))
    options["mirror"] = bool(options.get("mirror"))
    folder = tmp_path / expected["tfrecord_dir"]
    pack(unpacked, folder, PackOptions(**options), progress=False)
    for name, file in expected["files"].items():
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert digest == file.get("sha256_shape_first", file.get("sha256")), name
    assert {entry.name for entry in folder.iterdir()} == set(expected["files"]) | {"manifest.json"}
    assert verify(folder, progress=False).problems == []


def test_a_split_opens_as_two_sets(tmp_path, unpacked, reference):
    assert pack(unpacked, tmp_path / "set", PackOptions(6, 3), progress=False) == (6, 3)
    images = reference("dataset")["unpack_unp.images"]
    assert (open_dataset(tmp_path / "set").read(range(6)) == images[:6]).all()
    assert (open_dataset(tmp_path / "set", validation=True).read(range(3)) == images[6:9]).all()


def test_unpacking_a_packed_set_gives_it_back(tmp_path, unpacked, reference):
    pack(unpacked, tmp_path / "set", progress=False)
    assert unpack(tmp_path / "set", tmp_path / "again", progress=False) == 10
    for file in sorted(unpacked.rglob("*.png")):
        again = tmp_path / "again" / file.relative_to(unpacked)
        assert (np.asarray(Image.open(str(file))) == np.asarray(Image.open(str(again)))).all()
    with np.load(str(tmp_path / "again" / "pack_extras.npz")) as extras:
        assert extras["labels"].dtype == np.uint8
        assert (extras["labels"] == reference("dataset")["unpack_unp.labels"]).all()
        assert extras["num_images"] == 10


def test_unpacking_to_a_smaller_size(tmp_path, unpacked, reference):
    pack(unpacked, tmp_path / "set", progress=False)
    unpack(tmp_path / "set", tmp_path / "small", resolution=8, progress=False)
    expected = reference("dataset")["unpack_resized.images"]
    images = [np.asarray(Image.open(str(f))) for f in sorted((tmp_path / "small").rglob("*.png"))]
    assert np.abs(np.array(images).astype(int) - expected).max() <= 1


def test_labels_that_are_no_bytes_survive(small_set, tmp_path):
    path, _ = small_set
    labels = np.random.RandomState(0).randn(11, 3).astype(np.float32)
    with open(str(path / "small-rxx.labels"), "wb") as file:
        np.save(file, labels)
    unpack(path, tmp_path / "unpacked", progress=False)
    pack(tmp_path / "unpacked", tmp_path / "again", progress=False)
    assert (open_dataset(tmp_path / "again").labels == labels).all()


def test_errors(tmp_path, unpacked):
    with pytest.raises(UserError, match="11 training and 0 validation"):
        pack(unpacked, tmp_path / "a", PackOptions(11), progress=False)
    with pytest.raises(UserError, match="0 training and 10 validation"):
        pack(unpacked, tmp_path / "a", PackOptions(None, 10), progress=False)
    with pytest.raises(UserError, match="is not an unpacked dataset"):
        pack(tmp_path, tmp_path / "a", progress=False)
    Image.new("RGB", (8, 8)).save(str(unpacked / "00000" / "img00000004.png"))
    with pytest.raises(UserError, match=r"img00000004.png is \(3, 8, 8\)"):
        pack(unpacked, tmp_path / "a", progress=False)
    assert not (tmp_path / "a").exists()
    with pytest.raises(UserError, match="unfinished"):
        open_dataset(tmp_path / "a.partial")
