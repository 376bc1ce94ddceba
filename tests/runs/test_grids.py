"""Grids of a run: packed beside training, all there at the end, and their errors are not lost."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.dataset import TrainingStream
from sg2ada_colab.runs import callbacks
from sg2ada_colab.runs.callbacks import Grids
from sg2ada_colab.tf import tf

SIZE, COUNT = 240, 32 * 18  # 7680 x 4320 px


class Reals:
    height, width, channels, label_size = SIZE, SIZE, 3, 0
    num_images = 5
    labels = np.zeros([5, 0], np.float32)

    def __len__(self):
        return self.num_images

    def read(self, indices):
        return np.zeros([len(indices), SIZE, SIZE, 3], np.uint8) + 10 * np.reshape(indices, [-1, 1, 1, 1]).astype(np.uint8)


class Sampler:
    """Draws images whose brightness grows from cell to cell."""

    def batches(self, z, labels, noise, seed):
        for start in range(0, len(z), 100):
            shades = np.arange(start, min(start + 100, len(z))) / len(z) * 2 - 1
            yield tf.constant(np.zeros([len(shades), 4, 4, 3], np.float32) + shades.reshape(-1, 1, 1, 1).astype(np.float32))


@pytest.fixture
def grids(tmp_path, monkeypatch, said):
    monkeypatch.setattr(callbacks, "Sampler", lambda *args: Sampler())
    config = SimpleNamespace(
        size=SIZE,
        shape=SimpleNamespace(height=SIZE, width=SIZE),
        channels=3,
        label_size=0,
        seed=1,
        schedule=SimpleNamespace(minibatch_gpu=4),
        engine=SimpleNamespace(xla=False),
        snapshots=SimpleNamespace(image_ticks=2),
    )
    state = SimpleNamespace(Gs=SimpleNamespace(config=SimpleNamespace(latent_size=8)))
    return Grids(tmp_path, TrainingStream(Reals(), 4, 0), config, state, said)


def progress(tick, kimg, done=False):
    return SimpleNamespace(tick=tick, done=done, state=SimpleNamespace(counters=SimpleNamespace(nimg=kimg * 1000)))


def test_all_grids_are_there_at_the_end(grids, tmp_path):
    grids.on_start(progress(0, 0))
    for tick in range(4):
        grids.on_tick(progress(tick, tick))
    grids.on_end(progress(3, 3))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["fakes000000.png", "fakes000002.png", "fakes_init.png", "reals.png"]
    with Image.open(tmp_path / "fakes000002.png") as image:
        assert image.size == (32 * 4, 18 * 4)
        cells = np.asarray(image)[::4, ::4, 0].ravel()
    np.testing.assert_allclose(cells, np.arange(COUNT) / COUNT * 255, atol=0.51)


def test_training_goes_on_while_a_grid_is_packed(grids, monkeypatch):
    packed, saved = threading.Event(), []

    def save_grid(file, *args):
        assert packed.wait(30)
        saved.append(file)

    monkeypatch.setattr(callbacks, "save_grid", save_grid)
    grids.on_tick(progress(0, 0))
    grids.on_tick(progress(2, 2))
    assert not saved  # both came back, neither is written
    third = threading.Thread(target=lambda: grids.on_tick(progress(4, 4)))
    third.start()
    third.join(0.3)
    assert third.is_alive()  # no more than two grids are held
    packed.set()
    third.join(30)
    grids.on_end(progress(4, 4))
    assert len(saved) == 3


def test_a_grid_that_could_not_be_written_is_told(grids, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(callbacks, "save_grid", full)
    grids.on_tick(progress(0, 0))
    grids.on_end(progress(0, 0))
    ((_, sentence),) = grids.log.notes
    assert "could not be written" in sentence and "No space left on device" in sentence
