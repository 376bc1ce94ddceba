import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.dataset import PrepareOptions, TrainingStream, open_dataset, prepare
from sg2ada_colab.dataset.classic.torch_format import export
from sg2ada_colab.images.transparency import over
from tests.oracles.forms import FORMS


def write_zip(path, images, labels=None, names=None):
    with zipfile.ZipFile(str(path), "w") as archive:
        names = names or [f"{i // 1000:05d}/img{i:08d}.png" for i in range(len(images))]
        for name, image in zip(names, images):
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, "PNG")
            archive.writestr(name, stream.getvalue())
        if labels is not None:
            archive.writestr("dataset.json", json.dumps({"labels": labels}))
    return path


def random_images(count=6, side=8, channels=3):
    images = np.random.RandomState(0).randint(0, 256, (count, side, side, channels)).astype(np.uint8)
    return images if channels == 3 else images[..., 0]


def test_reads_a_zip_with_class_numbers(tmp_path):
    images = random_images()
    labels = [[f"00000/img{i:08d}.png", [2, 0, 1, 3, 0, 1][i]] for i in range(6)]
    data = open_dataset(write_zip(tmp_path / "set.zip", images, labels[::-1]))
    assert (data.name, data.num_images, data.resolution, data.channels, data.label_size) == ("set", 6, 8, 3, 4)
    assert (data.read([5, 0]) == images[[5, 0]]).all()
    assert data.labels.argmax(1).tolist() == [2, 0, 1, 3, 0, 1]
    batch, _ = TrainingStream(data, 4, 1, mirror_x=True).batch(7)
    assert batch.shape == (4, 8, 8, 3)


def test_reads_a_folder_with_label_vectors_and_grey_images(tmp_path):
    images = random_images(3, channels=1)
    for i, image in enumerate(images):
        Image.fromarray(image).save(str(tmp_path / f"{i}.png"))
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [[f"{i}.png", [i, 0.5]] for i in range(3)]}))
    data = open_dataset(tmp_path)
    assert (data.read(range(3))[..., 0] == images).all()
    assert data.labels.tolist() == [[0, 0.5], [1, 0.5], [2, 0.5]]


def test_null_labels_are_none(tmp_path):
    path = write_zip(tmp_path / "set.zip", random_images())
    with zipfile.ZipFile(str(path), "a") as archive:
        archive.writestr("dataset.json", '{"labels": null}')
    assert open_dataset(path).label_size == 0


def test_a_zip_and_the_records_made_from_it_have_one_digest(tmp_path):
    path = write_zip(tmp_path / "set.zip", random_images(), [[f"00000/img{i:08d}.png", i % 2] for i in range(6)])
    prepared = prepare(path, tmp_path / "set", PrepareOptions(shuffle=False), progress=False).path
    assert open_dataset(prepared).digest() == open_dataset(path).digest()


@pytest.mark.parametrize("small_set", FORMS, indirect=True)
@pytest.mark.parametrize("target", ["out.zip", "out"])
def test_export_and_back(small_set, tmp_path, target):
    path, images = small_set
    if images.shape[3] == 4:
        images = over(images, 255)  # such a set is opened as RGB; `prepare --alpha keep` keeps what is transparent
    assert export(path, tmp_path / target, progress=False) == 11
    data = open_dataset(tmp_path / target)
    assert (data.read(range(11)) == images).all()
    assert (data.labels == open_dataset(path).labels).all()
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(UserError, match="exists already"):
        export(path, tmp_path / target, progress=False)


def test_an_exported_zip_is_laid_out_as_pytorch_expects(small_set, tmp_path):
    export(small_set[0], tmp_path / "out.zip", progress=False)
    with zipfile.ZipFile(str(tmp_path / "out.zip")) as archive:
        infos = archive.infolist()
        assert [info.filename for info in infos][:2] == ["00000/img00000000.png", "00000/img00000001.png"]
        assert all(info.compress_type == zipfile.ZIP_STORED for info in infos)
        labels = json.loads(archive.read("dataset.json"))["labels"]
    assert labels[:2] == [["00000/img00000000.png", 0], ["00000/img00000001.png", 0]] and len(labels) == 11


def test_exported_label_vectors_stay_vectors(small_set, tmp_path):
    path, _ = small_set
    labels = np.random.RandomState(0).randn(11, 2).astype(np.float32)
    with open(str(path / "small-rxx.labels"), "wb") as file:
        np.save(file, labels)
    export(path, tmp_path / "out.zip", progress=False)
    assert (open_dataset(tmp_path / "out.zip").labels == labels).all()


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(UserError, match="is 90 x 50(.|\n)*sg2ada prepare(.|\n)*--resolution auto keeps the shape"):
        open_dataset(write_zip(tmp_path / "a.zip", [np.zeros((50, 90, 3), np.uint8)]))
    mixed = [np.zeros((8, 8, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)]
    with pytest.raises(UserError, match=r"img00000001.png is 4x4, not 8x8 pixels \(width x height\)"):
        open_dataset(write_zip(tmp_path / "b.zip", mixed))
    images = [np.zeros((8, 8, 3), np.uint8)] * 3000 + [np.zeros((8, 12, 3), np.uint8)] + [np.zeros((8, 8, 3), np.uint8)] * 30
    with pytest.raises(UserError, match="img00003000.png is 12x8, not 8x8 pixels"):  # not among those that are looked at first
        open_dataset(write_zip(tmp_path / "b.zip", images)).read([3000])
    with pytest.raises(UserError, match="no validation set"):
        open_dataset(write_zip(tmp_path / "c.zip", random_images()), validation=True)
    with pytest.raises(UserError, match="images of 8 pixels, not 16"):
        open_dataset(tmp_path / "c.zip", resolution=16)
    with pytest.raises(UserError, match="images of 12x8 pixels, resolution 8, not 4"):
        open_dataset(write_zip(tmp_path / "e.zip", [np.zeros((8, 12, 3), np.uint8)]), resolution=4)
    with pytest.raises(UserError, match="5 of 6 images without a label"):
        open_dataset(write_zip(tmp_path / "d.zip", random_images(), [["00000/img00000000.png", 1]]))
