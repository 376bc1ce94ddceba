import errno
import os

import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.images import source as module
from sg2ada_colab.images.doctor import diagnose
from sg2ada_colab.images.find import open_source
from sg2ada_colab.images.source import Source


@pytest.fixture
def folder(tmp_path):
    """Return a folder of 20 images."""
    (tmp_path / "images").mkdir()
    for i in range(20):
        Image.new("RGB", (8, 8), (i, i, i)).save(str(tmp_path / "images" / f"{i:02d}.png"))
    return tmp_path / "images"


class Failing(Source):
    """Fails with an error number for one image, so many times, once it has been opened so often."""

    bad, number, times, after = None, None, 0, 0
    opened = 0

    def open(self, index):
        self.opened += 1
        if index == self.bad and self.times and self.opened > self.after:
            self.times -= 1
            raise OSError(self.number, os.strerror(self.number))
        return super().open(index)


@pytest.fixture
def failing(folder, monkeypatch):
    """Return a function that makes such a source of the folder."""
    monkeypatch.setattr(module, "_PAUSE_S", 0)

    def make(number, times, after=0):
        plain = open_source(folder)
        source = Failing(plain.path, plain.names, plain.locations)
        source.bad, source.number, source.times, source.after = 7, number, times, after
        return source

    return make


OPTIONS = PrepareOptions(resolution=8, shuffle=False, workers=1)


def test_errors_now_and_then_cost_no_image(failing, tmp_path):
    assert prepare(failing(errno.EIO, 3), tmp_path / "set", OPTIONS, progress=False).num_images == 20


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_file_that_stays_unreadable_is_left_out_and_told(failing, tmp_path, number):
    result = prepare(failing(number, 99), tmp_path / "set", OPTIONS, progress=False)
    assert result.problems == [("07.png", "unreadable", "cannot be read: " + os.strerror(number))]
    report, _ = diagnose(failing(number, 99), workers=1)
    assert report.good == 19 and report.problems == result.problems


@pytest.mark.parametrize("after", [0, 20])  # while the headers are read; while the images are converted
def test_a_disk_that_is_gone_ends_the_conversion_and_leaves_no_image_out(failing, tmp_path, after):
    with pytest.raises(UserError, match="images cannot be reached: (.|\n)*stays connected(.|\n)*connect it again"):
        prepare(failing(errno.ENOTCONN, 1, after), tmp_path / "set", OPTIONS, progress=False)
    assert not (tmp_path / "set").exists()
    result = prepare(failing(errno.ENOTCONN, 0), tmp_path / "set", OPTIONS, progress=False)
    assert result.problems == [] and open_dataset(result.path).read(range(20))[:, 0, 0, 0].tolist() == list(range(20))


def test_a_folder_that_is_taken_away_counts_as_gone(folder, tmp_path):
    source = open_source(folder)
    os.rename(str(folder), str(tmp_path / "elsewhere"))
    with pytest.raises(UserError, match="images cannot be reached: No such file"):
        prepare(source, tmp_path / "set", OPTIONS, progress=False)


def test_what_could_not_be_read_is_tried_again_by_the_next_run(failing, tmp_path, monkeypatch):
    from sg2ada_colab.dataset import building

    monkeypatch.setattr(building, "CHUNK_RECORDS", 5)
    with monkeypatch.context() as patches:
        patches.setattr(building.Build, "finish", lambda self: 1 / 0)  # as if killed
        with pytest.raises(ZeroDivisionError):
            prepare(failing(errno.EIO, 99, after=20), tmp_path / "set", OPTIONS, progress=False)
    assert '"unreadable"' in (tmp_path / "set.partial" / "prepare-journal.jsonl").read_text()
    assert prepare(failing(errno.EIO, 0), tmp_path / "set", OPTIONS, progress=False).num_images == 20
