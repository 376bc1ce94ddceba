"""Where training stands, in a small file: at the start, at most once a second, and at the end."""

import json

from sg2ada_colab.runs import pulse as module
from sg2ada_colab.runs.pulse import Pulse

from .conftest import progress_of


def test_it_is_written_at_the_start_once_a_second_and_at_the_end(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    path, seen = tmp_path / "pulse.json", []

    def look():
        seen.append(json.loads(path.read_text())["kimg"])

    pulse, progress = Pulse(str(path)), progress_of(None, nimg=1000, images_per_second=5.0, session_s=7.0)
    pulse.on_start(progress)
    assert json.loads(path.read_text()) == {"kimg": 1.0, "images_per_second": 5.0, "session_s": 7.0, "time": 100.0}
    for seconds, done in ((0.5, False), (0.6, False), (0.1, True)):
        now[0] += seconds
        progress.state.counters.nimg += 1000
        progress.done = done
        pulse.on_group(progress)
        look()
    assert seen == [1.0, 3.0, 4.0]
    Pulse(str(tmp_path / "gone" / "pulse.json")).on_start(progress)  # what cannot be written stops no training
