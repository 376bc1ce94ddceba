"""Real training processes of the engine, killed at random against the fake Drive: every resume equals an undisturbed run."""

import json

import numpy as np
import pytest
from crashes import Crashes
from fake_drive import needs_fuse
from fault_counts import missing_kinds
from PIL import Image
from training_child import RUN

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.dataset import PrepareOptions, prepare

GROUP = 32  # images of four minibatches of 8
SNAPSHOT_S = 0.6
PIPE = "noise"  # the augmentation that is compiled fastest; its strength adapts as any other's


class Training(Crashes):
    module = "training_child"
    config_path = None

    def check_loss(self, lost, lines, in_flight):
        # Time is looked at after each group: one may end between that look and its own note.
        taken = max([line["time"] for line in lines if line["event"] in ("running", "copied")])
        late = [line["at"] for line in lines if line["event"] == "group" and line["time"] > taken + SNAPSHOT_S + 0.3]
        assert len(late) <= 1, f"{late} were shown later than an interval after the last snapshot"

    def arguments(self):
        return [self.config_path, self.local, self.results, self.ledger]

    def undisturbed(self, images):
        """Return {images shown: digest of the whole state} of one training process that nobody kills."""
        config, folder = json.loads(self.config_path.read_text()), self.ledger.parent / "calm"
        config["schedule"]["total_kimg"] = (images + 2 * GROUP) / 1000  # beyond the last place: at its end a run closes a tick
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        child = self.server.start(self.module, [folder / "config.json", folder, "-", folder], folder / "stderr")
        assert child.wait() == 0, (folder / "stderr").read_text()[-3000:]
        lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
        return {line["at"]: line["proof"] for line in lines if line["event"] in ("begin", "group")}


def write_config(folder, total_kimg, snap_minutes=SNAPSHOT_S / 60):
    """Prepare a dataset of 40 images of 8x8 and write the configuration of a tiny run with ADA and all regularisation."""
    random, source = np.random.RandomState(3), folder / "source"
    source.mkdir()
    for number in range(40):
        Image.fromarray(random.randint(0, 256, [8, 8, 3]).astype(np.uint8)).save(str(source / f"{number}.png"))
    data = str(folder / "noise8")
    prepare(str(source), data, PrepareOptions(resolution=8, workers=1), progress=False)
    options = TrainOptions(
        outdir="runs", data=data, kimg=total_kimg, batch=8, cbase=32, cmax=8, tick=0.25, snap=10**6, snap_minutes=snap_minutes,
        mirror=True, metrics=[], no_xla=True, img_snap=10**6, augpipe=PIPE,
    )  # fmt: skip
    path = folder / "config.json"
    path.write_text(resolve(options, DatasetInfo.open(data)).to_json())
    return path


def crash(folder, kills, seed):
    with Training(folder, RUN, seed, (0.5, 2.0, 6.0), "nimg", 6.0, quota_bytes=400_000) as crashes:
        crashes.config_path = write_config(folder, total_kimg=10**6)
        while crashes.figures["kills"] < kills:
            crashes.run_and_kill()
        calm = crashes.undisturbed(max(at for at, _ in crashes.proofs))
    for at, proof in crashes.proofs:
        assert proof == calm[at], f"the state resumed at {at} images is not that of an undisturbed run"
    assert crashes.owed.figures["reports"] > kills, "the copier tells too little to be judged"
    crashes.figures["images of the whole run"] = max(at for at, _ in crashes.proofs)
    crashes.figures["different places resumed from"] = len({at for at, _ in crashes.proofs})
    crashes.print_figures(f"training and fake Drive, seed {seed}, a snapshot every {SNAPSHOT_S} s")
    return crashes.figures, missing_kinds(crashes.drive.counts.read())


@needs_fuse
@pytest.mark.slow
def test_twenty_kills_of_training(tmp_path):
    figures, _ = crash(tmp_path, 20, seed=7)
    assert figures["kills"] == 20 and figures["resumes"] >= 10


@needs_fuse
@pytest.mark.soak
def test_two_hundred_kills_of_training(tmp_path):
    figures, missing = crash(tmp_path, 200, seed=11)
    assert figures["kills"] == 200 and figures["resumes"] >= 100 and figures["lost VMs"] >= 40
    assert not missing, f"these faults never happened: {missing}"
