"""What the loop hands to the phases, and when."""

from types import SimpleNamespace

import numpy as np
import pytest

from sg2ada_colab.dataset import TrainingStream
from sg2ada_colab.seeds import step_seed
from sg2ada_colab.tf import tf
from sg2ada_colab.training import loop
from sg2ada_colab.training.state import Counters

SETTINGS = SimpleNamespace(pl_weight=2.0, g_reg_interval=4, d_reg_interval=16, pl_batch_shrink=2)
CONFIG = SimpleNamespace(
    seed=3, minibatch_gpu=4, minibatch_size=8, rounds=2, total_kimg=0.064, kimg_per_tick=4, ema_kimg=10, ema_rampup=None
)


class NumberedImages:
    """Ten images that hold their own number."""

    num_images, resolution, channels, labels = 10, 4, 3, np.eye(10, dtype=np.float32)

    def __len__(self):
        return 10

    def read(self, indices, *flips):
        return np.tile(np.asarray(indices, np.uint8)[:, None, None, None], [1, 4, 4, 3])


@pytest.fixture
def stream():
    return TrainingStream(NumberedImages(), CONFIG.minibatch_gpu, 0)


@pytest.mark.parametrize(
    "index, generator, discriminator",
    [(16, ["G_main", "G_reg"], ["D_main", "D_reg"]), (20, ["G_main", "G_reg"], ["D_main"]), (21, ["G_main"], ["D_main"])],
)
def test_calls_of_a_minibatch(stream, index, generator, discriminator):
    _, calls = loop.draw_calls([1, index], SETTINGS, stream, CONFIG)
    assert [call.phase for call in calls] == 2 * generator + 2 * discriminator
    for call in calls:
        seed = step_seed(CONFIG.seed, call.phase, 2 * index + call.round)
        np.testing.assert_array_equal(call.inputs[0], seed)
        fakes = {"G_main": 4, "G_reg": 2, "D_main": 4, "D_reg": 0}[call.phase]
        assert len(call.inputs) == (2 if fakes else 1)
        if fakes:
            np.testing.assert_array_equal(call.inputs[1], stream.random_labels(fakes, seed))


def test_a_group_is_drawn_before_its_first_phase_and_rounds_share_their_images(stream, monkeypatch):
    events, seen, draw = [], [], loop.draw_calls
    monkeypatch.setattr(loop, "draw_calls", lambda indices, *rest: events.append(list(indices)) or draw(indices, *rest))

    def run(phase, round_index, *inputs):
        events.append(phase)
        if phase[0] == "D":
            seen.append((phase, round_index, inputs[-3].numpy()[:, 0, 0, 0].tolist()))
        return tf.zeros([len(loop.REPORTS[phase])]), tf.constant(True)

    phases = SimpleNamespace(settings=SETTINGS, run=run, update_average=lambda beta: events.append("average"))
    state = SimpleNamespace(counters=Counters(), controller=None)
    progress = loop.train(state, phases, stream, CONFIG, [], lambda: None)
    assert progress.done and state.counters.nimg == 64 and state.counters.minibatch == 8
    assert events[:6] == [[0, 1, 2, 3], "G_main", "G_reg", "G_main", "G_reg", "average"]
    assert [e for e in events if isinstance(e, list)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    images = [stream.batch(k)[0][:, 0, 0, 0].tolist() for k in range(16)]
    assert [row for row in seen if row[0] == "D_main"] == [("D_main", k % 2, images[k]) for k in range(16)]
    assert [row for row in seen if row[0] == "D_reg"] == [("D_reg", k, images[k]) for k in range(2)]


@pytest.mark.parametrize("room, expected", [(1 << 20, [3, 3]), (2 * 192, [2, 2, 2]), (1, [1, 1, 1, 1])])
def test_images_are_copied_a_group_at_a_time_where_there_is_room(stream, room, expected, monkeypatch):
    copies, placed = [], loop.placed
    monkeypatch.setattr(loop, "COPY_BYTES", room)  # a batch of four images has 192 bytes
    monkeypatch.setattr(loop, "placed", lambda batches: copies.append(len(batches)) or placed(batches))
    with loop.read_ahead(stream, 5, per_group=3) as batches:
        for index in range(5, 9):
            for found, array in zip(next(batches), stream.batch(index)):
                np.testing.assert_array_equal(found, array)
    assert copies[: len(expected)] == expected


def test_reports_and_flags_come_back_in_one_copy():
    results = [
        ("G_main", tf.constant([1.0, 2.0, 3.0, 4.0]), tf.constant(True)),
        ("G_reg", tf.constant([5.0, np.nan]), None),
        ("G_reg", tf.constant([6.0, 7.0]), tf.constant(False)),
    ]
    fetched = loop.fetch(results)
    assert [(phase, finite) for phase, _, finite in fetched] == [("G_main", True), ("G_reg", None), ("G_reg", False)]
    assert fetched[0][1] == dict(zip(loop.REPORTS["G_main"], [1, 2, 3, 4]))
    np.testing.assert_array_equal(list(fetched[1][1].values()), [5, np.nan])
    assert fetched[2][1]["Loss/G/reg"] == 7


def test_held_out_images_come_in_order_from_where_training_stands(stream):
    seen, held_out = [], TrainingStream(NumberedImages(), CONFIG.minibatch_gpu, 5)

    def run(phase, round_index, *inputs):
        seen.append(phase)
        return tf.zeros([len(loop.REPORTS[phase])]), tf.constant(True)

    def validate(seed, images, labels, p):
        seen.append((seed.numpy().tolist(), images.numpy()[:, 0, 0, 0].tolist(), labels.numpy().argmax(1).tolist()))
        return tf.zeros([len(loop.REPORTS["D_valid"])])

    phases = SimpleNamespace(settings=SETTINGS, run=run, update_average=lambda beta: None, validate=validate)
    state = SimpleNamespace(counters=Counters(minibatch=3, nimg=24), controller=None)
    loop.train(state, phases, stream, CONFIG, [], lambda: None, validation=held_out)
    assert state.counters.minibatch == 11
    expected = []
    for k in range(3, 11):
        numbers = held_out.batch(k)[0][:, 0, 0, 0].tolist()
        expected.append((step_seed(CONFIG.seed, "D_valid", k).tolist(), numbers, numbers))
    assert [one for one in seen if isinstance(one, tuple)] == expected
    assert seen.index(expected[0]) == 4 and seen[:4] == ["G_main", "G_main", "D_main", "D_main"]
