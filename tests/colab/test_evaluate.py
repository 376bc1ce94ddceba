"""Notebook 4's calls: what is asked for is measured once, shown once, and nothing of the log is shown."""

import errno
import io
import os
import re
import signal
import sys
import threading

import pytest

import sg2ada_colab as sg2
from sg2ada_colab.colab import evaluate as module
from sg2ada_colab.colab.evaluate import Progress, asked_for, find_snapshot, run_verb
from sg2ada_colab.colab.status_line import StatusLine
from sg2ada_colab.errors import UserError


def progress():
    """Return (Progress, what it wrote)."""
    out = io.StringIO()
    return Progress(StatusLine(out, lambda: "13:05")), out


def written(out):
    return [line.rstrip() for line in re.split(r"[\r\n]", out.getvalue()) if line.strip()]


def test_a_verb_shows_its_progress_on_one_line_and_not_its_log():
    output, out = progress()
    bar = "network-snapshot-000012 fakes:  40%|####      | 4/10 [00:01]"
    lines = [bar, "network-snapshot-000012        time 3s           kid1k_efflite0 0.12", "/home/me/results/00000-x: 1 measured"]
    greeting = "I0000 00:00:1795959548.731875   16271 cudart_stub.cc:31] Could not find cuda drivers on your machine"
    lines += ["fid50k_full: its weights cannot be fetched; kid_efflite0 is measured in its place", "Note: few images"]
    code = f"import sys; [print(line) for line in {[greeting] + lines!r}]; sys.exit(3)"
    assert run_verb(["-c", code], output, [sys.executable]).code == 3
    assert written(out) == [
        "13:05  Loading TensorFlow.",
        "13:05  Measuring the snapshot at 12 kimg: fakes, 40 %",
        "13:05  fid50k_full: its weights cannot be fetched; kid_efflite0 is measured in its place",
        "13:05  Note: few images",
        "13:05  Ended with an error.",
    ]
    assert output.said == lines[1:], "kept for a failure"


def test_what_is_noted_of_each_snapshot_stands_there_once_and_what_fails_is_said_below():
    output, out = progress()
    notes = [f"Note: the fakes are alike ({share}%)" for share in (26, 27)]
    for line in [*notes, "Error: no disk", "Expected: one", "Next: buy"]:
        output.add(line)
    assert written(out) == ["13:05  Loading TensorFlow.", "13:05  " + notes[0]]
    assert output.last[-3:] == ["Error: no disk", "Expected: one", "Next: buy"]


def test_a_verb_that_is_interrupted_ends_cleanly():
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *a: (print('saved', flush=True), sys.exit(130)))\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    output, out = progress()
    add = output.add

    def watch(line):
        add(line)
        if line == "ready":
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

    output.add = watch
    assert run_verb(["-c", code], output, [sys.executable]).code == 130 and output.said == ["ready", "saved"]
    assert [line[7:] for line in written(out)[-3:]] == [
        "Stopping. What is done already is kept.", "saved", "Stopped."
    ]  # fmt: skip


@pytest.fixture(name="run_dir")
def run_dir_fixture(home):
    """A run with three snapshots of which the second was measured best; nothing in them is read."""
    folder = home / "colab-sg2-ada" / "stylegan2-ada" / "results" / "00000-colours"
    folder.mkdir(parents=True)
    lines = [f"network-snapshot-{kimg:06d}        time 1s           kid1k_efflite0 {value}" for kimg, value in VALUES.items()]
    (folder / "metric-kid1k_efflite0.txt").write_text("\n".join(lines) + "\n")
    for kimg in VALUES:
        (folder / f"network-snapshot-{kimg:06d}.pkl").write_bytes(b"x")
    return folder


VALUES = {4: 0.3, 8: 0.1, 12: 0.2}


@pytest.fixture(name="verbs")
def verbs_fixture(monkeypatch):
    """Let no process be started: return the words of those that would have been."""
    started = []

    def run(words, output, command=None):
        started.append([str(word) for word in words])
        output.said = list(run.says)
        output.end(0)
        return output

    run.says = ["12% of 64 fakes are nearer to a training image than half of what separates training images from each other"]
    monkeypatch.setattr(module, "run_verb", run)
    monkeypatch.setattr(module, "metric_data", lambda here, folders: "DATA")
    return started


def test_none_starts_nothing_and_shows_no_chart(run_dir, verbs, capsys):
    assert sg2.evaluate(metrics="none") == {} and verbs == []
    assert capsys.readouterr().out == "Nothing is measured: choose a metric in the form first.\n"


def test_a_run_is_measured_and_its_best_is_shown_in_words(run_dir, verbs, capsys):
    assert sg2.evaluate(metrics="kid1k_efflite0", every=2) == {"kid1k_efflite0": (0.1, "network-snapshot-000008")}
    assert verbs == [["metrics", str(run_dir), "--every", "2", "--metrics", "kid1k_efflite0", "--metricdata", "DATA"]]
    shown = capsys.readouterr().out
    assert "kid1k_efflite0: best 0.1 at 8 kimg" in shown and str(run_dir) not in shown and "{" not in shown


