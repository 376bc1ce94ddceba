"""The panel by its widget models, without a browser; the numbers; the plain lines."""

import io
import json
import os
import re
import types

import pytest
from run_folders import add_grid, add_snapshots, add_ticks, config

from sg2ada_colab.colab import panel as panel_module
from sg2ada_colab.colab.panel import LinePanel, Numbers, WidgetPanel, open_panel, thinned_by_gaps
from sg2ada_colab.colab.run_view import RunView
from sg2ada_colab.colab.starting import StartTimes
from sg2ada_colab.colab.status_line import StatusLine
from sg2ada_colab.colab.supervisor import Ending
from sg2ada_colab.compile.durations import Durations
from sg2ada_colab.storage.manifest import read_manifest

DONE = Ending("done", "Training finished.")


def pulse(session_s, kimg, images_per_second=100.0):
    return {"session_s": session_s, "kimg": kimg, "images_per_second": images_per_second, "time": 1e9 + session_s}


@pytest.fixture
def clock(monkeypatch):
    """A clock that only this test moves."""
    now = types.SimpleNamespace(s=1000.0)
    fake = types.SimpleNamespace(monotonic=lambda: now.s, time=lambda: 1e9 + now.s)
    monkeypatch.setattr(panel_module, "time", fake)
    return now


@pytest.fixture
def widget_panel(tmp_path, clock, monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: None)
    return WidgetPanel(RunView(tmp_path), config())


def refresh(panel, clock, one_pulse=None):
    clock.s += 60
    panel.refresh(one_pulse)


def pictures(html):
    return re.findall(r'<img src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)"', html)


def test_numbers_before_there_is_a_speed():
    numbers = Numbers(100)
    numbers.update(20.0, None)
    assert numbers.sentences() == ["20.0 of 100 kimg (20.0%)"] and numbers.seconds_to_end() is None


def test_speed_is_that_of_the_last_minutes_and_compiling_does_not_count():
    numbers = Numbers(1000)
    numbers.update(0.0, pulse(0.0, 0.0, 0.0))  # the start
    numbers.update(0.0, pulse(300.0, 1.0, 3.0))  # the first minibatches compiled for five minutes
    for step in range(1, 40):
        numbers.update(0.0, pulse(300.0 + 60 * step, 1.0 + step, 16.7))
    assert numbers.speed == pytest.approx(1000 / 60, rel=1e-6)
    assert numbers.seconds_to_end() == pytest.approx((1000 - 40) * 60)


def test_what_this_session_will_reach_is_told_where_it_ends_before_the_run():
    numbers = Numbers(1000, lambda: 3600.0)
    numbers.update(10.0, pulse(100.0, 10.0))
    numbers.update(20.0, pulse(200.0, 20.0))
    assert numbers.sentences()[-1] == "this session will reach about 380 kimg"
    assert numbers.sentences()[1:3] == ["100.0 img/s", "2h 43m 20s to the end"]
    longer = Numbers(1000, lambda: 36000.0)
    longer.update(10.0, pulse(100.0, 10.0))
    longer.update(20.0, pulse(200.0, 20.0))
    assert len(longer.sentences()) == 3


def test_a_run_that_counts_from_a_networks_kimg_begins_there():
    numbers = Numbers(284, start_kimg=282)
    numbers.update(0.0, None)
    assert numbers.sentences() == ["282.0 of 284 kimg (0.0%)"]
    numbers.update(282.5, None)
    assert numbers.sentences() == ["282.5 of 284 kimg (25.0%)"]


