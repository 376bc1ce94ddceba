"""Print how long training stands still for snapshots at 1024x1024 sizes, what the background costs, and how fast resume is.

    python benchmarks/snapshot_pause.py
    python benchmarks/snapshot_pause.py --drive-mb-s 10 --snapshots 3 --interval-s 600

Drive is the tests' fake FUSE file system, throttled to `--drive-mb-s` for reads and for writes; without FUSE it is a folder.
The state is the engine's at full size, and its snapshots are taken by the engine's own callback; steps are matrix products, as
training at this size takes a GPU. So what is timed is ours alone: copying every value (memory to memory here; on a GPU add the
transfer from the device, about 0.1 s per GB), handing it over, and how fast the steps run on beside the writer. Last, a tiny
network shows how long it takes from `sg2ada resume` to the end of the first four minibatches.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.dataset import PrepareOptions, prepare
from sg2ada_colab.formats.network_pickle import read_network_pickle
from sg2ada_colab.runs.callbacks import Snapshots
from sg2ada_colab.storage.keeper import RunKeeper
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.training_state import load_state
from sg2ada_colab.storage.verified_copy import fetch_run
from sg2ada_colab.storage.which_run import choose_run
from sg2ada_colab.training.state import TrainState

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "soak"))
RUN = "00000-benchmark"
FIRST_STEP = """
import os, signal, sys, time
from sg2ada_colab.runs.start import start
from sg2ada_colab.config.train_config import TrainConfig
from sg2ada_colab.training.loop import Callback

class First(Callback):
    def on_start(self, progress):
        print(time.time() - float(sys.argv[3]), flush=True)
    def on_group(self, progress):
        print(time.time() - float(sys.argv[3]), flush=True)
        os.kill(os.getpid(), signal.SIGINT)

