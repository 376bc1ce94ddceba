"""A run on Drive and its copy on the machine are one: where they lie, and what `sg2ada resume` makes of them."""

import argparse
import os
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image
from run_folders import add_snapshots

from sg2ada_colab.cli import train as cli
from sg2ada_colab.colab import drive, places, workspace
from sg2ada_colab.colab.places import RunPlaces, find_run, results_places, run_places, usual_results
from sg2ada_colab.dataset import PrepareOptions, prepare
from sg2ada_colab.errors import UserError
from sg2ada_colab.snapshots.choose import newest_good
from sg2ada_colab.training.options_file import FILE_NAME, options_text


@pytest.fixture
def colab(fake_colab, monkeypatch):
    """Put Colab's two disks into the fake's /content; return (results on Drive, results on the machine)."""
    content = fake_colab.content
    machine = str(content / "sg2ada")
    monkeypatch.setattr(drive, "MOUNTPOINT", str(content / "drive"))
    monkeypatch.setattr(places, "MOUNTPOINT", str(content / "drive"))
    monkeypatch.setattr(drive.ColabDrive.__init__, "__defaults__", (str(content / "drive"),))
    monkeypatch.setattr(workspace, "MACHINE_FOLDER", machine)
    monkeypatch.setattr(places, "FROM_DRIVE", os.path.join(machine, "from-drive"))
    there = content / "drive" / "MyDrive" / "colab-sg2-ada" / "stylegan2-ada" / "results"
    there.mkdir(parents=True)
    return there, content / "sg2ada" / "results"


def test_outside_colab_there_is_one_place(tmp_path):
    assert results_places("runs") == ["runs"]
    assert run_places("runs/00000-x/") == RunPlaces(os.path.join("runs", "00000-x"))
    assert run_places(os.curdir).here == os.getcwd()


def test_the_two_places_of_the_workspace_and_of_any_folder_on_drive(colab):
    there, here = colab
    assert results_places(there) == results_places(here) == [str(here), str(there)]
    assert usual_results() == str(there)
    mine = there.parents[2] / "mine"
    near = places.FROM_DRIVE + "/MyDrive/mine"
    assert results_places(mine) == results_places(near) == [near, str(mine)]
    assert results_places("/content/runs") == ["/content/runs"]
    assert run_places(there / "00000-x") == RunPlaces(str(here / "00000-x"), str(there / "00000-x"))


def test_a_run_is_found_from_either_place(colab):
    there, here = colab
    for folder in (there / "00000-old", here / "00000-old", there / "00003-new"):
        folder.mkdir(parents=True)
        (folder / FILE_NAME).write_text("{}")
    (here / "00007-not-a-run").mkdir()
    newest = RunPlaces(str(here / "00003-new"), str(there / "00003-new"))
    assert find_run(there, FILE_NAME) == find_run(here, FILE_NAME) == find_run(here / "00003-new", FILE_NAME) == newest
    assert newest.folder_with(FILE_NAME) == str(there / "00003-new")
    assert find_run(there / "00000-old", FILE_NAME).here == str(here / "00000-old")
    assert find_run(there / "absent", FILE_NAME) is None


# --- the command line


def main(text):
    parser = argparse.ArgumentParser()
    cli.register(parser.add_subparsers())
    args = parser.parse_args(shlex.split(text))
    return args.run(args)


@pytest.fixture
def data(tmp_path):
    """A dataset of eight images of 8x8."""
    (tmp_path / "source").mkdir()
    for number in range(8):
        pixels = np.random.RandomState(number).randint(0, 256, [8, 8, 3]).astype(np.uint8)
        Image.fromarray(pixels).save(str(tmp_path / "source" / "{}.png".format(number)))
    prepare(str(tmp_path / "source"), str(tmp_path / "noise8"), PrepareOptions(resolution=8, workers=1), progress=False)
    return tmp_path / "noise8"


@pytest.fixture
def started(monkeypatch):
    """Replace training by a list of how it was started."""
    calls = []

    def start(config, run_dir, resume, quiet=False, drive_dir=None):
        for folder in (run_dir, drive_dir):
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, FILE_NAME), "w") as file:
                file.write(options_text(config, run_dir, ours=True))
        calls.append((run_dir, resume, drive_dir))
        return 0

    monkeypatch.setattr(cli, "start", start)
    return calls


def test_a_run_begun_on_drive_is_trained_on_the_machine(colab, data, started, capsys):
    there, here = colab
    assert main("train --outdir={} --data={} --kimg=9".format(there, data)) == 0
    ((run_dir, resume, drive_dir),) = started
    assert run_dir.startswith(str(here / "00000-noise8")) and drive_dir.startswith(str(there / "00000-noise8")) and not resume
    assert "Copied to:         " + drive_dir in capsys.readouterr().out
    shutil.rmtree(str(here))  # another machine: the numbers on Drive count, too
    assert main("train --outdir={} --data={} --kimg=9".format(there, data)) == 0
    assert os.path.basename(started[1][0]).startswith("00001-")


@pytest.mark.parametrize("on_drive, here, expected", [([4, 8], [4], "drive"), ([4], [4, 8], "here"), ([4, 8], [], "drive")])
def test_resume_takes_the_newest_of_both_places(colab, data, started, capsys, monkeypatch, tmp_path, on_drive, here, expected):
    there, machine = colab
    main("train --outdir={} --data={} --kimg=9".format(there, data))
    run_dir, _, drive_dir = started.pop()
    add_snapshots(tmp_path.joinpath(drive_dir), on_drive)
    if here:
        add_snapshots(tmp_path.joinpath(run_dir), here)
    else:
        shutil.rmtree(str(machine))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # nothing there: the workspace's results are meant
    assert main("resume") == 0
    assert started == [(run_dir, True, drive_dir)]
    choice = newest_good([run_dir])
    assert choice.candidate.name == "000008", "the newest snapshot was not brought to the machine"
    printed = capsys.readouterr().out
    assert "Going on from:     {}".format(drive_dir if expected == "drive" else run_dir) in printed
    assert main("resume {} -n".format(drive_dir)) == 0 and len(started) == 1


def test_a_newer_snapshot_that_is_cut_short_on_drive_is_passed_over_with_a_sentence(colab, data, started, capsys, tmp_path):
    there, _ = colab
    main("train --outdir={} --data={} --kimg=9".format(there, data))
    run_dir, _, drive_dir = started.pop()
    add_snapshots(tmp_path.joinpath(drive_dir), [4, 8])
    add_snapshots(tmp_path.joinpath(run_dir), [4])
    os.truncate(os.path.join(drive_dir, "network-snapshot-000008.pkl"), 10)
    assert main("resume {}".format(there)) == 0
    printed = capsys.readouterr().out
    assert "Passed over:       {}".format(drive_dir) in printed and "is cut short: 10 of 1,000 bytes" in printed
    assert newest_good([run_dir]).candidate.name == "000004"


def test_no_whole_snapshot_anywhere_is_said(colab, data, started, tmp_path):
    there, _ = colab
    main("train --outdir={} --data={} --kimg=9".format(there, data))
    drive_dir = started.pop()[2]
    add_snapshots(tmp_path.joinpath(drive_dir), [4])
    os.truncate(os.path.join(drive_dir, "training-state-000004.npz"), 10)
    with pytest.raises(UserError, match="neither here nor on Drive"):
        main("resume {}".format(there))
    assert not started
