"""Which run is trained, sentence by sentence of the policy, from the command line and from a notebook alike."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.cli import train as cli
from sg2ada_colab.colab import plan as notebook
from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.options_file import options_text
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.dataset import PrepareOptions, prepare
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.run_files import MANIFEST, OPTIONS, pickle_name, state_name
from sg2ada_colab.runs.plan import bring_here, plan_run
from sg2ada_colab.storage.choose import newest_good
from sg2ada_colab.storage.places import Places, find_places
from sg2ada_colab.storage.saved_config import CONFIG_KEY
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.workspace import open_workspace
from tests.colab.run_folders import add_snapshots
from tests.oracles.small_snapshots import small_snapshot

ROOT = Path(__file__).parents[2]
SMALL = {"kimg": 100, "batch": 16, "cbase": 64, "cmax": 8, "metrics": []}


def make_dataset(folder, seed):
    source = folder.parent / ("source-" + folder.name)
    source.mkdir(parents=True)
    for number in range(6):
        pixels = np.random.RandomState(seed * 10 + number).randint(0, 256, [8, 8, 3]).astype(np.uint8)
        Image.fromarray(pixels).save(str(source / f"{number}.png"))
    prepare(str(source), str(folder), PrepareOptions(resolution=8, workers=1), progress=False)


@pytest.fixture(scope="session")
def datasets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    for seed, name in enumerate(("birds", "trees")):
        make_dataset(folder / name, seed)
    return folder


class FrontEnd:
    """A place where training is asked for.

    Args:
        workspace: `Workspace`.
        datasets: Folder of datasets.
    """

    def __init__(self, workspace, datasets):
        self.workspace, self.datasets, self.results = workspace, datasets, Path(workspace.results)

    def data(self, name):
        return str(name) if os.sep in str(name) else str(self.datasets / name)


class CommandLine(FrontEnd):
    """`sg2ada train --resume=latest`, and `sg2ada resume RUN` where a run is named."""

    def plan(self, data="birds", new_run=False, run=None, **options):
        options = dict(SMALL, **options)
        if run is not None:
            return cli.resume(str(self.results / run), TrainOptions(data=self.data(data), **options))
        if not new_run:
            options["resume"] = "latest"
        return cli.train(TrainOptions(outdir=str(self.results), data=self.data(data), **options))


class Notebook(FrontEnd):
    """The training cell."""

    def plan(self, data="birds", new_run=False, run=None, **options):
        return notebook.plan_run(self.workspace, self.data(data), dict(SMALL, **options), new_run, run)


@pytest.fixture(params=[CommandLine, Notebook])
def front(request, tmp_path, datasets, monkeypatch):
    monkeypatch.setattr(cli, "execute", lambda plan, options: plan)
    return request.param(open_workspace(tmp_path), datasets)


def leave_run(front, number, kimgs=(), data="birds", when=None, **options):
    """Write what a run leaves behind, without training; return its folder."""
    options = TrainOptions(outdir=str(front.results), data=front.data(data), **dict(SMALL, **options))
    config = resolve(options, DatasetInfo.open(options.data))
    run = front.results / f"{number:05d}-{config.run_description}"
    RunStore(run).identify(f"{number:032x}")
    (run / OPTIONS).write_text(options_text(config, str(run), ours=True))
    add_snapshots(run, kimgs)
    if when is not None:
        content = json.loads((run / MANIFEST).read_text())
        for snapshot in content["snapshots"]:
            snapshot["time"] = when
        (run / MANIFEST).write_text(json.dumps(content))
        for path in run.iterdir():
            os.utime(str(path), (when, when))
    return run


def damage(run, kimg):
    path = run / state_name(f"{kimg:06d}")
    path.write_bytes(path.read_bytes()[:9])


# --- 1. a run that is named is the only one considered


def test_a_run_that_is_named_is_the_only_one_considered(front):
    older = leave_run(front, 0, (4, 8), when=1_600_000_000)
    leave_run(front, 1, (12,))
    plan = front.plan(run=older.name)
    assert (plan.run_dir, plan.candidate.name, plan.drive_dir) == (str(older), "000008", None)
    for kimg in (4, 8):
        damage(older, kimg)
    with pytest.raises(UserError, match=f"{older.name} has no snapshot to go on from"):
        front.plan(run=older.name)


# --- 2. only runs on the dataset that is given


def test_only_runs_on_the_same_dataset_are_considered_wherever_it_lies(front, tmp_path):
    birds = leave_run(front, 0, (4,), when=1_600_000_000)
    leave_run(front, 1, (8,), data="trees")
    shutil.copytree(str(front.datasets / "birds"), str(tmp_path / "elsewhere" / "fowl"))
    assert front.plan("birds").run_dir == str(birds)
    plan = front.plan(tmp_path / "elsewhere" / "fowl")
    assert plan.run_dir == str(birds) and plan.config.data.path == str(tmp_path / "elsewhere" / "fowl")
    shutil.rmtree(str(birds))
    plan = front.plan("birds")
    assert plan.candidate is None and Path(plan.run_dir).name.startswith("00002-birds")


# --- 3. the newest snapshot wins


def test_the_run_that_wrote_a_snapshot_last_goes_on_whatever_its_number(front):
    leave_run(front, 1, (20,), when=1_600_000_000)
    newest = leave_run(front, 0, (4, 8), when=1_700_000_000)
    plan = front.plan()
    assert (plan.run_dir, plan.candidate.kimg) == (str(newest), 8) and not plan.is_finished
    assert plan.sentences == (f"Going on with {newest.name} at 8 kimg.",)


def test_where_a_snapshot_lies_is_said_where_it_is_not_the_runs_own_folder(tmp_path, datasets):
    front = CommandLine(open_workspace(tmp_path), datasets)
    run = leave_run(front, 0, (8,))
    options = TrainOptions(outdir=str(front.results), data=front.data("birds"), **SMALL)
    places = Places((str(tmp_path / "near"), str(front.results)), drive=str(front.results))
    assert plan_run(options, places).sentences == (f"Going on with {run.name} at 8 kimg, from Drive.",)
    plan = plan_run(options, Places(places.results))
    assert plan.sentences == (f"Going on with {run.name} at 8 kimg, from {run / pickle_name('000008')}.",)


def test_a_run_at_its_length_is_finished_until_more_is_asked_for(front):
    run = leave_run(front, 0, (100,))
    plan = front.plan()
    assert plan.is_finished
    assert plan.sentences == (f"The run {run.name} has come to its end, 100 kimg: {run / pickle_name('000100')}.",)
    longer = front.plan(kimg=200)
    assert not longer.is_finished and longer.config.schedule.total_kimg == 200
    assert "Changed: --kimg: 100 before, 200 now" in longer.sentences


# --- 4. where nothing is complete, the next older run


def test_a_run_without_a_complete_snapshot_is_passed_over_with_a_sentence(front):
    older, newer = leave_run(front, 0, (4,), when=1_600_000_000), leave_run(front, 1, (8,))
    damage(newer, 8)
    before = sorted(path.name for path in newer.iterdir())
    plan = front.plan()
    assert (plan.run_dir, plan.candidate.kimg) == (str(older), 4)
    assert f"Passed over: Run {newer.name} has no complete snapshot." in plan.sentences
    assert any(str(newer / state_name("000008")) in sentence for sentence in plan.sentences)
    damage(older, 4)
    plan = front.plan()
    assert plan.candidate is None and Path(plan.run_dir).name.startswith("00002-"), "a damaged run is not begun again"
    assert sorted(path.name for path in newer.iterdir()) == before


# --- 5. a run that never finished a snapshot


def test_a_newer_run_without_a_snapshot_comes_after_an_older_one_that_has_one(front):
    older = leave_run(front, 0, (4,))
    leave_run(front, 1)
    assert front.plan().run_dir == str(older)


def test_a_run_without_a_snapshot_begins_again_in_its_folder_with_its_own_options(front):
    leave_run(front, 0)
    newer = leave_run(front, 1, mirror=True, gamma=3.0)
    plan = front.plan()
    assert plan.run_dir == str(newer) and plan.candidate is None
    assert plan.config.data.mirror_x and plan.config.losses.r1_gamma == 3.0
    assert plan.sentences[-1] == f"The run {newer.name} was stopped before its first snapshot: it begins again."
    assert front.plan(run=newer.name).run_dir == str(newer)


# --- 6. where no run is left


def test_a_new_run_gets_the_next_number(front):
    plan = front.plan()
    assert plan.run_dir == str(front.results / "00000-birds-auto1-kimg100-batch16") and plan.candidate is None
    assert plan.sentences == ("Beginning the run 00000-birds-auto1-kimg100-batch16.",) and not Path(plan.run_dir).exists()
    leave_run(front, 6, (4,))
    plan = front.plan(new_run=True)
    assert plan.candidate is None and Path(plan.run_dir).name.startswith("00007-")


def test_resume_begins_no_run(tmp_path):
    with pytest.raises(UserError, match="There is no run in"):
        plan_run(TrainOptions(), Places((str(tmp_path),)))
    with pytest.raises(UserError, match="There is no run in .*00000-x"):
        plan_run(TrainOptions(), Places((str(tmp_path),), "00000-x"))


# --- 7. a run keeps the options that it was begun with


def test_options_that_are_not_given_stay_the_runs_own(front):
    leave_run(front, 0, (4,), mirror=True, gamma=3.0)
    plan = front.plan()
    assert plan.config.data.mirror_x and plan.config.losses.r1_gamma == 3.0 and plan.config.schedule.total_kimg == 100


@pytest.mark.parametrize(
    "option, words",
    [
        ({"gamma": 7.0}, "losses.r1_gamma: 0.00"),
        ({"p": 0.5}, "--p: not given before, 0.5 now"),
        ({"desc": "x"}, "--desc: not given before, x now"),
        ({"start_kimg": 7}, "start.kimg: 0 before, 7 now"),
    ],
)
@pytest.mark.parametrize("kimgs", [(), (4,)])
def test_an_option_that_would_make_another_run_is_refused(front, option, words, kimgs):
    run = leave_run(front, 0, kimgs)
    with pytest.raises(UserError) as caught:
        front.plan(**option)
    assert caught.value.what.startswith(f"The run {run} was begun with other settings: ") and words in caught.value.what
    assert isinstance(front, CommandLine) or "with new_run=True" in caught.value.next_step


def test_the_number_of_gpus_may_change_and_the_formulas_keep_theirs(front):
    leave_run(front, 0, (4,), gpus=2)
    assert front.plan().gpus == 2 == front.plan().config.schedule.num_gpus
    for gpus in (1, 3, 4):
        plan = front.plan(gpus=gpus)
        assert plan.gpus == gpus and plan.config == front.plan().config
    assert front.plan(new_run=True, gpus=4).gpus == 4 and front.plan(new_run=True).gpus == 1


def test_start_kimg_is_the_runs_own_and_may_be_given_again(front):
    leave_run(front, 0, start_kimg=30)
    assert front.plan(start_kimg=30).start_kimg == front.plan().start_kimg == 30


# --- 8. what can be checked is checked before TensorFlow starts


def test_the_network_to_begin_with_is_checked_for_a_new_run_and_for_one_that_begins_again(front, tmp_path):
    for name, resolution in (("small", 16), ("fits", 8)):
        write_network_pickle(tmp_path / f"{name}.pkl", small_snapshot(resolution=resolution))
    with pytest.raises(UserError, match="does not exist"):
        front.plan(new_run=True, resume=str(tmp_path / "missing.pkl"))
    with pytest.raises(UserError, match="Resolution: the snapshot has 16, this run wants 8"):
        front.plan(new_run=True, resume=str(tmp_path / "small.pkl"))
    fits = str(tmp_path / "fits.pkl")
    plan = front.plan(new_run=True, resume=fits)
    assert plan.config.G["latent_size"] == 5
    assert any(sentence.startswith("A new run begins with the networks of fits.pkl") for sentence in plan.sentences)
    leave_run(front, 0, resume=fits)
    assert front.plan().config.G["latent_size"] == 5
    os.unlink(fits)
    with pytest.raises(UserError, match=r"--resume: .*fits.pkl does not exist"):
        front.plan()


def test_all_that_is_wrong_is_said_together(front):
    with pytest.raises(UserError, match="2 things are wrong with the options:") as caught:
        front.plan("no/where", new_run=True, p=0.5)
    assert "--p is given" in caught.value.what and "--data: " in caught.value.what


@pytest.mark.parametrize("kimgs, needed", [((), "two snapshots"), ((4,), "one more snapshot")])
def test_a_disk_without_room_is_refused(front, monkeypatch, kimgs, needed):
    monkeypatch.setattr("sg2ada_colab.runs.plan.disk_bytes", lambda folder: (2**30, 2**16))
    leave_run(front, 0, kimgs)
    with pytest.raises(UserError, match="has 0.0 GiB free") as caught:
        front.plan()
    assert f"for {needed};" in caught.value.expected


def test_a_finished_run_needs_no_room(front, monkeypatch):
    monkeypatch.setattr("sg2ada_colab.runs.plan.disk_bytes", lambda folder: (2**30, 2**16))
    leave_run(front, 0, (100,))
    assert front.plan().is_finished


def test_a_folder_of_runs_that_cannot_be_listed_is_an_error(front, monkeypatch, no_pauses):
    leave_run(front, 0, (4,))
    listdir = os.listdir

    def fail(path="."):
        if str(path) == str(front.results):
            raise OSError(107, "Transport endpoint is not connected")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", fail)
    with pytest.raises(UserError, match="does not answer"):
        front.plan()


def test_options_that_a_failing_disk_does_not_hand_over_are_an_error(front, monkeypatch, no_pauses):
    """Else a new run would begin beside the one that is to go on."""
    leave_run(front, 0, (4,))

    def fail(path, *shape):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("sg2ada_colab.config.options_file.read_json", fail)
    with pytest.raises(UserError, match="training_options.json cannot be read: Input/output error"):
        front.plan()


def test_a_run_whose_options_are_gone_is_passed_over_and_goes_on_when_it_is_named(front):
    run = leave_run(front, 0, (4,))
    (run / OPTIONS).unlink()
    plan = front.plan()
    assert plan.candidate is None and Path(plan.run_dir).name.startswith("00001-")
    assert any(sentence.startswith(f"Passed over: {run / OPTIONS} cannot be read") for sentence in plan.sentences)
    plan = front.plan(run=run.name)
    assert plan.candidate.kimg == 4 and plan.config.schedule.total_kimg == 100
    assert f"{run} has no {OPTIONS}: the options given now are taken for those that it was begun with." in plan.sentences


@pytest.mark.parametrize("named", [False, True])
def test_a_run_whose_options_were_cut_off_goes_on_with_those_that_its_newest_state_holds(front, named):
    run = leave_run(front, 0, (4,), gamma=3.0)
    (run / OPTIONS).write_bytes((run / OPTIONS).read_bytes()[:2000])
    with pytest.raises(UserError, match="is damaged"):
        front.plan(run=run.name)  # a state of an older version holds none
    data = front.data("birds")
    config = resolve(TrainOptions(outdir=str(front.results), data=data, **dict(SMALL, gamma=3.0)), DatasetInfo.open(data))
    store = RunStore(run)
    store.write_snapshot_async(8, lambda file: file.write(b"x"), {"w": np.zeros(2)}, {"nimg": 8000, CONFIG_KEY: config.to_dict()})
    store.wait()
    plan = front.plan(run=run.name if named else None)
    assert plan.candidate.kimg == 8 and plan.config == config
    (sentence,) = [one for one in plan.sentences if OPTIONS in one]
    assert "is damaged" in sentence and sentence.endswith(f"Its settings are those that {run / state_name('000008')} holds.")


def test_neither_front_end_imports_tensorflow_for_a_plan(tmp_path, datasets):
    code = (
        "import sys\n"
        "from sg2ada_colab.cli import train\n"
        "from sg2ada_colab.colab import plan\n"
        "from sg2ada_colab.config.options import TrainOptions\n"
        "from sg2ada_colab.storage.workspace import open_workspace\n"
        "here, data = open_workspace(sys.argv[1]), sys.argv[2]\n"
        "assert train.train(TrainOptions(outdir=here.results, data=data, dry_run=True, resume='latest')) == 0\n"
        "plan.plan_run(here, data, {})\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(datasets / "birds")]
    assert subprocess.run(command, cwd=str(ROOT), stdout=subprocess.DEVNULL).returncode == 0


# --- in Colab a run lies on the machine and on Drive, and the two are one


@pytest.fixture
def in_colab(colab, datasets, monkeypatch):
    """Return (the command line in Colab, results on Drive, results on the machine)."""
    monkeypatch.setattr(cli, "execute", lambda plan, options: plan)
    there, here = colab
    return CommandLine(open_workspace(there.parents[2]), datasets), there, here


def test_a_run_begun_on_drive_is_trained_on_the_machine_and_numbers_count_both(in_colab):
    front, there, here = in_colab
    plan = front.plan()
    assert plan.run_dir.startswith(str(here / "00000-birds")) and plan.drive_dir.startswith(str(there / "00000-birds"))
    leave_run(front, 0, (4,))  # on Drive only: another machine
    plan = front.plan(new_run=True)
    assert plan.run_dir.startswith(str(here / "00001-")) and plan.drive_dir == str(there / Path(plan.run_dir).name)


@pytest.mark.parametrize("on_drive, on_machine, where", [((4, 8), (4,), "drive"), ((4,), (4, 8), "here"), ((4, 8), (), "drive")])
def test_the_newest_snapshot_of_both_places_is_brought_to_the_machine(in_colab, on_drive, on_machine, where):
    front, there, here = in_colab
    run = leave_run(front, 0)
    if on_machine:
        shutil.copytree(str(run), str(here / run.name))
        add_snapshots(here / run.name, on_machine)
    add_snapshots(run, on_drive)
    plan = front.plan()
    assert plan.candidate.name == "000008"
    assert plan.candidate.run_dir == str(run if where == "drive" else here / run.name)
    said = []
    ready = bring_here(plan, said.append)
    assert ready.candidate.run_dir == ready.store.run_dir == str(here / run.name)
    assert ready.store.record("000008") == ready.candidate.record
    assert newest_good([here / run.name]).candidate.name == "000008"
    assert len(said) == (where == "drive") and [path.name for path in here.iterdir()] == [run.name]


def test_a_newer_snapshot_that_is_cut_short_on_drive_is_passed_over_with_a_sentence(in_colab):
    front, there, here = in_colab
    run = leave_run(front, 0, (4, 8))
    os.truncate(str(run / pickle_name("000008")), 10)
    plan = front.plan()
    assert plan.candidate.name == "000004"
    sentences = [sentence for sentence in plan.sentences if sentence.startswith(f"Passed over: {run}")]
    assert any("is cut short: 10 of 1,000 bytes" in sentence for sentence in sentences)


def test_resume_without_a_name_means_the_usual_results(in_colab, tmp_path, monkeypatch):
    front, there, here = in_colab
    run = leave_run(front, 0, (4,))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cli.resume(os.curdir, TrainOptions()).drive_dir == str(run)
    assert plan_run(TrainOptions(), find_places(run)).drive_dir == str(run)