def test_so_do_its_bar_its_curves_and_its_history(tmp_path, clock, monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: None)
    drawn = []
    monkeypatch.setattr(panel_module, "draw_each", lambda axes, first_kimg: drawn.append(first_kimg) or [])
    (tmp_path / "training_options.json").write_text(json.dumps({"sg2ada": {"start": {"kimg": 282}}}))
    add_grid(tmp_path, "fakes_init.png")
    panel = WidgetPanel(RunView(tmp_path), config(total_kimg=284, start_kimg=282))
    refresh(panel, clock)
    assert (panel.bar.min, panel.bar.value, panel.bar.max) == (282, 282, 284)
    assert [alt for _, alt in pictures(panel.newest.value)] == ["a grid of images that the generator made at 282 kimg"]
    add_ticks(tmp_path, [282.5])
    refresh(panel, clock, pulse(60.0, 283.0))
    assert panel.bar.value == 283.0 and drawn == [282]


def test_a_run_at_its_end_has_no_time_left():
    numbers = Numbers(100)
    numbers.update(90.0, pulse(100.0, 90.0))
    numbers.update(100.5, pulse(200.0, 100.5))
    assert numbers.sentences() == ["100.5 of 100 kimg (100.0%)", "105.0 img/s"]


def test_frames_go_that_leave_the_smallest_gaps():
    assert thinned_by_gaps([3, 1, 2], 5) == [1, 2, 3]
    assert thinned_by_gaps([0, 1, 10, 20, 30], 4) == [0, 10, 20, 30]
    kept = thinned_by_gaps(range(100), 10)
    assert (kept[0], kept[-1], len(kept)) == (0, 99, 10) and max(b - a for a, b in zip(kept, kept[1:])) <= 16


def test_panel_shows_progress_pictures_curves_snapshots_and_log(widget_panel, clock, tmp_path):
    add_ticks(tmp_path, [0, 10, 20])
    add_snapshots(tmp_path, [10, 20])
    add_grid(tmp_path, "reals.png")
    add_grid(tmp_path, "fakes000020.png", seed=1)
    (tmp_path / "log.txt").write_text("tick 2 <b>kimg 20\n")
    refresh(widget_panel, clock, pulse(60.0, 21.0))
    refresh(widget_panel, clock, pulse(120.0, 27.0))
    assert widget_panel.bar.value == 27.0 and widget_panel.bar.max == 100
    assert "27.0 of 100 kimg" in widget_panel.facts.value and "100.0 img/s" in widget_panel.facts.value
    assert [alt for _, alt in pictures(widget_panel.newest.value)] == ["a grid of images that the generator made at 20 kimg"]
    assert [alt for _, alt in pictures(widget_panel.reals.value)] == ["a grid of your training images"]
    assert [a for _, a in pictures(widget_panel.whole.value)] == ["all of a grid of images that the generator made at 20 kimg"]
    (_, losses), (_, signs) = pictures(widget_panel.curves.value)
    assert losses.startswith("Curves over kimg: G loss 1") and "r_t 0.4" in signs
    assert "000020" in widget_panel.snapshots.value and "this machine" in widget_panel.snapshots.value
    assert "&lt;b&gt;" in widget_panel.log.value and "<b>" not in widget_panel.log.value


def test_headline_says_what_a_start_does_and_for_how_long_and_then_that_it_trains(widget_panel, clock, tmp_path):
    widget_panel.view.stage = ""
    widget_panel.refresh()
    assert "Starting: loading TensorFlow." in widget_panel.head.value and "0s so far." in widget_panel.head.value
    assert "three to ten minutes the first time" in widget_panel.head.value
    widget_panel.view.stage = "compiling the networks"
    clock.s += 130
    widget_panel.refresh(pulse(1.0, 0.0, 0.0))
    assert "Starting: compiling the networks." in widget_panel.head.value and "2m 10s so far." in widget_panel.head.value
    refresh(widget_panel, clock, pulse(60.0, 1.0))
    assert "Training." in widget_panel.head.value and "stop button" in widget_panel.head.value
    assert "Starting" not in widget_panel.head.value


def test_headline_keeps_what_was_said_when_it_was_stopped_while_compiling(widget_panel, clock, tmp_path):
    refresh(widget_panel, clock)
    widget_panel.say("Stopping: it saves.")
    refresh(widget_panel, clock, pulse(60.0, 1.0))
    refresh(widget_panel, clock, pulse(120.0, 7.0))
    assert "Stopping: it saves." in widget_panel.head.value


