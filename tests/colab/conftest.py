"""Make the fakes importable; a kernel with a front end, faked too."""

import sys
import types
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "soak")]

from some_images import save_images  # noqa: E402

from sg2ada_colab.colab import session  # noqa: E402
from sg2ada_colab.storage.workspace import open_workspace  # noqa: E402


@pytest.fixture
def front_end(monkeypatch):
    """Pretend that this process is a notebook's kernel."""
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An open workspace, and a folder of images."""
    save_images(tmp_path / "images", 24)
    drive = session.choose_drive(str(tmp_path))
    monkeypatch.setattr(session, "_open", {"drive": drive, "workspace": open_workspace(drive.mount()), "folder": str(tmp_path)})
    return tmp_path


@pytest.fixture
def colab_home(tmp_path, monkeypatch, fake_colab, front_end):
    """The FAKE Colab with nothing open yet; returns its /content, with a folder of images on the machine."""
    content = fake_colab.content
    save_images(content / "images", 24)
    monkeypatch.setattr("sg2ada_colab.colab.drive.ColabDrive.__init__.__defaults__", (str(content / "drive"),))
    for module in ("colab.calls", "colab.datasets", "colab.evaluate", "colab.find_images", "storage.workspace"):
        monkeypatch.setattr(f"sg2ada_colab.{module}.MACHINE_FOLDER", str(content / "sg2ada"))
    monkeypatch.setattr("sg2ada_colab.colab.html.can_show_html", lambda: False)
    monkeypatch.setattr("sg2ada_colab.colab.panel.can_show_widgets", lambda: False)
    monkeypatch.setattr("sg2ada_colab.colab.sound.can_show_html", lambda: False)
    monkeypatch.setattr(session, "_open", {})
    return content
