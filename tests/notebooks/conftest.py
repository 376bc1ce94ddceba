"""A home for running the notebooks: their own folders, the calls at tiny sizes, the cells as they are."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

import sg2ada_colab
from sg2ada_colab.dataset import PrepareOptions, prepare

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NOTEBOOKS = ROOT / "notebooks"
# What a call is given in place of the form's values, so that a test can wait for it.
TINY = {
    "prepare_dataset": {"resolution": 16, "max_images": 64},
    "preview_dataset": {"resolution": 16},
    "preview_augment": {"num_images": 1, "strengths": (0.0, 0.5)},
    "train": {
        "kimg": 1, "batch": 32, "cbase": 256, "cmax": 8, "tick": 0.2, "snap": 2, "snap_minutes": 0, "no_xla": True,
        "metrics": "none", "batch_gpu": None, "augpipe": "blit", "without_gpu": True,
    },
    "evaluate": {"metrics": "none"},
    "nearest_images": {"how_many": 4},
    "explore": {"xla": False},
    "studio": {"xla": False},
    "put_in": {"steps": 12, "tuning_steps": 12, "xla": False},
}  # fmt: skip


class Home:
    """A folder that plays the home of a person who runs notebooks."""

    def __init__(self, folder):
        self.folder = folder
        self.workspace = folder / "colab-sg2-ada" / "stylegan2-ada"
        self.results = self.workspace / "results"
        self.startup = folder / "ipython" / "profile_default" / "startup"
        self.startup.mkdir(parents=True)
        shutil.copy(str(HERE / "tiny.py"), str(self.startup / "10-tiny.py"))
        self.set_sizes(TINY)
        self.variables = {}  # of the environment of its kernels, beside the usual ones

    def play_colab(self):
        """Let kernels that start from now on find the FAKE google.colab, with its /content in this home."""
        shutil.copy(str(HERE / "play_colab.py"), str(self.startup / "00-play-colab.py"))
        self.content.mkdir()
        self.workspace = self.content / "drive" / "MyDrive" / "colab-sg2-ada" / "stylegan2-ada"
        self.results = self.machine / "results"

    def new_machine(self):
        """Lose what Colab loses with a session: the machine's own disk."""
        shutil.rmtree(str(self.machine))

    @property
    def content(self):
        return self.folder / "content"

    @property
    def machine(self):
        return self.content / "sg2ada"

    def set_sizes(self, sizes):
        """Choose what the calls of kernels that start from now on are given."""
        (self.folder / "tiny.json").write_text(json.dumps(sizes), encoding="utf-8")

    def environment(self):
        """Return the environment of a kernel or a server in this home."""
        paths = [str(ROOT)] + [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
        return dict(
            os.environ, HOME=str(self.folder), IPYTHONDIR=str(self.folder / "ipython"), PYTHONPATH=os.pathsep.join(paths),
            SG2ADA_TEST_SIZES=str(self.folder / "tiny.json"), PATH=path,
            SG2ADA_TEST_CONTENT=str(self.content), SG2ADA_TEST_FAKES=str(ROOT / "tests" / "colab"),
            JUPYTER_CONFIG_DIR=str(self.folder / "jupyter"), TF_CPP_MIN_LOG_LEVEL="2", CUDA_VISIBLE_DEVICES="-1", **self.variables
        )  # fmt: skip

    def add_dataset(self, name="my-images", resolution=16):
        """Put a small dataset into the workspace, as notebook 2 does."""
        flags = os.path.join(sg2ada_colab.__path__[0], "demo_images", "flags.zip")
        prepare(flags, str(self.workspace / "datasets" / name), PrepareOptions(resolution=resolution, max_images=64))

    def run_dir(self):
        """Return the newest run's folder, or None."""
        found = sorted(self.results.glob("0*"))
        return found[-1] if found else None

    def kimg_of_ticks(self, results=None):
        """Return the kimg of each tick that the stats.jsonl of the newest run has, in `results` or where training writes."""
        run = sorted(results.glob("0*"))[-1] if results else self.run_dir()
        lines = (run / "stats.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["Progress/kimg"] for line in lines]


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)
