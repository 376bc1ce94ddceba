"""What all tests share: where the golden files lie and how a reference file is opened."""

import json
import os
import signal
import subprocess
import sys
import types
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
        assert a.shape == b.shape, f"shapes {a.shape} and {b.shape}"
        return np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1e-30)

    return measure


@pytest.fixture(autouse=True, scope="session")
def interruptible():
    """Let SIGINT raise KeyboardInterrupt even where the shell that started the tests in the background had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def no_pauses(monkeypatch):
    """Let what fails be tried again at once: how long is waited between attempts has tests of its own."""
    from sg2ada_colab.files import with_retries

    monkeypatch.setattr(with_retries, "__defaults__", with_retries.__defaults__[:-1] + (lambda seconds: None,))


@pytest.fixture
def small_disk(tmp_path):
    """Return a function of a size in MB that mounts a disk of its own and returns its Path; skips without the right to mount."""
    path = tmp_path / "disk"

    def mount(size_mb):
        path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(path)]
        try:
            is_mounted = subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0
        except OSError:
            is_mounted = False
        if not is_mounted:
            path.rmdir()
            pytest.skip("no right to mount a disk")
        return path

    yield mount
    if path.exists():
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def fake_colab(tmp_path, monkeypatch):
    """Put the fake google.colab in place and say that this is Colab."""
    from tests.colab.fake_google_colab import FakeColab

    fake = FakeColab(tmp_path / "content")
    fake.content.mkdir()
    monkeypatch.chdir(str(fake.content))  # where the kernel works; an upload lands there
    for name, module in fake.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    mark = tmp_path / "hostname"
    mark.write_text("fake")
    monkeypatch.setattr("sg2ada_colab.machine.COLAB_MARK", str(mark))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: types.ModuleType(name))
    return fake


@pytest.fixture
def colab(fake_colab, monkeypatch):
    """Put Colab's two disks into the fake's /content; return (results on Drive, results on the machine)."""
    from sg2ada_colab.colab import drive
    from sg2ada_colab.storage import places, workspace

    content = fake_colab.content
    for module in (places, workspace):
        monkeypatch.setattr(module, "MOUNTPOINT", str(content / "drive"))
    monkeypatch.setattr(drive.ColabDrive.__init__, "__defaults__", (str(content / "drive"),))
    monkeypatch.setattr(workspace, "MACHINE_FOLDER", str(content / "sg2ada"))
    monkeypatch.setattr(places, "FROM_DRIVE", str(content / "sg2ada" / "from-drive"))
    there = content / "drive" / "MyDrive" / "colab-sg2-ada" / "stylegan2-ada" / "results"
    there.mkdir(parents=True)
    return there, content / "sg2ada" / "results"
