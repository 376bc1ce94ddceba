"""The quick tour: flags that come along, the small network that learned them before, and what a machine can add in minutes."""

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Union

from ..errors import UserError
from ..formats.untrained import write_untrained
from ..machine import gpus
from ..metrics.report import read_measurements
from ..run_files import pickle_name
from ..storage import run_folder
from ..storage.saved_config import saved_config
from ..storage.which_run import runs_of
from .evaluate import Progress, find_run, metric_data, run_verb
from .form import NEW_RUN
from .html import notice, show, table
from .session import plainly, tell, workspace
from .status_line import StatusLine

FLAGS = Path(__file__).parent.parent / "demo_images" / "flags.zip"
SHIPPED, SHIPPED_KIMG = "flags", 282  # the network that ships, and how long it was trained: demo_network/SOURCE.txt
FAKES = 500  # that a network is measured by


@dataclass(frozen=True)
class Tour:
    """What the tour does on this machine."""

    resolution: int = 32
    kimg: int = 2  # thousand images that the first training cell adds
    has_gpu: bool = False
    images: str = str(FLAGS)
    name: str = "flags-tour"  # of the dataset

    def sentence(self) -> str:
        """Return what was learned before and what will be learned now, for people."""
        before = f"The network that ships learned these flags for {SHIPPED_KIMG} thousand images on a GPU, at 32x32 pixels."
        if self.has_gpu:
            side = f"{self.resolution}x{self.resolution}"
            return f"{before} This machine has a GPU, so the network learns to draw them at {side}, which is new to it."
        return f"{before} This machine has no GPU, so they stay that small, and a few thousand images more change them little."

    def training(self, more_kimg: int = 0, and_more_kimg: int = 0) -> Dict[str, Any]:
        """Return the arguments of `train` that go on from the network that ships for so many thousand images; 0 and 0 is `kimg`.

        It keeps to the tour's own run: other runs on the same flags are not its.
        """
        kimg = SHIPPED_KIMG + int(more_kimg or self.kimg) + int(and_more_kimg)
        options = {"kimg": kimg, "resume": SHIPPED, "start_kimg": SHIPPED_KIMG, "batch": 16, "mirror": True, "gamma": 0.3}
        options.update(aug="noaug", snap=2, snap_minutes=0, metrics="none", without_gpu=True)
        own = own_run(self.name, self.resolution)
        options.update({"run": own} if own else {"if_different": NEW_RUN})
        return dict(options, tick=5, resume_partial=True) if self.has_gpu else dict(options, tick=0.5, no_xla=True)


def own_run(dataset: str, resolution: Optional[int] = None) -> Optional[str]:
    """Return the name of the newest run on a dataset of this name, or None; one on another dataset of the same images is none.

    Args:
        resolution: Pixels that it has; None: any.
    """
    for name, folders in runs_of(workspace().places()):
        with suppress(UserError):  # another program's run, or its options are not there
            config = saved_config(folders)[0]
            if config.data.name == dataset and resolution in (None, config.size):
                return name
    return None


@plainly
def tour() -> Tour:
    """Return the Tour for this machine, and say what it does: 64x64 pixels where there is a GPU, 32x32 elsewhere."""
    made = Tour(resolution=64, kimg=40, has_gpu=True) if gpus() else Tour()
    tell("info", made.sentence())
    return made


@plainly
def measure_tour(run: Union[str, int, None] = None, fakes: int = FAKES) -> Dict[str, float]:
    """Measure an untrained network, the one that training began with and the newest one alike, and show the three.

    Args:
        run: Name or number of the run; None is the tour's own, or the newest.
        fakes: Pictures of each that are measured.

    Returns:
        {what: distance}; 0 is perfect.

    Raises:
        UserError: The run has no snapshot, or a measurement failed.
    """
    here = workspace()
    name, folders = find_run(here, own_run(Tour.name) if run is None else run)
    metric = f"kid{int(fakes)}_efflite0"
    pickles = [str(path) for path in run_folder.pickles(folders[0])]
    if not pickles:
        raise UserError(f"The run {name} has no snapshot.", "at least one", "train for a while first")
    ours = [pickles[0], pickles[-1]]
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(write_untrained(os.path.join(folder, pickle_name("000000")), pickles[0]))] + list(dict.fromkeys(ours))
        words = ["metrics", *paths, "--metricdata", metric_data(here, folders), "--mirror=1", "--metrics", metric]
        done = run_verb(words + ([] if gpus() else ["--no-xla"]), Progress(StatusLine()))
        values = [_value(path, metric) for path in [paths[0]] + ours]
    if None in values:
        raise UserError("Not everything could be measured.", "three distances", "\n".join(done.last) or "run the cell again")
    found = dict(zip(("untrained", "where training began", "now"), values))
    rows = [(what, f"{value:.3f}") for what, value in found.items()]
    said = "Where the last two differ by less than 0.02, that is the measure's own uncertainty."
    plain = "\n".join(f"{what}: {value}" for what, value in rows)
    show(table(rows, ("network", f"{metric} (0 is perfect)")) + notice("info", said), f"{plain}\n{said}")
    return found


def _value(path, metric):
    """Return what was measured of a snapshot's file, or None."""
    folder, name = os.path.split(os.path.splitext(path)[0])
    found = {one.snapshot: next(iter(one.values.values())) for one in read_measurements(folder, metric)}
    return found.get(name)