def words_of(panel):
    """Return all that the panel says outside pictures, the snapshots' table and the log."""
    return " ".join(widget.value for widget in (panel.head, panel.facts, panel.warnings))


def test_a_resume_shows_nothing_of_the_session_before(tmp_path, clock, monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: None)
    (tmp_path / "log.txt").write_text("Stopped: the stop button. Go on with: sg2ada resume x\n")
    old = {"kind": "storage", "text": "Drive does not answer.", "time": 10.0}
    (tmp_path / "events.jsonl").write_text(json.dumps(old) + "\n")
    status = {
        "state": "full",
        "sentence": "Drive was full.",
        "waiting": 1,
        "waiting_bytes": 5,
        "behind_s": 1.0,
        "last_copied": None,
    }
    (tmp_path / "drive-status.json").write_text(json.dumps(status))
    os.utime(str(tmp_path / "drive-status.json"), (10.0, 10.0))
    add_ticks(tmp_path, [0, 10])
    panel = WidgetPanel(RunView(tmp_path, since=100.0), config())
    refresh(panel, clock)
    everything = words_of(panel) + panel.log.value + panel.snapshots.value
    assert "10.0 of 100 kimg" in everything and "Nothing has been logged in this session" in everything
    assert not re.search("Stopped|Drive", everything), everything
    with open(str(tmp_path / "events.jsonl"), "a") as file:
        file.write(json.dumps(dict(old, text="Drive is slow today.", time=101.0)) + "\n")
    with open(str(tmp_path / "log.txt"), "a") as file:
        file.write("Going on from network-snapshot-000010.pkl.\n")
    refresh(panel, clock)
    assert "Drive is slow today." in panel.warnings.value and "Going on from" in panel.log.value
    assert "Stopped" not in panel.log.value


@pytest.mark.parametrize("pulses", [0, 3])
def test_after_a_stop_nothing_says_what_was_about_to_come(widget_panel, clock, tmp_path, pulses):
    widget_panel.numbers.session_left_s = lambda: 60.0
    add_ticks(tmp_path, [0, 10])
    refresh(widget_panel, clock)
    for step in range(pulses):
        refresh(widget_panel, clock, pulse(60.0 * (step + 1), 10.0 + 2 * step))
    clock.s += 3600
    widget_panel.say("Asked to save.")
    widget_panel.finish(Ending("stopped", "Stopped, and everything is saved.", "Run this cell again."))
    words = words_of(widget_panel)
    assert "Stopped, and everything is saved." in words and re.search(r"1\d\.0 of 100 kimg", words)
    assert not re.search("img/s|to the end|will reach|Training\\.|Starting|so far|Asked|not said anything", words), words


def test_a_line_of_text_says_the_same_as_the_panel_for_a_tab_that_lost_it(tmp_path, clock, monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: None)
    out = io.StringIO()
    panel = WidgetPanel(RunView(tmp_path), config(), line=StatusLine(out, lambda: "13:05"))
    refresh(panel, clock)
    refresh(panel, clock, pulse(60.0, 21.0))
    refresh(panel, clock, pulse(120.0, 27.0))
    panel.say("Asked to save.")
    panel.finish(Ending("stopped", "Stopped, and everything is saved."))
    lines = [line.rstrip(" ") for line in out.getvalue().split("\r")[1:]]
    assert lines[0] == "13:05  Starting: loading TensorFlow, 1m 00s so far."
    assert lines[1] == "13:05  21.0 of 100 kimg (21.0%)"
    assert lines[2] == "13:05  27.0 of 100 kimg (27.0%)  100.0 img/s  12m 10s to the end"
    assert lines[3] == "13:05  Asked to save."
    assert lines[4].rstrip() == "13:05  Stopped, and everything is saved.  27.0 of 100 kimg (27.0%)"
    assert out.getvalue().endswith("\n") and len(lines) == 5


