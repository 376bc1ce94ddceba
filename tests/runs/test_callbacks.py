"""What a snapshot hands to the writer does not move on with training."""

import threading
from types import SimpleNamespace

from sg2ada_colab.runs.callbacks import Snapshots
from sg2ada_colab.training.loop import Means


class SlowStore:
    """Keeps what it is handed until the writer, in a thread of its own, gets to it."""

    run_dir = "run"

    def __init__(self):
        self.go, self.written = threading.Event(), []

    def wait(self):
        pass

    def write_snapshot_async(self, kimg, write, arrays, meta):
        def work():
            self.go.wait(10)
            self.written.append({name: list(pair) for name, pair in meta["means"].items()})

        self.writer = threading.Thread(target=work)
        self.writer.start()


def test_reports_after_the_snapshot_are_not_in_it():
    store, means = SlowStore(), Means()
    state = SimpleNamespace(counters=SimpleNamespace(nimg=1000), meta=dict)
    snapshots = Snapshots(store, SimpleNamespace(network_snapshot_ticks=1, snapshot_seconds=None), print)
    snapshots.copies = SimpleNamespace(take=lambda: (None, {}))
    means.add("Loss/G/loss", 1.0)
    snapshots.save(SimpleNamespace(state=state, unreported=means, stopped=None, done=False))
    means.add("Loss/G/loss", 5.0)
    means.add("Loss/D/loss", 2.0)
    store.go.set()
    store.writer.join()
    assert store.written == [{"Loss/G/loss": [1.0, 1]}]
    assert Means(store.written[0]).take() == {"Loss/G/loss": 1.0}
