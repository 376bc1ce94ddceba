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
from sg2ada_colab.tf import IS_TF1, tf
from sg2ada_colab.training.loop import TrainingProgress
from sg2ada_colab.training.state import Counters, flat

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


class KeptPrograms:
    """States and phases of the runs in this process over the same variables, so that a config's graphs are made once.

    A run leaves nothing to the next but the graphs: each of its variables gets the value that it has in a new state, or in new
    phases, and no graph has others. What is saved and loaded passes through files, as ever.
    """

    PARTS = ("G", "D", "Gs", "G_opt", "D_opt", "pl_mean", "lecam_means")

    def __init__(self):
        self.kept = {}  # config as JSON → (state, phases, first values of the phases' own variables)

    def build_state(self, config, snapshot=None):
        state = build.build_state(config, snapshot)
        if config.to_json() in self.kept:
            kept = self.kept[config.to_json()][0]
            variables, values = flat(kept.variables()), flat(state.variables())
            assert len(variables) == len(values)
            for variable, value in zip(variables, values):
                variable.assign(value)
            for name in self.PARTS:
                setattr(state, name, getattr(kept, name))
            assert [id(one) for one in flat(state.variables())] == [id(one) for one in variables], "a variable is not kept"
        return state

    def build_phases(self, config, state, ranks):
        key = config.to_json()
        if key not in self.kept:
            phases = build.build_phases(config, state, ranks)
            self.kept[key] = state, phases, [variable.numpy() for variable in phases.variables()]
        else:
            _, phases, values = self.kept[key]
            self.check(state, phases)
            for variable, value in zip(phases.variables(), values):
                variable.assign(value)
            phases.state = state
        return phases

    def check(self, state, phases):
        """Check that the graphs have no variables but those of the state and the phases."""
        known = {id(variable) for variable in flat(state.variables()) + phases.variables()}
        for program in phases.programs() if not IS_TF1 else []:
            used = program.function.get_concrete_function(*program.inputs).graph.variables
            assert used and {id(variable) for variable in used} <= known, program.name


@pytest.fixture(scope="module")
def kept_programs():
    """Make the graphs of a config once for all runs of a module's tests."""
    kept = KeptPrograms()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(start_module, "build_state", kept.build_state)
        monkeypatch.setattr(start_module, "build_phases", kept.build_phases)
        yield


@pytest.fixture
def untrained(monkeypatch):
    """Leave the arithmetic out of a test's runs: for what surrounds training."""
    leave_out_the_arithmetic(monkeypatch)
