"""The original's sub-commands, on made files in the collections' real layouts, as functions and as commands."""

import argparse
import gzip
import hashlib
import io
import os
import pickle

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.cli import dataset as cli
from sg2ada_colab.dataset import open_dataset, prepare
from sg2ada_colab.dataset.classic import original_tool
from sg2ada_colab.dataset.classic.brecahad import crop_places
from sg2ada_colab.dataset.sources import open_any_source

DRAWS = np.random.RandomState(8)
ORDER_5 = [1, 3, 4, 0, 2]  # RandomState(123) shuffles five so


def sg2ada_dataset(*arguments):
    """Return the exit code of `sg2ada dataset ARGUMENTS --quiet`."""
    parser = argparse.ArgumentParser(prog="sg2ada")
    cli.register(parser.add_subparsers())
    args = parser.parse_args(["dataset"] + [str(argument) for argument in arguments] + ["--quiet"])
    return args.run(args) or 0


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


@pytest.fixture
def mnist_dir(tmp_path):
    """Return (folder, digits uint8 [5, 28, 28], labels) in MNIST's layout."""
    digits, labels = DRAWS.randint(0, 256, (5, 28, 28)).astype(np.uint8), np.array([3, 9, 0, 1, 1], np.uint8)
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(digits)))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return folder, digits, labels


def test_create_mnist_shuffles_padded_digits_with_ten_classes(mnist_dir, tmp_path, monkeypatch):
    folder, digits, labels = mnist_dir
    with pytest.raises(UserError, match="holds 5 images(.|\n)*60000(.|\n)*sg2ada prepare"):
        sg2ada_dataset("create_mnist", tmp_path / "set", folder)
    monkeypatch.setitem(original_tool.WHOLE, "mnist", 5)
    assert sg2ada_dataset("create_mnist", tmp_path / "set", folder) == 0
    data = open_dataset(tmp_path / "set")
    assert (data.channels, data.resolution, data.label_size) == (1, 32, 10)
    assert (data.read(range(5))[:, 2:-2, 2:-2, 0] == digits[ORDER_5]).all()
    assert data.labels.argmax(1).tolist() == labels[ORDER_5].tolist()


def test_create_mnistrgb_stacks_three_random_digits(mnist_dir, tmp_path):
    folder, digits, _ = mnist_dir
    assert sg2ada_dataset("create_mnistrgb", tmp_path / "set", folder, "--num_images=20", "--random-seed=7") == 0
    data = open_dataset(tmp_path / "set")
    assert (len(data), data.channels, data.resolution, data.label_size) == (20, 3, 32, 0)
    draws = np.random.RandomState(7)
    for image in data.read(range(20)):
        expected = digits[draws.randint(5, size=3)].transpose(1, 2, 0)
        assert (image[2:-2, 2:-2] == expected).all() and image[:2].max() == 0


def cifar_part(images, labels, key):
    flat = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return pickle.dumps({"data": flat, key: [int(label) for label in labels]}, protocol=2)


@pytest.mark.parametrize("ignore_labels", [0, 1])
def test_create_cifar10(tmp_path, monkeypatch, ignore_labels):
    images, labels = DRAWS.randint(0, 256, (5, 32, 32, 3)).astype(np.uint8), np.array([9, 1, 2, 0, 4])
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for i in range(5):
        (folder / f"data_batch_{i + 1}").write_bytes(cifar_part(images[i : i + 1], labels[i : i + 1], "labels"))
    monkeypatch.setitem(original_tool.WHOLE, "cifar10", 5)
    assert sg2ada_dataset("create_cifar10", tmp_path / "set", folder, f"--ignore_labels={ignore_labels}") == 0
    data = open_dataset(tmp_path / "set")
    assert (data.read(range(5)) == images[ORDER_5]).all()
    assert data.label_size == (0 if ignore_labels else 10)
    if not ignore_labels:
        assert data.labels.argmax(1).tolist() == labels[ORDER_5].tolist()


def test_create_cifar100(tmp_path, monkeypatch):
    images, labels = DRAWS.randint(0, 256, (5, 32, 32, 3)).astype(np.uint8), np.array([99, 1, 2, 0, 4])
    (tmp_path / "cifar").mkdir()
    (tmp_path / "cifar" / "train").write_bytes(cifar_part(images, labels, "fine_labels"))
    monkeypatch.setitem(original_tool.WHOLE, "cifar100", 5)
    assert sg2ada_dataset("create_cifar100", tmp_path / "set", tmp_path / "cifar") == 0
    data = open_dataset(tmp_path / "set")
    assert (data.read(range(5)) == images[ORDER_5]).all() and data.labels.argmax(1).tolist() == labels[ORDER_5].tolist()


