"""What all tests share: where the golden files lie and how a reference file is opened."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("SG2ADA_COMPILE_CACHE", "off")  # tests compile what they test, and leave nothing in the home folder
DATA = Path(__file__).parent / "data"


class Reference:
    """An opened reference file: arrays by key, and the JSON texts it holds as plain objects."""

    def __init__(self, path):
        self.arrays = np.load(str(path), allow_pickle=False)

    def __getitem__(self, key):
        return self.arrays[key]

    def __contains__(self, key):
        return key in self.arrays.files

    def json(self, key):
        return json.loads(str(self.arrays[key]))


@pytest.fixture(scope="session")
def reference():
    """Return a function that opens tests/data/NAME.npz, once a session."""
    opened = {}

    def open_reference(name):
        if name not in opened:
            opened[name] = Reference(DATA / (name + ".npz"))
        return opened[name]

    return open_reference


@pytest.fixture
def relmax():
    """Return max|a - b| / max|b|, the measure that the references' tolerances are stated in."""

    def measure(a, b):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        assert a.shape == b.shape, "shapes {} and {}".format(a.shape, b.shape)
        return np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1e-30)

    return measure


@pytest.fixture(autouse=True, scope="session")
def interruptible():
    """Let SIGINT raise KeyboardInterrupt even where the shell that started the tests in the background had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