def test_the_newest_snapshot_and_where_it_is_are_seen_at_a_glance(widget_panel, clock, tmp_path):
    add_snapshots(tmp_path, [10, 20])
    refresh(widget_panel, clock)
    refresh(widget_panel, clock)
    assert "newest snapshot: 20 kimg, on this machine" in widget_panel.facts.value
    records = {record.name: record for record in read_manifest(str(tmp_path)).snapshots}
    widget_panel.look = types.SimpleNamespace(frames={}, records=records, stop=lambda: None)
    widget_panel.finish(DONE)
    assert "newest snapshot: 20 kimg, on this machine and Drive" in widget_panel.facts.value


def test_every_picture_is_a_small_jpeg(widget_panel, clock, tmp_path):
    import base64

    from PIL import Image
    from run_folders import add_noise_grid

    add_noise_grid(tmp_path, "reals.png", 3840, 2160)
    add_noise_grid(tmp_path, "fakes000010.png", 3840, 2160)
    widget_panel.config.resolution = 256
    refresh(widget_panel, clock)
    for widget, most in (
        (widget_panel.newest, 200000), (widget_panel.reals, 200000), (widget_panel.pages.children[0], 60000),
        (widget_panel.whole, 200000),
    ):  # fmt: skip
        ((data, _),) = pictures(widget.value)
        data = base64.b64decode(data)
        assert len(data) <= most and Image.open(io.BytesIO(data)).format == "JPEG"


def test_warnings_have_a_sign_and_words(widget_panel, clock, tmp_path):
    add_ticks(tmp_path, range(6), augment=1.3)
    refresh(widget_panel, clock)
    assert "⚠" in widget_panel.warnings.value and "runs away" in widget_panel.warnings.value
    refresh(widget_panel, clock)
    clock.s += 3000
    refresh(widget_panel, clock)
    assert "not said anything" in widget_panel.warnings.value


def test_history_grows_to_its_limit_and_its_number_of_pages_never_falls(widget_panel, clock, tmp_path, monkeypatch):
    monkeypatch.setattr(panel_module, "MOST_FRAMES", 6)
    counts = []
    for kimg in range(0, 200, 10):
        add_grid(tmp_path, f"fakes{kimg:06d}.png", seed=kimg)
        refresh(widget_panel, clock)
        counts.append(len(widget_panel.pages.children))
        assert widget_panel.slider.max == max(len(widget_panel.pages.children) - 1, 1)
    assert counts == sorted(counts) and counts[-1] == 6
    titles = [pictures(page.value)[0][1] for page in widget_panel.pages.children]
    assert titles[0] == "a grid: Fakes at 0 kimg" and titles[-1] == "a grid: Fakes at 190 kimg"
    assert widget_panel.link.source[0] is widget_panel.slider and widget_panel.link.target[0] is widget_panel.pages


def test_a_history_of_a_long_run_is_read_a_few_grids_at_a_time(widget_panel, clock, tmp_path):
    for kimg in range(0, 100, 10):
        add_grid(tmp_path, f"fakes{kimg:06d}.png", seed=kimg)
    refresh(widget_panel, clock)
    assert len(widget_panel.pages.children) == panel_module.NEW_FRAMES_AT_ONCE
    for _ in range(5):
        refresh(widget_panel, clock)
    assert len(widget_panel.pages.children) == 10


def test_nothing_new_sends_nothing(widget_panel, clock, tmp_path):
    add_ticks(tmp_path, [0, 10])
    add_grid(tmp_path, "fakes000010.png")
    refresh(widget_panel, clock)
    sent = []
    for widget in (widget_panel.newest, widget_panel.curves, widget_panel.log, widget_panel.warnings, widget_panel.facts):
        widget.observe(sent.append, names="value")
    for _ in range(5):
        refresh(widget_panel, clock)
    assert sent == []