def write_svhn(folder, images_nchw, digits):
    folder.mkdir()
    bounds = np.linspace(0, len(images_nchw), 4).astype(int)
    for i, (start, stop) in enumerate(zip(bounds, bounds[1:])):
        part = (images_nchw[start:stop], digits[start:stop])
        (folder / f"train_{i + 1}.pkl").write_bytes(pickle.dumps(part, protocol=2))


def test_create_svhn_from_its_three_pickles(tmp_path, monkeypatch):
    images, digits = DRAWS.randint(0, 256, (5, 3, 32, 32)).astype(np.uint8), np.array([4, 0, 1, 1, 2], np.uint8)
    write_svhn(tmp_path / "svhn", images, digits)
    with pytest.raises(UserError, match="holds 5 images(.|\n)*73257"):
        sg2ada_dataset("create_svhn", tmp_path / "set", tmp_path / "svhn")
    monkeypatch.setitem(original_tool.WHOLE, "svhn", 5)
    assert sg2ada_dataset("create_svhn", tmp_path / "set", tmp_path / "svhn") == 0
    data = open_dataset(tmp_path / "set")
    assert (data.read(range(5)) == images[ORDER_5].transpose(0, 2, 3, 1)).all()
    assert data.label_size == 10  # although no digit is above 4
    assert data.labels.argmax(1).tolist() == digits[ORDER_5].tolist()
    assert len(open_any_source(tmp_path / "svhn")) == 5  # so `sg2ada prepare` takes a part of it


@pytest.mark.slow
def test_create_svhn_at_its_real_size(tmp_path):
    images = DRAWS.randint(0, 256, (73257, 3, 32, 32)).astype(np.uint8)
    write_svhn(tmp_path / "svhn", images, (np.arange(73257) % 10).astype(np.uint8))
    assert sg2ada_dataset("create_svhn", tmp_path / "set", tmp_path / "svhn") == 0
    data = open_dataset(tmp_path / "set")
    order = np.arange(73257)
    np.random.RandomState(123).shuffle(order)
    picks = [0, 1, 36000, 73256]
    assert (data.read(picks) == images[order[picks]].transpose(0, 2, 3, 1)).all()
    assert (data.labels.argmax(1) == order % 10).all()


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["runs something", "wrong shape", "wrong digits", "cut off", "missing"])
def test_pickles_that_are_not_svhns(tmp_path, kind):
    images = np.zeros((6, 3, 32, 32), np.uint8)
    write_svhn(
        tmp_path / "svhn", images[:, :, :31] if kind == "wrong shape" else images, np.full(6, 10 * (kind == "wrong digits"))
    )
    file = tmp_path / "svhn" / "train_2.pkl"
    if kind == "runs something":
        file.write_bytes(pickle.dumps((images, Evil(tmp_path / "made"))))
    elif kind == "cut off":
        file.write_bytes(file.read_bytes()[:-300])
    elif kind == "missing":
        file.unlink()
    with pytest.raises(UserError, match=r"svhn(/train_[12].pkl)? cannot be read(.|\n)*download it again"):
        sg2ada_dataset("create_svhn", tmp_path / "set", tmp_path / "svhn")
    assert not (tmp_path / "made").exists() and not (tmp_path / "set").exists()


@pytest.fixture
def lmdb_dir(tmp_path):
    """Return a function that writes byte strings as an LSUN database."""
    lmdb = pytest.importorskip("lmdb")

    def write(values):
        with lmdb.open(str(tmp_path / "x_lmdb"), map_size=1 << 26) as database, database.begin(write=True) as transaction:
            for i, value in enumerate(values):
                transaction.put(b"%04d" % i, value)
        return tmp_path / "x_lmdb"

    return write


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def test_create_lsun_crops_and_resizes_in_order(lmdb_dir, tmp_path, capsys):
    images = [DRAWS.randint(0, 256, (h, w, 3)).astype(np.uint8) for h, w in ((40, 70), (30, 20), (64, 64), (90, 90))]
    folder = lmdb_dir([png(images[0]), b"no image", png(images[1]), png(images[2]), png(images[3])])
    assert sg2ada_dataset("create_lsun", tmp_path / "set", folder, "--resolution=32", "--max_images=3") == 0
    data = open_dataset(tmp_path / "set")
    assert (len(data), data.channels, data.label_size) == (3, 3, 0)
    for got, image in zip(data.read(range(3)), images):
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        square = Image.fromarray(image[top : top + side, left : left + side])
        assert (got == np.asarray(square.resize((32, 32), Image.LANCZOS))).all()
    assert "left out: 1\n  0001: text, not an image" in capsys.readouterr().out


