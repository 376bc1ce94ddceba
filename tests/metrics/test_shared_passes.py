"""Processes that share the passes of a measurement: the same number as by one, whatever fails in one of them."""

import threading
import time
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.metrics import features
from sg2ada_colab.metrics.fakes import SnapshotFakes
from sg2ada_colab.metrics.feature_set import FeatureSet, ImageSource
from sg2ada_colab.metrics.shared_passes import SharedPasses, computed_together, help_to_measure
from sg2ada_colab.metrics.snapshots import SnapshotMetrics, SnapshotOptions
from sg2ada_colab.training.ranks import Ranks

from .conftest import MemoryDataset, images_by_number, random_network
from .test_snapshots import write_snapshot

METRICS = ["kid200_efflite0", "fd150_efflite0", "pr1k3_efflite0", "ppl2_wend_100"]


def together(count, work, leads=lambda index: True):
    """Return what `count` threads return or raise that stand for processes: work(ranks), whose sums meet each other."""
    vectors, results = [None] * count, [None] * count
    barrier = threading.Barrier(count, timeout=60)

    def run(index):
        def reduce(vector):
            vectors[index] = vector
            barrier.wait()
            assert len({len(one) for one in vectors}) == 1, "the processes send messages of other lengths"
            total = sum(vectors[1:], vectors[0])
            barrier.wait()
            return total

        try:
            results[index] = work(Ranks(index, count, leads(index), reduce))
        except BaseException as error:
            results[index] = error
            if not isinstance(error, (UserError, KeyboardInterrupt)):
                barrier.abort()

    threads = [threading.Thread(target=run, name=str(index), args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "network-snapshot-000040.pkl"
    write_snapshot(path)
    return path


@pytest.fixture
def measure(monkeypatch, tmp_path, snapshot):
    """Return a function of (number of processes, metrics) that returns (values, sentences, images that each made)."""

    def open_network(name, path=None, cache_dir=None):
        network = random_network(name, 1 if name == "lpips" else 6)
        network.check = (lambda images: images) if name == "lpips" else network.check
        return network

    monkeypatch.setattr(features, "open_network", open_network)

    def measured(count, metrics=METRICS, reals=lambda index: 90, folder="results", should_stop=None, leads=lambda index: True):
        said, run_dir = [], tmp_path / folder
        run_dir.mkdir(exist_ok=True)

        def work(ranks):
            dataset = MemoryDataset(images_by_number(reals(ranks.index), 0, size=8, stream="reals"))
            options = {"xla": False, "cache_dir": tmp_path / "cache" / folder, "say": said.append}
            if ranks.index:
                helping = SnapshotMetrics(dataset, metrics, SnapshotOptions(**options))
                network = read_snapshot(snapshot).Gs
                return help_to_measure(ranks, lambda names, source: helping.request(names, network, source))
            shared = SharedPasses(ranks, said.append) if count > 1 else None
            try:
                how = SnapshotOptions(together=shared, should_stop=should_stop, **options)
                return SnapshotMetrics(dataset, metrics, how).measure(snapshot, run_dir, again=True)
            finally:
                if shared:
                    shared.end()

        results = together(count, work, leads)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [one.values for one in results[0]], said

    return measured


@pytest.mark.parametrize("count, ahead", [(2, 0), (3, 3)])
def test_several_processes_measure_what_one_does_and_each_makes_its_part(measure, monkeypatch, count, ahead):
    alone, _ = measure(1)
    made, launch = Counter(), SnapshotFakes.launch

    def counted(self, count, start):
        made[threading.current_thread().name] += count
        return launch(self, count, start)

    monkeypatch.setattr(SnapshotFakes, "launch", counted)
    monkeypatch.setattr(features, "batches_ahead", lambda: ahead)
    assert measure(count, folder="of several")[0] == alone
    parts = [made[str(index)] for index in range(count)]
    assert max(parts) - min(parts) < 150 and 1000 < sum(parts) < 1050  # one of each is made to see its shape


def test_the_first_process_of_a_machine_computes_first_what_may_have_to_be_compiled(measure, monkeypatch):
    calls, launch = [], SnapshotFakes.launch

    def noted(self, count, start):
        index = int(threading.current_thread().name)
        calls.append((index, "begins"))
        time.sleep(0.3)
        launched = launch(self, count, start)
        calls.append((index, "ends"))
        return launched

    monkeypatch.setattr(SnapshotFakes, "launch", noted)
    monkeypatch.setattr(features, "batches_ahead", lambda: 0)
    values, _ = measure(3, METRICS[:1], leads=lambda index: index != 1)  # the last one is another machine's first
    assert values == measure(1, METRICS[:1], folder="alone")[0]
    waits = [call for call in calls if call[0] < 2]
    # To see the shape of an image, and for the first batch; then both at once.
    assert waits[:8] == [(0, "begins"), (0, "ends"), (1, "begins"), (1, "ends")] * 2
    assert {index for index, _ in waits[8:10]} == {0, 1} and waits[8][1] == waits[9][1] == "begins"


def test_a_stop_keeps_what_all_have_computed_and_one_goes_on_with_it(measure):
    alone, _ = measure(1)
    calls = []
    with pytest.raises(KeyboardInterrupt):
        measure(2, folder="stopped", should_stop=lambda: calls.append(1) or len(calls) == 4)
    assert measure(1, folder="stopped")[0] == alone


def test_processes_with_other_images_leave_it_to_the_first(measure):
    values, said = measure(2, METRICS[:1], reals=lambda index: 90 + index)
    assert values == measure(1, METRICS[:1], folder="alone")[0]
    assert any("Process 1 measures alone: process 2 has other feature networks" in sentence for sentence in said)


def test_a_part_that_fails_ends_the_measurement_in_all(monkeypatch):
    def work(ranks):
        def images_of(count, start):
            if ranks.index == 1 and start >= 96:
                raise UserError("not finite", "", "")
            return images_by_number(count, start)

        sets = [FeatureSet(random_network(), "features", ImageSource("fakes", "one", images_of), 500)]
        first = computed_together(ranks, sets, 0, 64)
        np.testing.assert_array_equal(first["efflite0", "features"], sets[0].network(images_by_number(64, 0)))
        with suppress(AssertionError):
            return computed_together(ranks, sets, 64, 128)

    first, second = together(2, work)
    assert str(second).startswith("not finite") and "process 2 could not compute its part" in str(first)
