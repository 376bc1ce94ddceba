"""What a snapshot hands to the writer does not move on with training."""

import threading

from sg2ada_colab.runs.callbacks import Snapshots
from sg2ada_colab.training.state import RunningMeans

from ..training.test_state import tiny_state
from .conftest import progress_of


class SlowStore:
    """Keeps what it is handed until the writer, in a thread of its own, gets to it."""

    run_dir = "run"

    def __init__(self):
        self.go, self.written = threading.Event(), []

    def wait(self):
        pass

    def write_snapshot_async(self, kimg, write, arrays, meta):
        def work():
            self.go.wait(60)
            self.written.append({name: list(pair) for name, pair in meta["means"].items()})

        self.writer = threading.Thread(target=work)
        self.writer.start()


def test_reports_after_the_snapshot_are_not_in_it(tiny_config):
    store, state = SlowStore(), tiny_state()
    state.counters.nimg, means = 1000, state.means
    config = tiny_config()
    snapshots = Snapshots(store, config, print)
    snapshots.on_start(progress_of(config, state))
    means.add("Loss/G/loss", 1.0)
    snapshots.save(progress_of(config, state))
    means.add("Loss/G/loss", 5.0)
    means.add("Loss/D/loss", 2.0)
    store.go.set()
    store.writer.join()
    assert store.written == [{"Loss/G/loss": [1.0, 1]}]
    assert RunningMeans(store.written[0]).take() == {"Loss/G/loss": 1.0}
