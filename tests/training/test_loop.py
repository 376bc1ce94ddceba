"""What the loop hands to the phases, and when."""

import dataclasses
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.dataset import TrainingStream
from sg2ada_colab.seeds import step_seed
from sg2ada_colab.tf import tf
from sg2ada_colab.training import loop
from sg2ada_colab.training.phase import Phase, PhaseSettings
from sg2ada_colab.training.ranks import ALONE
from sg2ada_colab.training.state import Counters, RunningMeans

BATCH, ROUNDS = 4, 2
CONFIG = resolve(TrainOptions(batch=8, batch_gpu=BATCH, seed=3, tick=4), DatasetInfo("d", "d", 8, 3, 10, 10))


def lasting(kimg):
    """Return the config of a run that ends after so many kimg."""
    return dataclasses.replace(CONFIG, schedule=dataclasses.replace(CONFIG.schedule, total_kimg=kimg))


CONFIG = lasting(0.064)
REPORTS = {
    "G_main": ("Loss/G/loss",),
    "G_reg": ("Loss/pl_penalty", "Loss/G/reg"),
    "D_main": ("Loss/scores/fake", "Loss/scores/real", "Loss/D/loss"),
    "D_reg": ("Loss/signs/real",),
    "D_valid": ("Loss/scores/valid",),
}


def phase(name, interval, batch, rounds=ROUNDS, called=None):
    """Return a Phase that gives zeros, once `called` has been given its name, its round and its inputs."""
    one = Phase(PhaseSettings(name, name[0], interval, batch, rounds, xla=False), lambda *inputs: {})
    one.reports, one.overflow_name = REPORTS[name], f"Train{name}/overflow_frequency"

    def run(round_index, *inputs):
        if called is not None:
            called(name, round_index, inputs)
        return tf.zeros([len(one.reports)]), None if name == "D_valid" else tf.constant(True)

    one.run = run
    return one


def phases_of(called=None, average=lambda beta: None):
    """Return phases as a run has them: path length every 4, R1 every 16 minibatches."""
    return SimpleNamespace(
        config=CONFIG,
        ranks=ALONE,
        own_rounds=range(ROUNDS),
        generator=[phase("G_main", 1, 4, called=called), phase("G_reg", 4, 2, called=called)],
        discriminator=[phase("D_main", 1, 4, called=called), phase("D_reg", 16, 0, called=called)],
        validation=phase("D_valid", 1, 0, rounds=1, called=called),
        update_average=average,
    )


def state_of(**counters):
    return SimpleNamespace(counters=Counters(**counters), controller=None, means=RunningMeans())


class NumberedImages:
    """Ten images that hold their own number."""

    num_images, height, width, channels, labels = 10, 4, 4, 3, np.eye(10, dtype=np.float32)

    def __len__(self):
        return 10

    def read(self, indices, *flips):
        return np.tile(np.asarray(indices, np.uint8)[:, None, None, None], [1, 4, 4, 3])


@pytest.fixture
def stream():
    return TrainingStream(NumberedImages(), BATCH, 0)


@pytest.mark.parametrize(
    "index, generator, discriminator",
    [(16, ["G_main", "G_reg"], ["D_main", "D_reg"]), (20, ["G_main", "G_reg"], ["D_main"]), (21, ["G_main"], ["D_main"])],
)
def test_calls_of_a_minibatch(stream, index, generator, discriminator):
    _, calls = loop.draw_calls([1, index], phases_of(), stream, CONFIG.seed)
    assert [call.phase.name for call in calls.generator] == 2 * generator and calls.validation == []
    assert [[call.phase.name for call in of_round] for of_round in calls.discriminator] == 2 * [discriminator]
    assert [call.phase.name for call in calls.all()] == 2 * generator + 2 * discriminator
    for call in calls.all():
        seed = step_seed(CONFIG.seed, call.phase.name, 2 * index + call.round)
        np.testing.assert_array_equal(call.inputs[0], seed)
        fakes = {"G_main": 4, "G_reg": 2, "D_main": 4, "D_reg": 0}[call.phase.name]
        assert len(call.inputs) == (2 if fakes else 1)
        if fakes:
            np.testing.assert_array_equal(call.inputs[1], stream.random_labels(fakes, seed))


def test_a_phase_that_is_off_is_never_called(stream):
    phases = phases_of()
    phases.generator[1].interval = phases.discriminator[1].interval = None
    for calls in loop.draw_calls(range(17), phases, stream, 0):
        assert [call.phase.name for call in calls.all()] == ["G_main", "G_main", "D_main", "D_main"]


