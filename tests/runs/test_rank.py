"""One process of several: its codes, what it writes for the launcher, and where it says that it stands."""

import json
import os
from types import SimpleNamespace

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.runs import rank
from sg2ada_colab.runs.launch import LOST, OUT_OF_MEMORY, REFUSED
from sg2ada_colab.tf import tf


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """Return a function that lets training end with an error, and returns (exit code, outcome or None)."""
    monkeypatch.setattr(rank, "end_with_parent", lambda within_s: None)
    monkeypatch.setattr(rank, "Sender", lambda descriptor: None)
    (tmp_path / "job.json").write_text(json.dumps({"quiet": True}))

    def end(error):
        def train(*ignored):
            raise error

        monkeypatch.setattr(rank, "train", train)
        code = rank.main(str(tmp_path), "1", "9")
        path = tmp_path / "outcome-1.json"
        return code, json.loads(path.read_text()) if path.exists() else None

    return end


def test_a_refusal_is_written_down_for_the_launcher(ended):
    words = {"what": "a", "expected": "b", "next_step": "c"}
    assert ended(UserError("a", "b", "c")) == (REFUSED, words)
    full = UserError("a", "b", "c")
    full.__cause__ = tf.errors.ResourceExhaustedError(None, None, "OOM")
    assert ended(full) == (OUT_OF_MEMORY, words)


def test_what_the_system_refuses_is_a_refusal_too(ended):
    code, outcome = ended(OSError(28, "No space left on device", "results"))
    assert code == REFUSED and "results" in outcome["what"]


def test_a_connection_that_failed_is_one_line(capsys):
    assert rank.lost(tf.errors.UnavailableError(None, None, "Socket\nclosed")) == LOST
    assert capsys.readouterr().err.startswith("UnavailableError: ")


def test_without_nccl_the_message_says_what_to_do():
    with pytest.raises(UserError) as caught:
        rank.lost(tf.errors.InternalError(None, None, "NCCL: unhandled system error"))
    assert "unhandled system error" in caught.value.what and "--gpus=1" in caught.value.next_step


def test_the_launcher_hears_of_each_stage_and_a_notebook_of_the_first_process(tmp_path):
    said = []
    signs = SimpleNamespace(send=said.append)
    (callback,) = rank.callbacks(signs, None)
    for moment in (callback.on_start, callback.on_tick, callback.on_group, callback.on_end):
        moment(None)
    assert b"".join(said) == b"saga"
    assert len(rank.callbacks(signs, os.path.join(str(tmp_path), "pulse"))) == 2
