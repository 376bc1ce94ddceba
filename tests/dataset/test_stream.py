import threading

import numpy as np
import pytest

from sg2ada_colab.dataset import TrainingStream, open_dataset
from sg2ada_colab.dataset.classic.torch_format import export
from tests.oracles.forms import FORMS


class Numbered:
    """A dataset whose images hold their own index."""

    def __init__(self, count):
        self.labels = np.eye(count, 3, dtype=np.float32)
        self.count = count

    def __len__(self):
        return self.count

    def read(self, indices, flip_x=False, flip_y=False):
        images = np.zeros((len(indices), 2, 2, 1), np.uint8)
        images[:, 0, 0, 0] = indices
        images[:, 1, 0, 0], images[:, 1, 1, 0] = flip_x, flip_y
        return images


def drawn(stream, batches):
    return np.concatenate([stream.batch(i)[0][:, 0, 0, 0] for i in range(batches)])


def test_every_epoch_is_another_permutation():
    order = drawn(TrainingStream(Numbered(10), 4, seed=1), 10)
    epochs = order.reshape(4, 10)
    assert (np.sort(epochs, axis=1) == np.arange(10)).all()
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert (drawn(TrainingStream(Numbered(10), 4, seed=2), 10) != order).any()


def test_a_batch_is_a_function_of_seed_and_index_alone():
    stream = TrainingStream(Numbered(10), 4, 7, mirror_x=True, mirror_y=True)
    forward = [stream.batch(i) for i in range(12)]
    other = TrainingStream(Numbered(10), 4, 7, mirror_x=True, mirror_y=True)
    for i in (11, 0, 5, 3, 5, 10):
        images, labels = other.batch(i)
        assert (images == forward[i][0]).all() and (labels == forward[i][1]).all()


def test_the_batch_size_does_not_change_the_order():
    small = TrainingStream(Numbered(10), 3, 7, mirror_x=True)
    large = TrainingStream(Numbered(10), 15, 7, mirror_x=True)
    assert (np.concatenate([small.batch(i)[0] for i in range(10)]) == np.concatenate([large.batch(i)[0] for i in range(2)])).all()


def test_a_batch_may_be_larger_than_the_set():
    images, labels = TrainingStream(Numbered(3), 8, 0).batch(1)
    assert images.shape == (8, 2, 2, 1) and labels.shape == (8, 3)
    assert labels.dtype == np.float32 and images.dtype == np.uint8


@pytest.mark.parametrize("small_set", FORMS, indirect=True)
@pytest.mark.parametrize("kind", ["records", "zip"])
def test_mirroring_flips_half_of_the_images_along_its_axis(small_set, tmp_path, kind):
    if kind == "zip":
        export(small_set[0], tmp_path / "set.zip", progress=False)
    data = open_dataset(tmp_path / "set.zip" if kind == "zip" else small_set[0])
    plain = TrainingStream(data, 11, 3)
    for option, axis in (("mirror_x", 2), ("mirror_y", 1)):
        flipped = 0
        stream = TrainingStream(data, 11, 3, **{option: True})
        for index in range(20):
            (a, labels), (b, same) = plain.batch(index), stream.batch(index)
            assert (labels == same).all()
            for before, after in zip(a, b):
                is_flipped = (after == np.flip(before, axis - 1)).all()
                assert is_flipped or (after == before).all()
                flipped += is_flipped
        assert 80 < flipped < 140  # of 220


def test_labels_belong_to_their_images(small_set):
    path, images = small_set
    data = open_dataset(path)
    batch, labels = TrainingStream(data, 6, 5).batch(4)
    for image, label in zip(batch, labels):
        index = [i for i in range(11) if (images[i] == image).all()][0]
        assert (label == data.labels[index]).all()


def test_random_labels_follow_the_set(small_set):
    data = open_dataset(small_set[0])
    stream = TrainingStream(data, 4, 0)
    labels = stream.random_labels(11000, 1)
    assert labels.shape == (11000, 3) and labels.dtype == np.float32
    assert np.abs(labels.mean(0) - data.labels.mean(0)).max() < 0.02
    assert (stream.random_labels(9, 1) == labels[:9]).all()
    assert (stream.random_labels(9, 2) != labels[:9]).any()
    from sg2ada_colab.seeds import step_seed

    assert stream.random_labels(5, step_seed(1, "labels", 3)).shape == (5, 3)


def test_prefetching_gives_the_same_batches_and_ends():
    stream = TrainingStream(Numbered(10), 4, 7)
    before = threading.active_count()
    with stream.prefetch(start=3, depth=2) as batches:
        for index in range(3, 9):
            assert (next(batches)[0] == stream.batch(index)[0]).all()
    batches.close()
    assert threading.active_count() == before
    with pytest.raises(StopIteration):
        next(batches)


def test_prefetching_converts_in_its_own_thread():
    stream, threads = TrainingStream(Numbered(10), 4, 7), set()

    def convert(batches):
        threads.add(threading.current_thread())
        assert len(batches) == 3
        return [images + 1 for images, labels in batches]

    with stream.prefetch(start=2, convert=convert, together=3) as batches:
        for index in range(2, 9):
            assert (next(batches) == stream.batch(index)[0] + 1).all()
    assert threading.current_thread() not in threads


def test_prefetching_hands_errors_over():
    class Broken(Numbered):
        def read(self, indices):
            raise OSError("the disk is gone")

    batches = TrainingStream(Broken(10), 4, 7).prefetch()
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)
    assert not batches._thread.is_alive()
