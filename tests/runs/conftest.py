"""A small labelled dataset, the options of a tiny run over it, and training without the arithmetic."""

import functools
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.dataset import PrepareOptions, prepare
from sg2ada_colab.runs import build
from sg2ada_colab.runs import start as start_module
from sg2ada_colab.tf import tf
from sg2ada_colab.training.loop import TrainingProgress
from sg2ada_colab.training.state import Counters

from ..training.test_steps import REPORTS

sys.path[:0] = [str(Path(__file__).parent.parent / "soak")]


class Said(list):
    """A log that keeps its lines; `notes` are those that became events."""

    def __init__(self):
        super().__init__()
        self.notes = []

    def __call__(self, text=""):
        self.append(text)

    def note(self, kind, text):
        self.append(text)
        self.notes.append((kind, text))


@pytest.fixture
def said():
    return Said()


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory):
    """Return the folder of a dataset of 40 coloured 8x8 images in two classes."""
    folder = tmp_path_factory.mktemp("tiny")
    random = np.random.RandomState(5)
    for number in range(40):
        place = folder / "source" / ("ab"[number % 2])
        place.mkdir(parents=True, exist_ok=True)
        base = random.randint(0, 255, [1, 1, 3]) * np.ones([8, 8, 1])
        base[:, :4] += 60 * (number % 2)
        Image.fromarray(np.clip(base + random.randint(0, 40, [8, 8, 3]), 0, 255).astype(np.uint8)).save(
            str(place / f"{number}.png")
        )
    prepare(
        str(folder / "source"), str(folder / "tiny8"), PrepareOptions(resolution=8, labels="folders", workers=1), progress=False
    )
    return str(folder / "tiny8")


@pytest.fixture
def tiny_config(tiny_dataset):
    """Return a function that makes the TrainConfig of a tiny run, with further options by name."""

    def make(**options):
        defaults = {
            "outdir": "runs",
            "data": tiny_dataset,
            "kimg": 1,
            "batch": 16,
            "cbase": 64,
            "cmax": 8,
            "tick": 0.25,
            "snap": 1,
            "mirror": True,
            "metrics": [],
            "no_xla": True,
            "img_snap": 100,
        }
        data = DatasetInfo.open(options.get("data", tiny_dataset))
        return resolve(TrainOptions(**dict(defaults, **options)), data)

    return make


def progress_of(config, state=None, nimg=0, tick=0, **more):
    """Return the TrainingProgress of a moment: with a TrainState, or with its counters alone."""
    state = state or SimpleNamespace(counters=Counters(nimg=nimg, tick=tick), controller=None)
    return TrainingProgress(state, config, tick=tick, **more)


def leave_out_the_arithmetic(monkeypatch):
    """Let runs go their way, but a step only moves one bias of its network, and reports 0 ... 1.

    Making the graphs of the real steps takes ten times as long as all else of a tiny run.
    """

    def build_phases(config, state, ranks):
        phases = build.build_phases(config, state, ranks)  # the real ones, whose steps nobody calls

        def move(phase, round_index, *inputs):
            bias = next(variable for key, variable in phase.trainable.items() if key.endswith("bias"))
            bias.assign_add(tf.fill(bias.shape, 0.01))
            last = round_index == config.schedule.rounds - 1
            return tf.linspace(0.0, 1.0, len(phase.reports)), tf.constant(True) if last else None

        for phase in phases.generator + phases.discriminator:
            phase.reports = REPORTS[phase.name]
            phase.run = functools.partial(move, phase)
        return phases

    monkeypatch.setattr(start_module, "build_phases", build_phases)


@pytest.fixture
def untrained(monkeypatch):
    """Leave the arithmetic out of a test's runs: for what surrounds training."""
    leave_out_the_arithmetic(monkeypatch)
