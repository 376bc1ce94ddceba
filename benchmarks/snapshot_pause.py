"""Print how long training stands still for snapshots at 1024x1024 sizes, what the background costs, and how fast resume is.

    python benchmarks/snapshot_pause.py
    python benchmarks/snapshot_pause.py --drive-mb-s 10 --snapshots 3 --interval-s 600

Drive is the tests' fake FUSE file system, throttled to `--drive-mb-s` for reads and for writes; without FUSE it is a folder.
Training is a NumPy stand-in, so what is timed is ours alone: copying every value (memory to memory here; on a GPU add the
transfer from the device, about 0.1 s per GB), handing it over, and the rate at which the stand-in runs on beside the writer.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from sg2ada_colab.networks.variables import DiscriminatorConfig, GeneratorConfig, discriminator_specs, generator_specs
from sg2ada_colab.snapshots.choose import latest_run
from sg2ada_colab.snapshots.keeper import RunKeeper
from sg2ada_colab.snapshots.network_data import NetworkData, NetworkSnapshot
from sg2ada_colab.snapshots.network_pickle import read_network_pickle, write_network_pickle
from sg2ada_colab.snapshots.training_state import load_state
from sg2ada_colab.snapshots.verified_copy import fetch_run

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "soak"))
RUN = "00000-benchmark"


def parse(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", type=int, default=1024, help="pixels per side (default 1024)")
    parser.add_argument("--snapshots", type=int, default=2, help="how many are written (default 2)")
    parser.add_argument("--interval-s", type=float, default=600, help="seconds between snapshots that the share is told for")
    parser.add_argument("--drive-mb-s", type=float, default=10, help="speed of the fake Drive, MB/s (default 10)")
    parser.add_argument("--folder", default=None, help="scratch folder (default: the system's)")
    return parser.parse_args(argv)


class Networks:
    """All values of a training state at full size, as plain arrays."""

    def __init__(self, resolution):
        self.configs = {"G": GeneratorConfig(resolution=resolution), "D": DiscriminatorConfig(resolution=resolution)}
        self.configs["Gs"] = self.configs["G"]
        random = np.random.RandomState(1)
        specs = {"G": generator_specs(self.configs["G"]), "D": discriminator_specs(self.configs["D"])}
        specs["Gs"] = specs["G"]
        self.values = {
            network: {spec.name: np.float32(random.standard_normal(spec.shape)) for spec in specs[network]} for network in specs
        }
        self.moments = {
            "{}_opt/{}/{}".format(network, moment, spec.name): np.float32(random.standard_normal(spec.shape))
            for network in ("G", "D") for moment in ("m", "v") for spec in specs[network] if spec.trainable
        }  # fmt: skip

    def copy(self):
        """Return (NetworkSnapshot, arrays) of copies, as the training loop makes them."""
        networks = {
            name: NetworkData(name, self.configs[name].to_kwargs(), {key: np.array(one) for key, one in values.items()})
            for name, values in self.values.items()
        }
        return NetworkSnapshot(source=None, **networks), {name: np.array(one) for name, one in self.moments.items()}


class StandIn:
    """Training that can be measured: matrix products, steps counted."""

    def __init__(self):
        self.a = np.random.RandomState(0).rand(300, 300).astype(np.float32)

    def steps_per_second(self, seconds=None, until=None):
        started, steps = time.perf_counter(), 0
        while (until is None or not until()) and (seconds is None or time.perf_counter() - started < seconds):
            np.tanh(self.a @ self.a / 300)
            steps += 1
        return steps / (time.perf_counter() - started)


def fake_drive(folder, speed):
    """Return (mount folder, function that ends it)."""
    try:
        from fake_drive import FakeDrive, can_mount
    except ImportError:
        can_mount = None
    if can_mount is None or can_mount():
        return Path(folder), lambda: None, "a folder, not throttled"
    drive = FakeDrive(folder, bytes_s=speed)
    drive.start()
    return drive.mount, drive.stop, "FUSE, {:.0f} MB/s each way".format(speed / 1e6)


def wait_until(true):
    while not true():
        time.sleep(0.05)


def main(argv=None):
    args = parse(argv)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        mount, end, what = fake_drive(os.path.join(scratch, "drive"), args.drive_mb_s * 1e6)
        try:
            measure(args, Path(scratch), mount, what)
        finally:
            end()


def row(name, value, unit=""):
    print("{:<66s} {:>10s} {}".format(name, value, unit), flush=True)


def measure(args, scratch, mount, what):
    networks, training = Networks(args.resolution), StandIn()
    here, there = scratch / "here", Path(str(mount)) / "results"
    there.mkdir(parents=True)
    row("Drive", what)
    alone = training.steps_per_second(5)
    keeper = RunKeeper(here / RUN, there / RUN, say=print)
    pauses, pauses_cpu, writing, beside_writer = [], [], [], []
    for number in range(args.snapshots):
        started, started_cpu = time.perf_counter(), time.thread_time()
        snapshot, arrays = networks.copy()
        copied = time.perf_counter() - started
        meta = {"nimg": number * 4000, "counters": {}}
        keeper.snapshot(number * 4, lambda file, snapshot=snapshot: write_network_pickle(file, snapshot), arrays, meta)
        pauses.append(time.perf_counter() - started)
        pauses_cpu.append(time.thread_time() - started_cpu)
        print("snapshot {}: copied in {:.2f} s, handed over after {:.2f} s".format(number, copied, pauses[-1]), flush=True)
        started = time.perf_counter()
        beside_writer.append(training.steps_per_second(until=lambda: not keeper.store.writing()))
        writing.append(time.perf_counter() - started)
        del snapshot, arrays
    record = keeper.store.snapshots()[-1]
    row("network pickle", "{:.0f}".format(record.files["network-snapshot-{}.pkl".format(record.name)].bytes / 1e6), "MB")
    row("training state", "{:.0f}".format(record.files["training-state-{}.npz".format(record.name)].bytes / 1e6), "MB")
    share = 100 / args.interval_s
    row("training stands still for a snapshot (copy and hand over), most", "{:.2f}".format(max(pauses)), "s")
    row("  of that the processor's time of its thread, most", "{:.2f}".format(max(pauses_cpu)), "s")
    row("  of the {:.0f} s between snapshots".format(args.interval_s), "{:.3f}".format(share * max(pauses)), "%")
    row("snapshot written and hashed in the background", "{:.1f}".format(np.mean(writing)), "s")
    row("stand-in's speed beside the writer", "{:.0f}".format(100 * np.mean(beside_writer) / alone), "% of alone")
    lost = np.mean(writing) * max(0.0, 1 - np.mean(beside_writer) / alone)
    row("stood still and slowed down together", "{:.2f}".format(share * (max(pauses) + lost)), "% of the interval")
    started, beside_copier = time.perf_counter(), training.steps_per_second(5)
    wait_until(lambda: keeper.copier.status().waiting == 0)
    copying = time.perf_counter() - started
    row("stand-in's speed beside the copier", "{:.0f}".format(100 * beside_copier / alone), "% of alone")
    row("copied to Drive and read back, {} snapshots together".format(args.snapshots), "{:.0f}".format(copying), "s")
    keeper.finish(600)
    for name, places in (("this machine's disk", [here]), ("Drive", [scratch / "new", there])):
        started = time.perf_counter()
        choice = latest_run([str(place) for place in places])
        chosen = time.perf_counter() - started
        store = fetch_run(choice.candidate, str(places[0]))
        fetched = time.perf_counter() - started
        read_network_pickle(store.path("network-snapshot-{}.pkl".format(choice.candidate.name)))
        load_state(store.path("training-state-{}.npz".format(choice.candidate.name)))
        loaded = time.perf_counter() - started
        text = "resume from {}: chosen after {:.1f} s, here after {:.1f} s, loaded after"
        row(text.format(name, chosen, fetched), "{:.1f}".format(loaded), "s")
    row("threads at the end", str(threading.active_count()))


if __name__ == "__main__":
    main()