def test_curves_and_the_line_of_text_come_less_often_after_ten_minutes(widget_panel, clock, tmp_path, monkeypatch):
    drawn, lines = [], []
    monkeypatch.setattr(widget_panel, "_show_curves", lambda: drawn.append(clock.s))
    monkeypatch.setattr(widget_panel, "line", types.SimpleNamespace(write=lines.append))
    for step in range(1, 181):  # half an hour, a tick every ten seconds
        clock.s += 10
        add_ticks(tmp_path, [step])
        widget_panel.refresh(pulse(10.0 * step, float(step)))
    early, late = ([s - 1000 for s in drawn if (s <= 1600) == first] for first in (True, False))
    assert len(early) == 20 and len(late) == 10, "every 30 s, then every two minutes"
    assert len(lines) == 30 + 20


def test_updates_are_rare_however_often_it_is_asked(widget_panel, clock, tmp_path):
    add_ticks(tmp_path, [0])
    sent = []
    widget_panel.facts.observe(sent.append, names="value")
    for step in range(100):  # ten seconds
        clock.s += 0.1
        widget_panel.refresh(pulse(step / 10 + 1, step / 10))
    assert 3 <= len(sent) <= 6


def test_a_grid_that_is_half_written_is_shown_when_it_is_whole(widget_panel, clock, tmp_path):
    path = tmp_path / "fakes000010.png"
    add_grid(tmp_path, path.name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refresh(widget_panel, clock)
    assert widget_panel.newest.value == ""
    path.write_bytes(whole)
    refresh(widget_panel, clock)
    assert len(pictures(widget_panel.newest.value)) == 1 and len(widget_panel.pages.children) == 1


@pytest.mark.parametrize("state, sign, style", [("done", "✔", "success"), ("stopped", "■", ""), ("died", "✖", "danger")])
def test_the_end_is_told_by_a_sign_and_words(widget_panel, state, sign, style):
    widget_panel.finish(Ending(state, "It ended <so>.", "Do this."))
    assert sign in widget_panel.head.value and "It ended &lt;so&gt;." in widget_panel.head.value
    assert "Do this." in widget_panel.head.value and widget_panel.bar.bar_style == style


def test_all_widgets_are_of_the_core_set(widget_panel):
    import ipywidgets

    modules = {widget._model_module for widget in walk(widget_panel.box)}
    assert modules == {"@jupyter-widgets/controls"} and ipywidgets.VBox is type(widget_panel.box)


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def test_lines_come_more_often_while_it_starts(tmp_path, clock):
    said = []
    panel = LinePanel(RunView(tmp_path), config(), say=said.append)
    for _ in range(4):
        panel.refresh(None)
        clock.s += 15
    assert len(said) == 4 and all(line.startswith("Starting: loading TensorFlow.") for line in said)


def test_lines_instead_of_widgets(tmp_path, clock):
    said = []
    panel = LinePanel(RunView(tmp_path), config(), say=said.append)
    add_ticks(tmp_path, range(6), augment=1.3)
    for step in range(4):
        clock.s += 30
        panel.refresh(pulse(60.0 * (step + 1), 5.0 + step))
    panel.finish(DONE)
    notes = [line for line in said if line.startswith("Note: ")]
    assert len(notes) == 1 and "runs away" in notes[0]
    assert sum("of 100 kimg" in line for line in said) == 2 and said[-1] == "Training finished."


def test_without_a_notebook_there_are_lines(tmp_path):
    plan = types.SimpleNamespace(config=config(), drive_dir=None, processes=1)
    assert isinstance(open_panel(RunView(tmp_path), plan), LinePanel)


@pytest.mark.parametrize("kind", [LinePanel, WidgetPanel])
def test_a_training_shorter_than_the_time_between_two_looks_leaves_the_time_of_its_start(kind, tmp_path, clock, monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: None)
    times = StartTimes(Durations("x", [tmp_path / "kept"]), 32, "Tesla T4")
    panel = kind(RunView(tmp_path), config(), start_times=times)
    refresh(panel, clock)
    clock.s += 30
    panel.finish(Ending("done", "Training finished.", pulse=pulse(0.5, 1.0)))
    assert times.last_s() == 90.0
