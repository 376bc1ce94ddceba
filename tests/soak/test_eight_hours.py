"""A long session in fast motion: thousands of snapshots with retention; memory, open files and threads stay flat."""

import json
import os
import statistics
import time

import pytest
from crashes import Crashes
from fake_drive import needs_fuse
from stand_in_child import RUN, STEPS_PER_SNAPSHOT
from test_crash_training import Training, write_config
from weather import CALM


class StandIn(Crashes):
    module = "stand_in_child"

    def arguments(self, snapshots):
        return [self.local, self.results, self.ledger, snapshots * STEPS_PER_SNAPSHOT, 3, 0.5]


def usage(pid):
    """Return (resident bytes, open files, threads) of a process."""
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmRSS"].split()[0]) * 1024, len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"])


def watch(crashes, child, snapshots, timeout_s):
    """Return [(snapshots written, resident bytes, open files, threads)] until so many are written."""
    samples, written, deadline = [], 0, time.monotonic() + timeout_s
    while written < snapshots and time.monotonic() < deadline:
        assert child.poll() is None, (crashes.ledger / "stderr").read_text()[-3000:]
        written += sum(line["event"] == "written" for line in crashes.lines())
        samples.append((written,) + usage(child.pid))
        time.sleep(0.2)
    assert written >= snapshots, f"only {written} snapshots were written"
    return samples


def check_flat(samples, what):
    """Compare the last fifth of a session with the second: the first is start-up."""
    fifth = samples[-1][0] / 5
    early = [sample for sample in samples if fifth <= sample[0] < 2 * fifth]
    late = [sample for sample in samples if sample[0] >= 4 * fifth]
    print(f"\n{what}: snapshots, resident MB, open files, threads")
    for part in range(10):
        window = [sample for sample in samples if part <= 10 * sample[0] / (samples[-1][0] + 1) < part + 1]
        if window:
            middles = [statistics.median(column) for column in zip(*window)]
            print("  {:>6.0f} {:>8.1f} {:>4.0f} {:>4.0f}".format(middles[0], middles[1] / 1e6, *middles[2:]))
    (before, files_before, threads_before), (after, files_after, threads_after) = (
        [statistics.median(column) for column in zip(*part)][1:] for part in (early, late)
    )
    assert after - before < 0.03 * before + 5e6, f"memory grows: {before / 1e6:.1f} to {after / 1e6:.1f} MB"
    assert abs(files_after - files_before) <= 2 and abs(threads_after - threads_before) <= 1


@needs_fuse
@pytest.mark.soak
def test_storage_stays_flat(tmp_path):
    with StandIn(tmp_path, RUN, 1, (1,), "step", 1.0) as crashes:
        crashes.drive.set(**dict(CALM, eio=0.002, upload_delay_s=0.2))
        child = crashes.start(3100)
        samples = watch(crashes, child, 3000, 3000)
        local = [name for name in os.listdir(str(crashes.local / RUN)) if "snapshot" in name]
        drive = [name for name in os.listdir(str(crashes.results / RUN)) if "snapshot" in name]
        child.kill()
        child.wait()
        with open(str(crashes.local / RUN / "manifest.json")) as file:
            listed = len(json.load(file)["snapshots"])
    print(f"\nsnapshots kept: {len(local)} here, {len(drive)} on Drive, {listed} listed")
    # The writer is far faster than it will ever be; what waits for its upload may not be deleted yet.
    assert max(len(local), len(drive)) < 200 and listed < 100
    check_flat(samples, "storage alone, fake Drive")


@needs_fuse
@pytest.mark.soak
def test_training_stays_flat(tmp_path):
    from training_child import RUN as training_run

    with Training(tmp_path, training_run, 1, (1,), "nimg", 15.0) as crashes:
        crashes.config_path = write_config(tmp_path, 10**6, snap_minutes=0.05 / 60)
        child = crashes.start()
        samples = watch(crashes, child, 2000, 6 * 3600)
        child.kill()
        child.wait()
    check_flat(samples, "training of a tiny network, fake Drive")
