"""The doctor's table: a row for each thing, and the remedy for each problem."""

import pytest

from sg2ada_colab import machine as runtime
from sg2ada_colab.colab import doctor
from sg2ada_colab.storage.workspace import open_workspace


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch):
    monkeypatch.setattr(doctor, "_tensorflow", lambda: doctor.Finding("TensorFlow", "2.20.0"))
    monkeypatch.setattr(doctor, "_gpus_of_tensorflow", lambda: 0)


def rows(folder):
    return {one.name: one for one in doctor.examine(folder)}


def test_names_what_a_bug_report_needs(tmp_path):
    open_workspace(tmp_path)
    found = rows(tmp_path)
    names = "sg2ada_colab Python System TensorFlow numpy pillow GPU Memory Disk Folder Workspace"
    for name in names.split():
        assert found[name].value
    assert found["Workspace"].problem == "" and "alive" in found["Folder"].value
    assert list(found)[:2] == ["GPU", "GPUs of TensorFlow"] and list(found)[2] == "Folder", "what matters most comes first"
    assert list(found).index("Disk") < list(found).index("sg2ada_colab")
    assert found["Python"].value == runtime.python_version() and found["Python"].problem == ""


def test_says_what_to_do_about_a_missing_workspace(tmp_path):
    text = "\n".join(doctor.report(doctor.examine(tmp_path / "absent")))
    assert "!Workspace" in text and "To do:" in text and "sg2ada init FOLDER" in text


CARD = {"name": "Tesla T4", "driver": "580.1", "memory_mib": 15360}


@pytest.mark.parametrize(
    "cards, seen, in_colab, advice",
    [
        ([], 0, False, "no GPU: training on the processor is slow"),
        ([], 0, True, "no GPU: Runtime > Change runtime type"),
        ([CARD], 0, True, "TensorFlow does not see the GPU: Runtime > Disconnect"),
        ([CARD], 0, False, "tensorflow[and-cuda]"),
        ([CARD], 1, True, None),
    ],
)
def test_gpus(tmp_path, monkeypatch, cards, seen, in_colab, advice):
    monkeypatch.setattr(doctor, "gpus", lambda: cards)
    monkeypatch.setattr(doctor, "_gpus_of_tensorflow", lambda: seen)
    monkeypatch.setattr(doctor, "in_colab", lambda: in_colab)
    found = doctor._gpus()
    problems = " ".join(one.problem for one in found).strip()
    assert advice in problems if advice else not problems
    assert not cards or found[0].value == "Tesla T4, 15360 MiB, driver 580.1"


@pytest.mark.parametrize("state", ["absent", "dead", "silent"])
def test_a_drive_that_does_not_answer_has_its_remedy(fake_colab, monkeypatch, state):
    monkeypatch.setattr("sg2ada_colab.colab.drive.ColabDrive.state", lambda self: state)
    found = rows(None)
    assert state in found["Drive"].value and found["Drive"].problem and found["Workspace"].problem


def test_little_room_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "disk_bytes", lambda path: (100e9, 1e9))
    monkeypatch.setattr(doctor, "memory_bytes", lambda: (12e9, 1e9))
    monkeypatch.setattr("sg2ada_colab.colab.drive.disk_bytes", lambda path: (15e9, 1e9))
    found = rows(tmp_path)
    assert "short" in found["Disk"].problem and "short" in found["Memory"].problem and "nearly full" in found["Folder"].problem
