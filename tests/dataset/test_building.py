"""What one writer of a dataset promises to another: the lock, and what is said where there is none."""

import errno
import os

import numpy as np
import pytest

from sg2ada_colab import UserError
from sg2ada_colab.dataset import PrepareOptions, building, prepare
from sg2ada_colab.dataset.building import locked


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_a_folder_that_another_process_writes_is_refused(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", lambda *_: raise_error(number))
    with pytest.raises(UserError, match="is being written by another process"), locked(tmp_path / "set.partial"):
        raise AssertionError("not locked")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_without_locks_is_written_all_the_same_and_said(tmp_path, monkeypatch, capsys, number):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", lambda *_: raise_error(number))
    with locked(tmp_path / "set.partial"):
        said = capsys.readouterr().err
    assert said == f"{tmp_path / 'set.partial'} cannot be locked ({os.strerror(number)}): start no second conversion into it\n"


def raise_error(number):
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    "line",
    ["[" * 100000, '["0", []]', "[99999, []]", "[0, [1]]", '[0, [[5, "damaged", "x"]]]', '[0, [["a", "b", "c"]]]', "{}", "7"],
)
def test_a_damaged_line_of_the_journal_ends_what_is_taken_from_it(tmp_path, make_folder, monkeypatch, line):
    monkeypatch.setattr(building, "CHUNK_RECORDS", 2)
    source = make_folder(np.random.RandomState(0).randint(0, 256, (6, 8, 8, 3)).astype(np.uint8))
    with monkeypatch.context() as patches:
        patches.setattr(building.Build, "finish", lambda self: 1 / 0)  # as if killed
        with pytest.raises(ZeroDivisionError):
            prepare(source, tmp_path / "set", PrepareOptions(workers=1), progress=False)
    journal = tmp_path / "set.partial" / "prepare-journal.jsonl"
    lines = journal.read_text().splitlines()
    assert len(lines) == 4
    journal.write_text("\n".join(lines[:2] + [line] + lines[3:]) + "\n")
    converted = []
    real = building.run_parallel
    monkeypatch.setattr(building, "run_parallel", lambda f, s, jobs, w: converted.extend(jobs) or real(f, s, jobs, w))
    result = prepare(source, tmp_path / "set", PrepareOptions(workers=1), progress=False)
    assert result.num_images == 6 and len(converted) == 2