resume = os.path.exists(os.path.join(sys.argv[2], "manifest.json")) or None
start(TrainConfig.from_json(open(sys.argv[1]).read()), sys.argv[2], resume=resume, quiet=True, extra_callbacks=[First()])
"""


def parse(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", type=int, default=1024, help="pixels per side (default 1024)")
    parser.add_argument("--snapshots", type=int, default=2, help="how many are written (default 2)")
    parser.add_argument("--interval-s", type=float, default=600, help="seconds between snapshots that the share is told for")
    parser.add_argument("--drive-mb-s", type=float, default=10, help="speed of the fake Drive, MB/s (default 10)")
    parser.add_argument("--folder", default=None, help="scratch folder (default: the system's)")
    return parser.parse_args(argv)


def build_state(resolution):
    """Return the TrainState of a network at full size."""
    options = TrainOptions(cfg="paper1024", cbase=32768, seed=1)
    return TrainState(resolve(options, DatasetInfo("noise", "noise", resolution, 3, 0, 1)), num_fp16_res=4)


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
    return drive.mount, drive.stop, f"FUSE, {speed / 1e6:.0f} MB/s each way"


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
    print(f"{name:<66s} {value:>10s} {unit}", flush=True)


def measure(args, scratch, mount, what):
    state, training = build_state(args.resolution), StandIn()
    here, there = scratch / "here", Path(str(mount)) / "results"
    there.mkdir(parents=True)
    row("Drive", what)
    keeper = RunKeeper(RunStore(here / RUN), there / RUN, say=print)
    config = SimpleNamespace(snapshots=SimpleNamespace(network_ticks=10**9, seconds=None))
    snapshots = Snapshots(keeper.store, config, print)
    progress = SimpleNamespace(state=state, stopped=None, done=False)
    snapshots.on_start(progress)
    alone = training.steps_per_second(20)  # a real run compiles for longer than this before its first step
    pauses_cpu, writing, beside_writer = [], [], []
    for number in range(args.snapshots):
        state.counters.nimg = number * 4000
        started_cpu = time.thread_time()
        snapshots.save(progress)
        pauses_cpu.append(time.thread_time() - started_cpu)
        print(f"snapshot {number}: stood still for {snapshots.pauses_s[-1]:.2f} s", flush=True)
        started = time.perf_counter()
        beside_writer.append(training.steps_per_second(until=lambda seen=number: len(keeper.store.snapshots()) > seen))
        writing.append(time.perf_counter() - started)
    show_pauses(args, snapshots.pauses_s, pauses_cpu, writing, [one / alone for one in beside_writer], keeper.store)
    started, beside_copier = time.perf_counter(), training.steps_per_second(5)
    row("stand-in's speed beside the copier", f"{100 * beside_copier / alone:.0f}", "% of alone")
    wait_until(lambda: keeper.copier.status().waiting == 0)
    copying = time.perf_counter() - started
    row(f"copied to Drive and read back, {args.snapshots} snapshots together", f"{copying:.0f}", "s")
    keeper.finish(600)
    show_resume(here, scratch / "new", there)
    row("threads at the end", str(threading.active_count()))
    show_first_step(scratch)


def show_pauses(args, pauses, pauses_cpu, writing, speeds, store):
    record, share = store.snapshots()[-1], 100 / args.interval_s
    row("network pickle", "{:.0f}".format(record.files[f"network-snapshot-{record.name}.pkl"].bytes / 1e6), "MB")
    row("training state", "{:.0f}".format(record.files[f"training-state-{record.name}.npz"].bytes / 1e6), "MB")
    for which, index in (("first", 0), ("last", -1)):
        row(f"training stands still for the {which} snapshot", f"{pauses[index]:.2f}", "s")
        row("  of that the processor's time of its thread", f"{pauses_cpu[index]:.2f}", "s")
        row(f"  of the {args.interval_s:.0f} s between snapshots", f"{share * pauses[index]:.3f}", "%")
    row("snapshot written and hashed in the background", f"{np.mean(writing):.1f}", "s")
    row("stand-in's speed beside the writer", f"{100 * np.mean(speeds):.0f}", "% of alone")
    lost = np.mean(writing) * max(0.0, 1 - np.mean(speeds))
    row("stood still and slowed down together, most", f"{share * (max(pauses) + lost):.2f}", "% of the interval")


def show_resume(here, new, there):
    for name, places in (("this machine's disk", [here]), ("Drive", [new, there])):
        started = time.perf_counter()
        choice = choose_run([str(place) for place in places])
        chosen = time.perf_counter() - started
        store = fetch_run(choice.candidate, str(places[0]))
        fetched = time.perf_counter() - started
        read_network_pickle(store.path(f"network-snapshot-{choice.candidate.name}.pkl"))
        load_state(store.path(f"training-state-{choice.candidate.name}.npz"))
        loaded = time.perf_counter() - started
        text = "resume from {}: chosen after {:.1f} s, here after {:.1f} s, loaded after"
        row(text.format(name, chosen, fetched), f"{loaded:.1f}", "s")


def show_first_step(scratch):
    """Resume a tiny run and print when its first minibatches are done, counted from the start of the process."""
    source = scratch / "source"
    source.mkdir()
    for number in range(40):
        pixels = np.random.RandomState(number).randint(0, 256, [32, 32, 3]).astype(np.uint8)
        Image.fromarray(pixels).save(str(source / f"{number}.png"))
    prepare(str(source), str(scratch / "noise32"), PrepareOptions(resolution=32, workers=1), progress=False)
    for words, no_xla in (("plain graphs", True), ("XLA", False)):
        data = str(scratch / "noise32")
        options = TrainOptions(data=data, kimg=1, batch=8, cbase=2048, cmax=32, metrics=[], no_xla=no_xla)
        (scratch / "config.json").write_text(resolve(options, DatasetInfo.open(data)).to_json())
        for _ in range(2):  # begun and stopped, then gone on with
            used, started = processor_s(), time.time()
            command = [sys.executable, "-c", FIRST_STEP, str(scratch / "config.json"), str(scratch / words), str(started)]
            restored, first = map(float, subprocess.check_output(command).split()[:2])
        name = f"resume at 32x32, {words}: state restored after {restored:.1f} s, minibatches done after"
        row(name, f"{first:.1f}", f"s ({processor_s() - used:.1f} s of processor time)")


def processor_s():
    """Return the processor time of the processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
