"""The fake google.colab as a fixture, and a kernel with a front end, faked too."""
import sys
import types
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "soak")]

from fake_google_colab import FakeColab  # noqa: E402


@pytest.fixture
def fake_colab(tmp_path, monkeypatch):
    """Put the fake google.colab in place and say that this is Colab."""
    fake = FakeColab(tmp_path / "content")
    fake.content.mkdir()
    for name, module in fake.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    mark = tmp_path / "hostname"
    mark.write_text("fake")
    monkeypatch.setattr("sg2ada_colab.colab.runtime.COLAB_MARK", str(mark))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: types.ModuleType(name))
    return fake


@pytest.fixture
def front_end(monkeypatch):
    """Pretend that this process is a notebook's kernel."""
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
