"""The training form: fields that say nothing are as the run was begun, others change what may change, the rest is a choice."""

import os
from pathlib import Path

import pytest
from some_images import save_images

import sg2ada_colab as sg2
from sg2ada_colab.colab import form, session
from sg2ada_colab.colab.form import plan_form
from sg2ada_colab.colab.form_words import as_fields
from sg2ada_colab.config.options_file import options_text
from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.store import RunStore

EMPTY = {"kimg": "", "mirror": "as begun", "resume": None, "aug": "as begun", "p": "", "augpipe": "as begun", "gamma": "",
         "snap_minutes": "", "metrics": "as begun", "batch_gpu": ""}  # fmt: skip
SMALL = {"batch": 16, "cbase": 64, "cmax": 8}
USUAL = {"kimg": 5000, "metrics": "none"}


@pytest.fixture
def path(home):
    return sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)


def plan(path, if_different="ask", new_run=False, usual=USUAL, **fields):
    return plan_form(session.workspace(), path, dict(EMPTY, **fields), usual, new_run, None, if_different)


def begin(path, **fields):
    """Write what a run leaves behind, without training; returns its plan."""
    begun, begins = plan(path, new_run=True, **dict(SMALL, **fields))
    assert begins
    store = RunStore(begun.run_dir)
    Path(begun.run_dir, "training_options.json").write_text(options_text(begun.config, begun.run_dir, ours=True))
    store.write_snapshot_async(4, lambda file: file.write(b"x"), {"a": [0.0]}, {"nimg": 4000})
    store.wait()
    return begun


def test_a_new_run_takes_the_usual_values_where_the_fields_say_nothing(path):
    first, begins = plan(path, **SMALL)
    assert begins and first.config.schedule.total_kimg == 5000 and first.config.metrics.names == []
    second, _ = plan(path, kimg="12", metrics="kid_efflite0", **SMALL)
    assert second.config.schedule.total_kimg == 12 and second.config.metrics.names == ["kid_efflite0"]


def test_a_notebook_that_is_opened_again_with_empty_fields_goes_on_as_the_run_was_begun(path):
    begun = begin(path, kimg="40", mirror="yes", gamma="0.5", aug="fixed", p="0.2", augpipe="bg")
    again, begins = plan(path)
    assert not begins and again.run_dir == begun.run_dir and again.candidate.kimg == 4
    assert again.config.schedule.total_kimg == 40, "a kimg that was set low does not become 5000"
    assert again.config.to_dict() == dict(begun.config.to_dict(), notes=again.config.notes)


def test_fields_that_may_change_do(path):
    begin(path, kimg="40")
    again, begins = plan(path, kimg="80", snap_minutes="3")
    assert not begins and again.config.schedule.total_kimg == 80 and again.config.snapshots.seconds == 180
    said = [as_fields(sentence) for sentence in again.sentences]
    assert "Changed: kimg: 40 before, 80 now" in said and "Changed: snapshot_minutes: not given before, 3 now" in said


def test_others_are_shown_in_a_table_and_asked_about(path, monkeypatch):
    begun = begin(path, kimg="40", gamma="0.5")
    shown = []
    monkeypatch.setattr(form, "show", lambda content, plain: shown.append((content, plain)))
    with pytest.raises(UserError) as error:
        plan(path, mirror="yes", gamma="2", kimg="80")
    name = os.path.basename(begun.run_dir)
    assert error.value.what == f"Nothing was started: mirror, gamma differ from the run {name}."
    assert "go on as begun" in error.value.expected and "new run" in error.value.expected
    assert "choose go on as begun or new run in if_different" in error.value.next_step
    content, plain = shown[0]
    assert "<tr><td>mirror</td><td>not given</td><td>1</td></tr>" in content
    assert "<tr><td>gamma</td><td>0.5</td><td>2</td></tr>" in content
    assert "<td>kimg</td>" not in content, "it may change"
    assert "gamma: 0.5 in the run, 2 in the form" in plain


def test_go_on_as_begun_leaves_them_aside_and_keeps_what_may_change(path):
    begun = begin(path, kimg="40", gamma="0.5")
    again, begins = plan(path, "go on as begun", mirror="yes", gamma="2", kimg="80", aug="fixed", p="0.4")
    assert not begins and again.run_dir == begun.run_dir
    assert (again.config.losses.r1_gamma, again.config.data.mirror_x, again.config.schedule.total_kimg) == (0.5, False, 80)


def test_new_run_takes_the_form(path):
    begun = begin(path, kimg="40", gamma="0.5")
    other, begins = plan(path, "new run", mirror="yes", gamma="2", **SMALL)
    assert begins and other.run_dir != begun.run_dir and other.candidate is None
    assert (other.config.losses.r1_gamma, other.config.data.mirror_x, other.config.schedule.total_kimg) == (2, True, 5000)


def test_a_choice_that_does_not_exist_is_refused(path):
    with pytest.raises(UserError, match="if_different is 'maybe'"):
        plan(path, "maybe")


def test_a_dataset_that_has_grown_is_offered_the_newest_network(home, path, monkeypatch):
    """03 asks where to begin; newest and noise are the answers."""
    begun = begin(path, kimg="40")
    save_images(home / "images", 30)
    sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)
    with pytest.raises(UserError) as error:
        sg2.train(kimg=7, metrics="none", **SMALL)
    name = os.path.basename(begun.run_dir)
    assert error.value.what == (
        f"Nothing was started: images has changed since the run {name} was begun. It had 24 images then and has 30 now."
    )
    assert "write newest or noise into start_from" in error.value.next_step
    assert len(os.listdir(session.workspace().results)) == 1