def test_a_group_is_drawn_before_its_first_phase_and_rounds_share_their_images(stream, monkeypatch):
    events, seen, draw = [], [], loop.draw_calls
    monkeypatch.setattr(loop, "draw_calls", lambda indices, *rest: events.append(list(indices)) or draw(indices, *rest))

    def called(name, round_index, inputs):
        events.append(name)
        if name[0] == "D":
            seen.append((name, round_index, inputs[-3].numpy()[:, 0, 0, 0].tolist()))

    phases, state = phases_of(called, average=lambda beta: events.append("average")), state_of()
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
    main, reg = phase("D_main", 1, 4), phase("G_reg", 4, 2)
    results = [
        loop.Result(main, tf.constant([1.0, 2.0, 3.0]), tf.constant(True)),
        loop.Result(reg, tf.constant([5.0, np.nan]), None),
        loop.Result(reg, tf.constant([6.0, 7.0]), tf.constant(False)),
    ]
    read = loop.read_reports(results)
    assert [(one.phase, one.finite) for one in read] == [(main, True), (reg, None), (reg, False)]
    assert read[0].reports == {"Loss/scores/fake": 1, "Loss/scores/real": 2, "Loss/D/loss": 3}
    np.testing.assert_array_equal(list(read[1].reports.values()), [5, np.nan])
    assert read[2].reports["Loss/G/reg"] == 7


def test_reports_go_to_the_means_and_to_the_controller_by_their_names():
    main, reg, valid = phase("D_main", 1, 4), phase("D_reg", 16, 0), phase("D_valid", 1, 0)
    read = [
        loop.Result(main, {"Loss/scores/fake": -1.0, "Loss/scores/real": 2.0, "Loss/D/loss": 3.0}, True),
        loop.Result(main, {"Loss/scores/fake": -3.0, "Loss/scores/real": 4.0, "Loss/D/loss": np.nan}, False),
        loop.Result(reg, {"Loss/signs/real": 0.5}, None),
        loop.Result(valid, {"Loss/scores/valid": 1.0}, None),
    ]
    means, seen = RunningMeans(), []
    loop.accumulate_reports(read, means, SimpleNamespace(observe=lambda scores, sign: seen.append((scores, sign))))
    assert means.take() == {
        "Loss/scores/fake": -2, "Loss/scores/real": 3, "Loss/D/loss": 3, "TrainD_main/overflow_frequency": 0.5,
        "Loss/signs/real": 0.5, "Loss/scores/valid": 1,
    }  # fmt: skip
    nothing = {"real": None, "fake": None, "valid": None}
    assert [scores for scores, _ in seen] == [
        dict(nothing, real=2, fake=-1), dict(nothing, real=4, fake=-3), nothing, dict(nothing, valid=1)
    ]  # fmt: skip
    assert [sign for _, sign in seen] == [None, None, 0.5, None]


def test_held_out_images_come_in_order_from_where_training_stands(stream):
    seen, held_out = [], TrainingStream(NumberedImages(), BATCH, 5)

    def called(name, round_index, inputs):
        if name != "D_valid":
            seen.append(name)
            return
        seed, images, labels, _ = inputs
        seen.append((seed.numpy().tolist(), images.numpy()[:, 0, 0, 0].tolist(), labels.numpy().argmax(1).tolist()))

    state = state_of(minibatch=3, nimg=24)
    loop.train(state, phases_of(called), stream, CONFIG, [], lambda: None, validation=held_out)
    assert state.counters.minibatch == 11
    expected = []
    for k in range(3, 11):
        numbers = held_out.batch(k)[0][:, 0, 0, 0].tolist()
        expected.append((step_seed(CONFIG.seed, "D_valid", k).tolist(), numbers, numbers))
    assert [one for one in seen if isinstance(one, tuple)] == expected
    assert seen.index(expected[0]) == 4 and seen[:4] == ["G_main", "G_main", "D_main", "D_main"]


class Closes(loop.Callback):
    """Notes what is done with it, and fails where it is told to."""

    def __init__(self, name, events, fails=()):
        self.name, self.events, self.fails = name, events, fails

    def note(self, moment):
        self.events.append((self.name, moment))
        if moment in self.fails:
            raise RuntimeError(f"{self.name} failed")

    def on_start(self, progress):
        self.note("start")

    def on_group(self, progress):
        self.note("group")

    def on_end(self, progress):
        self.note("end")

    def close(self):
        self.note("close")


@pytest.mark.parametrize(
    "fails, expected",
    [
        ((), ["a start", "b start", "a group", "b group", "a end", "b end", "b close", "a close"]),
        (("start",), ["a start", "b start", "b close", "a close"]),
        (("group",), ["a start", "b start", "a group", "b group", "b close", "a close"]),
        (("group", "close"), ["a start", "b start", "a group", "b group", "b close", "a close"]),
    ],
)
def test_callbacks_are_closed_whatever_ended_training(stream, fails, expected):
    events, config = [], lasting(0.032)
    callbacks = [Closes("a", events), Closes("b", events, fails)]
    before = threading.active_count()
    if fails:
        with pytest.raises(RuntimeError, match="b failed"):
            loop.train(state_of(), phases_of(), stream, config, callbacks, lambda: None)
    else:
        loop.train(state_of(), phases_of(), stream, config, callbacks, lambda: None)
    assert [" ".join(event) for event in events] == expected
    assert threading.active_count() == before