def test_a_few_images_of_a_large_database_need_no_look_at_the_rest(lmdb_dir, tmp_path, monkeypatch):
    from sg2ada_colab.images import scan

    looked_at = []
    monkeypatch.setattr(scan, "_JOB_FILES", 4)

    def counted(*args, real=scan.read_header, **options):
        looked_at.append(1)
        return real(*args, **options)

    monkeypatch.setattr(scan, "read_header", counted)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    folder = lmdb_dir([b"bad"] * 5 + [png(np.full((32, 32, 3), i, np.uint8)) for i in range(60)])
    assert sg2ada_dataset("create_lsun", tmp_path / "set", folder, "--resolution=32", "--max_images=7") == 0
    assert open_dataset(tmp_path / "set").read(range(7))[:, 0, 0, 0].tolist() == list(range(7))
    assert len(looked_at) <= 16


def test_create_lsun_wide(lmdb_dir, tmp_path, capsys):
    sizes = {"exact": (24, 32), "tall": (40, 32), "large": (48, 64), "narrow": (24, 31), "flat": (23, 32), "panorama": (30, 64)}
    images = {name: DRAWS.randint(0, 256, shape + (3,)).astype(np.uint8) for name, shape in sizes.items()}
    folder = lmdb_dir([png(image) for image in images.values()])
    assert sg2ada_dataset("create_lsun_wide", tmp_path / "set", folder, "--width=32", "--height=24") == 0
    data = open_dataset(tmp_path / "set")
    assert (len(data), data.resolution) == (3, 32)
    assert "31 x 24 is too small for 32 x 24" in capsys.readouterr().out
    got = data.read(range(3))
    assert got[:, :4].max() == got[:, -4:].max() == 0
    assert (got[0, 4:28] == images["exact"]).all()  # 24 rows as they are
    tall = Image.fromarray(images["tall"]).resize((32, 24), Image.LANCZOS)  # 40 rows at width 32: all are kept
    assert (got[1, 4:28] == np.asarray(tall)).all()
    large = Image.fromarray(images["large"][12:36]).resize((32, 24), Image.LANCZOS)  # round(32 * 48 / 64) = 24 middle rows
    assert (got[2, 4:28] == np.asarray(large)).all()
    with pytest.raises(UserError, match="--height is 40"):
        sg2ada_dataset("create_lsun_wide", tmp_path / "other", folder, "--width=32", "--height=40")


def test_create_celeba_cuts_128_pixels_around_the_centre(tmp_path, monkeypatch):
    images = DRAWS.randint(0, 256, (5, 218, 178, 3)).astype(np.uint8)
    folder = tmp_path / "celeba"
    (folder / "more").mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(str(folder / f"{i + 1:06d}.png"))
    Image.fromarray(images[0]).save(str(folder / "more" / "000001.png"))
    Image.fromarray(images[0]).save(str(folder / "000001.jpg"))
    with pytest.raises(UserError, match="holds 5 images(.|\n)*202599"):
        sg2ada_dataset("create_celeba", tmp_path / "set", folder)
    monkeypatch.setitem(original_tool.WHOLE, "celeba", 5)
    assert sg2ada_dataset("create_celeba", tmp_path / "set", folder) == 0
    data = open_dataset(tmp_path / "set")
    assert (data.read(range(5)) == images[ORDER_5][:, 121 - 64 : 121 + 64, 89 - 64 : 89 + 64]).all()
    assert sg2ada_dataset("create_celeba", tmp_path / "other", folder, "--cx=64", "--cy=100") == 0
    assert (open_dataset(tmp_path / "other").read(range(5)) == images[ORDER_5][:, 36:164, :128]).all()
    Image.fromarray(images[0][:200]).save(str(folder / "000002.png"))
    Image.fromarray(images[0][:201]).save(str(folder / "000003.png"))
    with pytest.raises(UserError, match="2 images (.|\n)*178 x 200, not 178 x 218\n.*178 x 201, not"):
        sg2ada_dataset("create_celeba", tmp_path / "third", folder)
    assert not (tmp_path / "third").exists()


def check_hashes(folder, entry):
    for name, expected in entry["files"].items():
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert digest == expected.get("sha256_shape_first", expected.get("sha256")), name


