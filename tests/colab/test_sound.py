"""The sound of an ending: a valid file, other notes for a failure, none for a stop, and gone afterwards."""

import base64
import io
import re
import sys
import types
import wave

import numpy as np
import pytest

from sg2ada_colab.colab import calls, sound
from sg2ada_colab.colab.sound import HEARD_S, NOTE_S, NOTES_HZ, RATE_HZ, announce, melody, player_html
from sg2ada_colab.colab.supervisor import Ending


@pytest.fixture(name="shown")
def shown_fixture(monkeypatch):
    """What is displayed, in order, in a kernel that is faked."""
    found = []

    def display(content, display_id=False):
        assert display_id is True
        found.append(content)
        return types.SimpleNamespace(update=found.append)

    module = types.ModuleType("IPython")
    module.display = types.SimpleNamespace(display=display, HTML=lambda text: text)
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setattr(sound, "can_show_html", lambda: True)
    return found


def test_a_melody_is_a_wav_file_of_its_notes():
    with wave.open(io.BytesIO(melody((523, 784)))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 1, RATE_HZ)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.uint8).astype(float) - 128
    count = int(RATE_HZ * NOTE_S)
    assert len(samples) == 2 * count and 40 < np.abs(samples).max() < 60
    for note, hz in zip(samples.reshape(2, count), (523, 784)):
        spectrum = np.abs(np.fft.rfft(note))
        assert abs(spectrum.argmax() * RATE_HZ / count - hz) < RATE_HZ / count


@pytest.mark.parametrize("state", ["done", "died", "error"])
def test_it_plays_by_itself_and_is_gone_when_it_was_heard(shown, state):
    slept = []
    announce(state, slept.append)
    player, after = shown
    assert slept == [HEARD_S] and after == "", "a saved notebook does not play it again"
    data = re.fullmatch(r'<audio autoplay style="display:none" src="data:audio/wav;base64,(.+)"></audio>', player).group(1)
    assert base64.b64decode(data) == melody(NOTES_HZ[state]) and len(player) < 8000


def test_a_failure_sounds_unlike_an_end():
    assert player_html("died") != player_html("done")


def test_nothing_is_heard_after_a_stop_and_outside_a_notebook(shown, monkeypatch):
    announce("stopped")
    monkeypatch.setattr(sound, "can_show_html", lambda: False)
    announce("done")
    assert shown == []


@pytest.mark.parametrize("wanted, heard", [(True, ["died"]), (False, [])])
def test_the_end_of_a_training_is_announced_if_it_is_wanted(monkeypatch, tmp_path, wanted, heard):
    found = []
    panel = types.SimpleNamespace(finish=lambda ending: None, refresh=None, say=None)
    process = types.SimpleNamespace(start=lambda: None, pulse=None, poll=lambda: 1)
    config = types.SimpleNamespace(size=8, schedule=types.SimpleNamespace(total_kimg=1))
    plan = types.SimpleNamespace(run_dir=str(tmp_path), candidate=None, config=config, drive_dir=None)
    monkeypatch.setattr(calls, "announce", found.append)
    monkeypatch.setattr(calls, "workspace", lambda: None)
    monkeypatch.setattr(calls, "bring_here", lambda plan, say: plan)
    monkeypatch.setattr(calls, "TrainingProcess", types.SimpleNamespace(of_plan=lambda plan, environment: process))
    monkeypatch.setattr(calls, "open_panel", lambda *args: panel)
    monkeypatch.setattr(calls, "supervise", lambda *args: Ending("died", "It died."))
    assert calls.watch(plan, sound=wanted).state == "died" and found == heard
