"""The verbs train and resume from the command line on: exit codes, dry runs, help, and what training is started with."""

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.cli import train as cli
from sg2ada_colab.dataset.records import RecordLayout
from sg2ada_colab.errors import UserError
from sg2ada_colab.training.options import TrainOptions
from sg2ada_colab.training.options_file import FILE_NAME, options_text, read_config

ROOT = Path(__file__).parents[2]
REFERENCE = json.loads((ROOT / "tests" / "data" / "train_options.json").read_text())
COMMANDS = REFERENCE["commands"]


def parser():
    top = argparse.ArgumentParser(prog="sg2ada")
    cli.register(top.add_subparsers())
    return top


def main(text):
    """Return the exit code of a command line, as the program gives it."""
    try:
        args = parser().parse_args(shlex.split(text))
        return args.run(args)
    except SystemExit as end:
        return end.code
    except UserError as problem:
        print(problem, file=sys.stderr)
        return 1


def write_dataset(folder, resolution, channels=3, label_size=0, validation=False, num_images=3):
    """Write a dataset of random images: a file a level down to 4x4, labels, and a validation set if wanted."""
    folder.mkdir(parents=True)
    random = np.random.RandomState(resolution)
    for prefix in [folder.name] + ["validation-" + folder.name] * validation:
        for log2 in range(2, int(np.log2(resolution)) + 1):
            images = random.randint(0, 256, [num_images, channels, 2**log2, 2**log2]).astype(np.uint8)
            records = RecordLayout(channels, 2**log2, 2**log2).encode(images)
            (folder / "{}-r{:02d}.tfrecords".format(prefix, log2)).write_bytes(records.tobytes())
    if label_size:
        with open(str(folder / "{}-rxx.labels".format(folder.name)), "wb") as file:
            np.save(file, np.eye(label_size, dtype=np.float32)[random.randint(label_size, size=num_images)])