@pytest.mark.parametrize("kind", ["rgb", "gray"])
@pytest.mark.parametrize("shuffle", [0, 1])
def test_create_from_images_equals_the_reference(tmp_path, make_folder, facts, reference, kind, shuffle):
    entry = facts[f"from_images_{kind}_shuffle{shuffle}"]
    folder = make_folder(reference("dataset")[f"src_{kind}.images"], facts["src_" + kind]["names"])
    (folder / "deeper").mkdir()
    Image.new("RGB", (5, 5)).save(str(folder / "deeper" / "x.png"))
    target = tmp_path / entry["tfrecord_dir"]
    assert sg2ada_dataset("create_from_images", target, folder, f"--shuffle={shuffle}") == 0
    check_hashes(target, entry)


def test_create_from_images_wants_equal_squares(tmp_path, make_folder):
    images = [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8), np.zeros((16, 16, 3), np.uint8)]
    with pytest.raises(UserError, match="2 images (.|\n)*9 x 8, not 8 x 8\n.*16 x 16, not 8 x 8"):
        sg2ada_dataset("create_from_images", tmp_path / "set", make_folder(images))
    with pytest.raises(UserError, match="0000.png in .* is 9 x 8(.|\n)*sg2ada prepare"):
        sg2ada_dataset("create_from_images", tmp_path / "set", make_folder(images[1:], folder="b"))
    with pytest.raises(UserError, match="no images in"):
        sg2ada_dataset("create_from_images", tmp_path / "set", make_folder([]).parent)
    with pytest.raises(UserError, match="does not exist"):
        sg2ada_dataset("create_from_images", tmp_path / "set", tmp_path / "nothing")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("compress", [0, 1])
def test_hdf5_there_and_back_equals_the_reference(tmp_path, make_folder, facts, reference, compress):
    h5py = pytest.importorskip("h5py")
    images, rows = reference("dataset")["src_rgb.images"], reference("dataset")["src_hdf5.labels"]
    file = tmp_path / "x.h5"
    assert sg2ada_dataset("hdf5_from_images", file, make_folder(images), f"--compress={compress}") == 0
    with h5py.File(str(file), "r") as opened:
        assert sorted(opened) == sorted(f"data{r}x{r}" for r in (1, 2, 4, 8, 16, 32))
        assert (opened["data32x32"][:] == images.transpose(0, 3, 1, 2)).all()
        assert opened["data32x32"].compression == ("gzip" if compress else None)
        assert opened["data32x32"].compression_opts == (4 if compress else None)
        means = images.astype(np.float64).reshape(10, 8, 4, 8, 4, 3).mean((2, 4)).transpose(0, 3, 1, 2)
        assert (opened["data8x8"][:] == np.rint(means)).all()
        assert np.abs(opened["data1x1"][:, :, 0, 0] - images.astype(np.float64).mean((1, 2))).max() <= 0.5
    assert os.listdir(str(tmp_path)).count("x-labels.npy") == 0
    np.save(str(tmp_path / "x-labels.npy"), rows)
    for shuffle in (0, 1):
        entry = facts[f"from_hdf5_labels_shuffle{shuffle}"]
        target = tmp_path / entry["tfrecord_dir"]
        assert sg2ada_dataset("create_from_hdf5", target, file, f"--shuffle={shuffle}") == 0
        check_hashes(target, entry)
    assert sg2ada_dataset("convert_to_hdf5", tmp_path / "y.h5", target) == 0  # shuffled, with labels
    assert (np.load(str(tmp_path / "y-labels.npy")) == open_dataset(target).labels).all()
    again = prepare(tmp_path / "y.h5", tmp_path / "again", original_tool.PrepareOptions(shuffle=False), progress=False)
    assert open_dataset(again.path).digest() == open_dataset(target).digest()
    assert not list(tmp_path.glob("*.tmp"))


def test_hdf5_errors(tmp_path, make_folder, monkeypatch):
    pytest.importorskip("h5py")
    images = [np.zeros((8, 8), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((8, 4), np.uint8)]
    with pytest.raises(UserError, match="2 images (.|\n)*4 x 4, not 8 x 8\n.*4 x 8, not 8 x 8"):
        sg2ada_dataset("hdf5_from_images", tmp_path / "x.h5", make_folder(images))
    (tmp_path / "y.h5").write_bytes(b"x")
    with pytest.raises(UserError, match="y.h5 exists already"):
        sg2ada_dataset("hdf5_from_images", tmp_path / "y.h5", make_folder(images[:1], folder="one"))
    with pytest.raises(UserError, match="y.h5 cannot be read"):
        sg2ada_dataset("create_from_hdf5", tmp_path / "set", tmp_path / "y.h5")
    import sys

    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match="needs the package h5py"):
        sg2ada_dataset("hdf5_from_images", tmp_path / "x.h5", tmp_path / "one")
    assert not list(tmp_path.glob("x.h5*"))