def test_a_later_cell_repeats_no_chart_of_an_earlier_one():
    best = [("fid5k_full", 30.0, "a"), ("kid1k_efflite0", 0.1, "b"), ("pr50k3_full", 0.5, "c")]
    names = [metric for metric, _, _ in best]
    values = {name: [1.0] for name in names}

    def shown(asked, after=values):
        return [metric for metric, _, _ in asked_for(best, asked, values, after)]

    assert shown(None) == names and shown(["kid1k_efflite0"]) == ["kid1k_efflite0"]
    assert shown(["fid50k_full"]) == ["fid5k_full"], "a budget took fewer fakes"
    in_its_place = dict(values, kid1k_efflite0=[1.0, 2.0])
    assert shown(["is50k"], in_its_place) == ["kid1k_efflite0"], "it was measured in the place of another"


def test_the_nearest_images_are_those_of_one_snapshot(run_dir, verbs, capsys, monkeypatch):
    from PIL import Image

    Image.new("RGB", (20, 10)).save(str(run_dir / "neighbours-000008.png"))
    sg2.nearest_images(how_many=4)
    words = ["metrics", str(run_dir / "network-snapshot-000008.pkl"), "--metrics", "none", "--neighbours", "4"]
    assert verbs == [words + ["--metricdata", "DATA"]]
    shown = capsys.readouterr().out
    assert "00000-colours at 8 kimg. 12% of 64 fakes are nearer" in shown and "kid1k" not in shown


def test_the_picture_is_found_beside_a_snapshot_that_lies_on_drive_alone(run_dir, verbs, tmp_path, monkeypatch, capsys):
    from PIL import Image

    here = tmp_path / "machine" / run_dir.name
    here.mkdir(parents=True)
    (here / "network-snapshot-000012.pkl").write_bytes(b"x")
    Image.new("RGB", (20, 10)).save(str(run_dir / "neighbours-000008.png"))
    monkeypatch.setattr(module, "find_run", lambda workspace, run: (run_dir.name, [str(here), str(run_dir)]))
    sg2.nearest_images(snapshot="8")
    assert verbs[0][1] == str(run_dir / "network-snapshot-000008.pkl")
    assert "00000-colours at 8 kimg. 12% of 64 fakes are nearer" in capsys.readouterr().out


@pytest.mark.parametrize("fails", [False, True])
def test_results_are_copied_to_drive_or_it_is_said_that_they_are_not(run_dir, verbs, tmp_path, monkeypatch, capsys, fails):
    drive = tmp_path / "drive"
    drive.mkdir()
    monkeypatch.setattr(module, "find_run", lambda workspace, run: (run_dir.name, [str(run_dir), str(drive)]))
    if fails:
        monkeypatch.setattr(module, "replace_with_copy", no_disk_space)
    assert sg2.evaluate(metrics="kid1k_efflite0") == {"kid1k_efflite0": (0.1, "network-snapshot-000008")}
    said = "The results could not be copied to Drive: No space left on device."
    assert (said in capsys.readouterr().out) == fails
    copied = {path.name: path.read_bytes() for path in drive.iterdir()}
    here = {path.name: path.read_bytes() for path in run_dir.glob("metric-*")}
    assert here and copied == ({} if fails else here)


def no_disk_space(source, target):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)


def test_a_snapshot_is_named_by_what_a_person_says(run_dir):
    def name(wanted):
        return os.path.basename(find_snapshot([str(run_dir)], wanted))

    assert (name("best"), name("newest"), name("4")) == tuple(f"network-snapshot-{kimg:06d}.pkl" for kimg in (8, 12, 4))
    (run_dir / "metric-kid1k_efflite0.txt").unlink()
    assert name("best") == "network-snapshot-000012.pkl", "nothing was measured"
    with pytest.raises(UserError) as caught:
        find_snapshot([str(run_dir)], "5")
    assert caught.value.what == "There is no snapshot '5' in 00000-colours."
    assert caught.value.expected == "best, newest, or one of these kimg: 4, 8, 12"


def test_what_fails_is_said_in_its_own_last_words(run_dir, monkeypatch, capsys):
    def run(words, output, command=None):
        output.add("Not measured: network-snapshot-000008.pkl: it is damaged")
        output.end(1)
        return output

    monkeypatch.setattr(module, "run_verb", run)
    monkeypatch.setattr(module, "metric_data", lambda here, folders: "DATA")
    sg2.evaluate(metrics="kid1k_efflite0")
    shown = capsys.readouterr().out
    assert "Not everything could be measured.\nNot measured: network-snapshot-000008.pkl: it is damaged" in shown