@pytest.fixture(scope="session")
def reference_folder(tmp_path_factory):
    """Return a folder with the reference's datasets and used run folders."""
    folder = tmp_path_factory.mktemp("reference")
    for name, facts in REFERENCE["datasets"].items():
        shape = (facts["resolution"], facts["channels"], facts["label_size"], facts["validation_set"])
        write_dataset(folder / "datasets" / name, *shape)
    for outdir, contents in REFERENCE["existing_run_directories"].items():
        for name in contents["directories"]:
            (folder / outdir / name).mkdir(parents=True)
        for name in contents["files"]:
            (folder / outdir / name).write_text("")
    return folder


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Go to an empty folder with the dataset d/faces; training itself is replaced by a list of how it was started."""
    write_dataset(tmp_path / "d" / "faces", 32, num_images=5)
    monkeypatch.chdir(tmp_path)
    started = []

    def start(config, run_dir, resume, quiet=False, drive_dir=None):
        assert drive_dir is None
        os.makedirs(run_dir, exist_ok=True)
        (Path(run_dir) / FILE_NAME).write_text(options_text(config, run_dir, ours=True))
        started.append((config, run_dir, resume, quiet))
        return 0

    monkeypatch.setattr(cli, "start", start)
    return started


@pytest.mark.parametrize("command", COMMANDS, ids=[command["args"] for command in COMMANDS])
def test_commands_end_as_in_nvidias_program(command, reference_folder, monkeypatch, capsys):
    monkeypatch.chdir(reference_folder)
    before = sorted(reference_folder.rglob("*"))
    # The one command that kills NVIDIA's program, --metrics=ls, is refused.
    expected = 1 if str(command["exit"]).startswith("exception") else command["exit"]
    assert main("train " + command["args"]) == expected
    assert sorted(reference_folder.rglob("*")) == before  # a dry run writes nothing
    if expected == 0:
        printed = capsys.readouterr().out
        text = printed[printed.index("{") : printed.index("\n}\n") + 2]
        assert text == json.dumps(command["options"], indent=2)
        lines = printed.splitlines()
        assert [line for line in lines if line in command["summary_lines"]] == command["summary_lines"]


def test_a_refusal_has_three_parts(work, capsys):
    assert main("train --outdir=runs --data=d/faces --kimg=0") == 1
    assert capsys.readouterr().err == (
        "--kimg is 0.\n  Expected: A whole number from 1 up.\n"
        "  Next: Correct it, or leave --kimg out (default: by --cfg, 25000 for auto).\n"
    )
    assert not work


def test_wrong_options_and_wrong_data_are_reported_together(work, capsys):
    assert main("train --outdir=runs --data=nowhere --p=0.5") == 1
    printed = capsys.readouterr().err
    assert printed.startswith("2 things are wrong with the options:\n  1. --p is given")
    assert "  2. --data: " in printed and "nowhere" in printed


@pytest.mark.parametrize(
    "text",
    [
        "--outd=runs --da=d/faces --mir=1 --ki=5 --sn=3 --gam=2 -n --se=4",
        "--out runs --dat d/faces --mir y --k 5 --sn 3 --ga 2 --dr --se 4",
    ],
)
def test_nvidias_abbreviations_still_mean_the_same(work, capsys, text):
    # Ours that begin alike: --mirrory, --snap-minutes, --keep-last; NVIDIA's go first.
    assert main("train " + text) == 0
    printed = capsys.readouterr().out
    assert '"run_dir": "runs/00000-faces-mirror-auto1-gamma2-kimg5"' in printed and '"image_snapshot_ticks": 3' in printed


@pytest.mark.parametrize("flag", ["--m=1", "--keep=1", "--x=1"])
def test_ambiguous_and_unknown_flags_are_refused(work, flag):
    assert main("train --outdir=r --data=d/faces " + flag) == 2


def test_ours_may_be_abbreviated_too(work):
    assert main("train --outdir=r --data=d/faces --snap-m=2 --keep-l=7 --nkimg=3 --no-x --det=0 --mirrory=1 --q") == 0
    ((config, _, _, quiet),) = work
    assert (config.snapshot_seconds, config.keep_last, config.start_kimg) == (120, 7, 3)
    assert (config.xla, config.deterministic, config.mirror_y, quiet) == (False, False, True, True)


def test_python_calls_are_checked_as_flags_are(work):
    with pytest.raises(UserError, match="Not given: --outdir, --data."):
        cli.train(TrainOptions(kimg=3))
    assert cli.train(TrainOptions(outdir="runs", data="d/faces", kimg=3)) == 0
    assert cli.resume("runs", TrainOptions(kimg=4)) == 0
    assert [config.total_kimg for config, _, _, _ in work] == [3, 4]


def test_a_new_run_gets_the_next_number(work):
    for number in range(2):
        assert main("train --outdir=runs --data=d/faces --metrics=none") == 0
        config, run_dir, resume, quiet = work[-1]
        assert (run_dir, resume, quiet) == (os.path.join("runs", "{:05d}-faces-auto1".format(number)), False, False)
    assert (config.data_num_images, config.resolution, config.channels) == (5, 32, 3)


def test_a_dry_run_shows_gamma_with_its_rule_and_what_the_run_costs(work, capsys):
    assert main("train --outdir=runs --data=d/faces --batch=8 -n") == 0
    printed = capsys.readouterr().out
    assert "Gamma:             0.0256 (--cfg=auto: 0.0002 * 32^2 / 8)" in printed
    for word in ("Parameters: ", "GPU memory: ", "Disk: ", "Time, roughly: ", "s/kimg"):
        assert word in printed
    assert printed.endswith("Dry run; exiting.\n")
    assert not work


def test_a_network_file_that_is_missing_is_refused_before_training(work, capsys):
    assert main("train --outdir=runs --data=d/faces --resume=no.pkl") == 1
    assert "--resume: no.pkl does not exist." in capsys.readouterr().err
    assert not work


def test_a_disk_without_room_for_two_snapshots_is_refused(work, capsys, monkeypatch):
    usage = type("Usage", (), {"free": 2**20})
    monkeypatch.setattr(cli.shutil, "disk_usage", lambda folder: usage)
    assert main("train --outdir=runs/deep --data=d/faces") == 1
    assert "has 0.0 GiB free" in capsys.readouterr().err
    assert not work and not Path("runs").exists()


def test_latest_begins_a_run_where_there_is_none(work):
    assert main("train --outdir=runs --data=d/faces --resume=latest --mirror=1") == 0
    assert work[0][1:3] == (os.path.join("runs", "00000-faces-mirror-auto1"), False)
    assert work[0][0].aug_tune_kimg == 500  # nothing was taken over


def test_latest_goes_on_with_the_newest_run_and_its_options(work):
    main("train --outdir=runs --data=d/faces --mirror=1 --gamma=3 --kimg=100")
    run = work[0][1]
    Path(run, "network-snapshot-000000.pkl").write_bytes(b"")
    assert main("train --outdir=runs --data=d/faces --resume=latest --kimg=200") == 0
    config, run_dir, resume, _ = work[1]
    assert (run_dir, resume) == (run, True)
    assert (config.mirror_x, config.r1_gamma, config.total_kimg) == (True, 3.0, 200)
    assert config.run_description == work[0][0].run_description
    assert read_config(run) == config


def test_a_run_that_began_from_a_network_goes_on_with_its_settings(work):
    Path("net.pkl").write_bytes(b"")
    main("train --outdir=runs --data=d/faces --resume=net.pkl")
    Path(work[0][1], "network-snapshot-000000.pkl").write_bytes(b"")
    assert main("train --outdir=runs --data=d/faces --resume=latest") == 0
    assert work[1][0] == work[0][0]


@pytest.mark.parametrize("named", ["runs", "runs/00000-faces-mirror-auto1", "runs/00000-faces-mirror-auto1/"])
def test_resume_takes_a_run_or_a_folder_of_runs(work, named, capsys):
    main("train --outdir=runs --data=d/faces --mirror=1")
    Path(work[0][1], "network-snapshot-000012.pkl").write_bytes(b"")
    assert main("resume {} --snap=5 --batch-gpu=8".format(named)) == 0
    config, run_dir, resume, _ = work[1]
    assert (os.path.normpath(run_dir), resume) == (work[0][1], True)
    assert (config.network_snapshot_ticks, config.minibatch_gpu) == (5, 8)
    printed = capsys.readouterr().out
    assert "Changed:           network_snapshot_ticks: 50 before, 5 now\n" in printed
    assert "Changed:           minibatch_gpu: 32 before, 8 now (goes on, but not bit for bit as before)\n" in printed


def test_a_run_without_snapshots_begins_anew_in_its_folder(work, capsys):
    main("train --outdir=runs --data=d/faces")
    assert main("resume runs") == 0
    assert work[1][1:3] == (work[0][1], False)
    assert "stopped before its first snapshot" in capsys.readouterr().out


def test_a_resume_that_does_not_fit_is_refused(work, capsys):
    main("train --outdir=runs --data=d/faces --mirror=1")
    assert main("train --outdir=runs --data=d/faces --resume=latest --mirror=0") == 1
    printed = capsys.readouterr().err
    assert "mirror_x: True before, False now" in printed and "Pass --mirror=1 instead" in printed
    assert len(work) == 1


def test_other_images_under_the_same_name_are_refused(work, capsys, tmp_path):
    main("train --outdir=runs --data=d/faces")
    write_dataset(tmp_path / "e" / "faces", 32, num_images=6)
    assert main("resume runs --data=e/faces") == 1
    assert "data_num_images: 5 before, 6 now" in capsys.readouterr().err


def test_resume_without_a_run_is_refused(work, capsys):
    assert main("resume d") == 1
    assert capsys.readouterr().err.startswith("There is no run in d.\n  Expected: ")


def test_a_run_of_nvidias_program_is_refused_with_the_way_out(work, capsys):
    Path("runs/00000-x").mkdir(parents=True)
    Path("runs/00000-x", FILE_NAME).write_text(json.dumps(COMMANDS[0]["options"]))
    assert main("resume runs") == 1
    printed = capsys.readouterr().err
    assert "was not made by sg2ada" in printed and "train --resume=<its newest network-snapshot>" in printed


def test_a_dry_resume_starts_nothing(work, capsys):
    main("train --outdir=runs --data=d/faces")
    assert main("resume runs -n") == 0
    assert len(work) == 1 and capsys.readouterr().out.endswith("Dry run; exiting.\n")


def test_an_outdir_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Choose another --outdir"):
        cli.start(None, str(tmp_path / "file" / "run"), resume=False)


def test_all_is_checked_before_tensorflow_starts(reference_folder):
    code = """
