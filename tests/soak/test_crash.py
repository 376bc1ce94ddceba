"""The storage alone, killed at random against the fake Drive: a stand-in trains, whose every state is known in advance."""

import numpy as np
import pytest
from crashes import Crashes
from fake_drive import needs_fuse
from fault_counts import missing_kinds
from stand_in_child import RUN, STEPS_PER_SNAPSHOT, advance, arrays_of, pickle_of

KEEP_LAST, SETTLE_S = 3, 1.0
ENDLESS = 10**9


class StandIn(Crashes):
    module = "stand_in_child"
    links = [b"\0" * 32]

    def arguments(self, total_steps):
        return [self.local, self.results, self.ledger, total_steps, KEEP_LAST, SETTLE_S]

    def link(self, step):
        while len(self.links) <= step:
            self.links.append(advance(self.links[-1], len(self.links) - 1))
        return self.links[step].hex()

    def check_contents(self, position, arrays, pickle):
        link = bytes.fromhex(self.link(position))
        expected = arrays_of(link)
        assert sorted(arrays) == sorted(expected) and pickle == pickle_of(link), f"a wrong snapshot at {position}"
        assert all(np.array_equal(arrays[name], expected[name]) for name in expected), f"wrong arrays at {position}"

    def check_loss(self, lost, lines, in_flight):
        assert lost <= STEPS_PER_SNAPSHOT * (1 + len(in_flight)), f"{lost} steps were lost"


def crash(folder, kills, seed):
    with StandIn(folder, RUN, seed, (0.04, 0.4, 1.0, 2.0), "step", 1.0) as crashes:
        while crashes.figures["kills"] < kills:
            crashes.run_and_kill(ENDLESS)
        total_steps = crashes.least + 3 * STEPS_PER_SNAPSHOT + 2
        assert crashes.start(total_steps).wait(120) == 0, (crashes.ledger / "stderr").read_text()[-3000:]
        end = crashes.lines()[-1]
        assert end["event"] == "end" and end["done"]
        assert end["proof"] == crashes.link(total_steps), "the end differs from an undisturbed run"
        for at, proof in crashes.proofs:
            assert proof == crashes.link(at), f"a wrong resume at {at}"
        crashes.wait_in_cloud(total_steps)
    assert crashes.owed.figures["reports"] > kills, "the copier tells too little to be judged"
    crashes.figures["steps of the whole run"] = total_steps
    crashes.print_figures(f"stand-in and fake Drive, seed {seed}")
    return crashes.figures, missing_kinds(crashes.drive.counts.read())


@needs_fuse
@pytest.mark.slow
def test_twenty_kills(tmp_path):
    figures, _ = crash(tmp_path, 20, seed=20)
    assert figures["kills"] == 20 and figures["lost VMs"] >= 3


@needs_fuse
@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_hundred_kills(tmp_path, seed):
    figures, missing = crash(tmp_path, 200, seed)
    assert figures["kills"] == 200 and figures["lost VMs"] >= 40 and figures["dead mounts"] >= 5
    assert not missing, f"these faults never happened: {missing}"