def test_brecahad_gives_the_published_number_of_squares():
    assert 162 * len(crop_places(1360, 1024, 512)) == 1944
    assert 162 * len(crop_places(1360, 1024, 256)) == 3240
    assert crop_places(520, 768, 512) == [(0, 0), (0, 256)]


def test_extract_brecahad_crops(tmp_path):
    images = DRAWS.randint(0, 256, (2, 512, 800, 3)).astype(np.uint8)
    (tmp_path / "brecahad").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(str(tmp_path / "brecahad" / f"Case_{i + 1}.tif"))
    arguments = ["extract_brecahad_crops", "--brecahad_dir", tmp_path / "brecahad", "--output_dir", tmp_path / "squares"]
    assert sg2ada_dataset(*arguments) == 0
    names = sorted(os.listdir(str(tmp_path / "squares")))
    assert names == [f"{i:04d}.png" for i in range(2 * 3 * 2)]
    squares = [np.asarray(Image.open(str(tmp_path / "squares" / name))) for name in names]
    assert (squares[0] == images[0][:256, :256]).all() and (squares[1] == images[0][256:, :256]).all()
    assert (squares[2] == images[0][:256, 256:512]).all() and (squares[11] == images[1][256:, 512:768]).all()
    assert sg2ada_dataset(*arguments[:-1], tmp_path / "large", "--cropsize=512") == 0
    assert len(os.listdir(str(tmp_path / "large"))) == 2 * 2
    with pytest.raises(UserError, match="squares is in use"):
        sg2ada_dataset(*arguments)
    for name in ("Case_2.tif", "Case_9.tif"):
        (tmp_path / "brecahad" / name).write_bytes(b"II*\0 cut off")
    with pytest.raises(UserError, match="2 of 3 images (.|\n)*Case_2.tif: (.|\n)*Case_9.tif: "):
        sg2ada_dataset(*arguments[:-1], tmp_path / "third")
    assert not (tmp_path / "third").exists()
    with pytest.raises(UserError, match="holds no .tif files"):
        sg2ada_dataset("extract_brecahad_crops", "--brecahad_dir", tmp_path, "--output_dir", tmp_path / "fourth")


def test_the_original_spellings_of_pack_unpack_and_compare(small_set, tmp_path, capsys):
    path, _ = small_set
    assert sg2ada_dataset("unpack", "--tfrecord_dir", path, "--output_dir", tmp_path / "unpacked") == 0
    options = ["--num_train=4", "--num_validation=2", "--mirror=1", "--seed=5"]
    assert sg2ada_dataset("pack", "--tfrecord_dir", tmp_path / "a", "--unpacked_dir", tmp_path / "unpacked", *options) == 0
    ours = ["--num-train=4", "--num-validation=2", "--seed=5", "--mirror"]
    assert sg2ada_dataset("pack", tmp_path / "unpacked", tmp_path / "b", *ours) == 0
    assert sg2ada_dataset("compare", tmp_path / "a", tmp_path / "b", "--ignore_labels=1") == 0
    assert open_dataset(tmp_path / "a").num_images == 8
    with pytest.raises(SystemExit):
        sg2ada_dataset("pack", tmp_path / "unpacked")
    assert "required: DESTINATION" in capsys.readouterr().err


@pytest.mark.parametrize("command, missing", [
    ("create_mnist", "train-images-idx3-ubyte.gz"), ("create_mnistrgb", "train-images-idx3-ubyte.gz"),
    ("create_cifar10", "data_batch_1"), ("create_cifar100", "train"), ("create_svhn", "train_1.pkl"),
])  # fmt: skip
def test_a_folder_without_the_collection(tmp_path, command, missing):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=missing + " cannot be read: No such file(.|\n)*download it again"):
        sg2ada_dataset(command, tmp_path / "set", tmp_path / "empty")
    with pytest.raises(UserError, match="nothing does not exist"):
        sg2ada_dataset(command, tmp_path / "set", tmp_path / "nothing")


def test_a_number_of_images_that_cannot_be(mnist_dir, tmp_path):
    with pytest.raises(UserError, match="--num_images is 0"):
        sg2ada_dataset("create_mnistrgb", tmp_path / "set", mnist_dir[0], "--num_images=0")
