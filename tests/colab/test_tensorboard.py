"""TensorBoard is opened over the runs by its own call for notebooks, of which the test has a FAKE with the real signature."""

import sys
import types
from pathlib import Path

import pytest

import sg2ada_colab as sg2
from sg2ada_colab.colab import session
from sg2ada_colab.colab import tensorboard as module
from sg2ada_colab.errors import UserError


@pytest.fixture(name="started")
def started_fixture(monkeypatch):
    """The arguments that the FAKE tensorboard.notebook was started with."""
    found = []

    def start(args_string):
        found.append(args_string)

    notebook = types.ModuleType("tensorboard.notebook")
    notebook.start = start
    package = types.ModuleType("tensorboard")
    package.notebook = notebook
    monkeypatch.setitem(sys.modules, "tensorboard", package)
    monkeypatch.setitem(sys.modules, "tensorboard.notebook", notebook)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: types.ModuleType(name))
    return found


def test_it_is_opened_over_all_runs(home, started, monkeypatch):
    monkeypatch.setattr(module, "can_show_html", lambda: True)
    sg2.tensorboard()
    assert started == [f"--logdir {session.workspace().results}"]


def test_in_colab_the_runs_of_this_machine_come_first(colab_home, started, monkeypatch):
    sg2.setup()
    here = session.workspace()
    monkeypatch.setattr(module, "can_show_html", lambda: True)
    for place in (here.results, here.machine_results):
        Path(place, "00000-a").mkdir(parents=True)
        sg2.tensorboard()
    assert started == [f"--logdir {here.results}", f"--logdir {here.machine_results}"]


def test_it_stays_closed_unless_asked_and_is_named_where_it_cannot_be_shown(home, started, capsys):
    sg2.tensorboard(False)
    assert capsys.readouterr().out == "TensorBoard is not opened: tick the box first.\n"
    sg2.tensorboard()
    assert started == [] and f"tensorboard --logdir {session.workspace().results}" in capsys.readouterr().out


def test_without_the_package_the_command_that_installs_it_is_named(home, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError) as caught:
        sg2.tensorboard()
    assert caught.value.what == "TensorBoard is not installed." and caught.value.next_step == "!pip install tensorboard"