import argparse, sys
from sg2ada_colab.cli import train
from sg2ada_colab.errors import UserError
parser = argparse.ArgumentParser()
train.register(parser.add_subparsers())
args = parser.parse_args(sys.argv[1:])
try:
    args.run(args)
    print("resolved")
except UserError as problem:
    print(problem)
sys.exit("tensorflow" in sys.modules)
"""
    command = [sys.executable, "-c", code, "train", "--outdir=runs", "--data=datasets/cifar10c", "--aug=adarv", "-n"]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    refused = subprocess.run(command, cwd=str(reference_folder), env=environment, stdout=subprocess.PIPE)
    assert refused.returncode == 0 and b"no validation set" in refused.stdout
    command[-2] = "--aug=ada"
    accepted = subprocess.run(command, cwd=str(reference_folder), env=environment, stdout=subprocess.PIPE)
    assert accepted.returncode == 0 and accepted.stdout.endswith(b"Dry run; exiting.\nresolved\n")


def help_texts():
    """Return the help of the verbs, as docs/cli-help.txt holds it."""
    verbs = parser()._subparsers._group_actions[0].choices
    return "\n".join("$ sg2ada {} --help\n{}".format(name, verb.format_help()) for name, verb in verbs.items())


def test_the_committed_help_is_the_programs():
    # After a change of the flags: PYTHONPATH=. python tests/cli/test_train.py > docs/cli-help.txt
    assert (ROOT / "docs" / "cli-help.txt").read_text(encoding="utf-8") == help_texts()


if __name__ == "__main__":
    sys.stdout.write(help_texts())
