"""The verbs train and resume from the command line on: exit codes, dry runs, help, and what training is started with."""

import argparse
import json
import os
import shlex
import subprocess
import sys
import urllib.request
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.cli import train as cli
from sg2ada_colab.config.options import TrainOptions, flag_of
from sg2ada_colab.config.options_file import options_text, read_config
from sg2ada_colab.dataset.records import RecordLayout
from sg2ada_colab.errors import UserError
from sg2ada_colab.files import sha256_of
from sg2ada_colab.formats.download import cached_name, note_digest
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.run_files import OPTIONS
from tests.colab.run_folders import add_snapshots
from tests.oracles.small_snapshots import small_snapshot

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
            (folder / f"{prefix}-r{log2:02d}.tfrecords").write_bytes(records.tobytes())
    if label_size:
        with open(str(folder / f"{folder.name}-rxx.labels"), "wb") as file:
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

    def start(plan, quiet=False):
        assert plan.drive_dir is None
        os.makedirs(plan.run_dir, exist_ok=True)
        (Path(plan.run_dir) / OPTIONS).write_text(options_text(plan.config, plan.run_dir, ours=True))
        started.append((plan.config, plan.run_dir, plan.candidate is not None, quiet))
        return 0

    monkeypatch.setattr(cli, "start", start)
    return started


@pytest.mark.parametrize("command", COMMANDS, ids=[command["args"] for command in COMMANDS])
def test_commands_end_as_in_nvidias_program(command, reference_folder, monkeypatch, capsys):
    monkeypatch.chdir(reference_folder)
    monkeypatch.setattr("sg2ada_colab.runs.plan.planned_start", lambda config: config)  # NVIDIA's dry run opens no network
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
    assert (config.snapshots.seconds, config.snapshots.keep_last, config.start.kimg) == (120, 7, 3)
    assert (config.engine.xla, config.engine.deterministic, config.data.mirror_y, quiet) == (False, False, True, True)


def test_python_calls_are_checked_as_flags_are(work):
    with pytest.raises(UserError, match="Not given: --outdir, --data."):
        cli.train(TrainOptions(kimg=3))
    assert cli.train(TrainOptions(outdir="runs", data="d/faces", kimg=3)) == 0
    assert cli.resume("runs", TrainOptions(kimg=4)) == 0
    assert [config.schedule.total_kimg for config, _, _, _ in work] == [3, 4]


def test_a_new_run_gets_the_next_number(work):
    for number in range(2):
        assert main("train --outdir=runs --data=d/faces --metrics=none") == 0
        config, run_dir, resume, quiet = work[-1]
        assert (run_dir, resume, quiet) == (os.path.join("runs", f"{number:05d}-faces-auto1"), False, False)
    assert (config.data.num_images, config.resolution, config.channels) == (5, 32, 3)


def test_a_dry_run_shows_gamma_with_its_rule_and_what_the_run_costs(work, capsys):
    assert main("train --outdir=runs --data=d/faces --batch=8 -n") == 0
    printed = capsys.readouterr().out
    assert "Gamma:             0.0256 (--cfg=auto: 0.0002 * 32^2 / 8)" in printed
    for word in ("Parameters: ", "GPU memory: ", "Disk: ", "Time, roughly: ", "s/kimg"):
        assert word in printed
    assert printed.endswith("Dry run; exiting.\n")
    assert not work


@pytest.mark.parametrize("there, sentence", [("2", "2 processes train, each computes 1 of the 2 rounds"), ("1", "one process")])
def test_several_gpus_are_several_processes_and_a_sentence_says_so(work, capsys, monkeypatch, there, sentence):
    monkeypatch.setenv("SG2ADA_CPU_RANKS", there)
    monkeypatch.setattr(cli, "launch", lambda job, cluster: launched.append((job, cluster)) or 0)
    launched = []
    assert main("train --outdir=runs --data=d/faces --gpus=2 -n") == 0 and not launched
    assert sentence in capsys.readouterr().out
    assert main("train --outdir=runs --data=d/faces --gpus=2") == 0
    assert sentence in capsys.readouterr().out and len(launched) == int(there) - 1 and len(work) == 2 - int(there)
    for job, cluster in launched:
        assert cluster.cards == ("-1", "-1") and job.config.schedule.num_gpus == 2
        assert job.run_dir.endswith("auto2") and not job.quiet


@pytest.mark.parametrize("dry", ["", " -n"])
def test_the_network_to_begin_with_is_opened_and_checked(work, capsys, dry):
    """In a dry run as in a start: a file that is missing, damaged, a folder, or of another size is refused before training."""
    command = "train --outdir=runs --data=d/faces --aug=noaug" + dry + " --resume="
    assert main(command + "no.pkl") == 1
    assert "--resume: no.pkl does not exist." in capsys.readouterr().err
    Path("bad.pkl").write_bytes(b"\x80\x03cut")
    assert main(command + "bad.pkl") == 1
    assert "bad.pkl (5 bytes) is cut short" in capsys.readouterr().err
    write_network_pickle("small.pkl", small_snapshot(resolution=16))
    assert main(command + "small.pkl") == 1
    error = capsys.readouterr().err
    assert "small.pkl does not fit the data. Resolution: the snapshot has 16, this run wants 32." in error
    assert "mapping" not in error and "fmap" not in error  # what is taken over is no reason
    assert not work and not Path("runs").exists()
    write_network_pickle("fits.pkl", small_snapshot(resolution=32, mapping_layers=8))
    assert main(command + "fits.pkl") == 0
    printed = capsys.readouterr().out
    said = printed if dry else work[0][0].notes[0]
    assert "Taken over from the network that it starts from: G's mapping layers: 8, where the options say 2; " in said
    assert printed.count("A new run begins with the networks of fits.pkl") == bool(dry)  # otherwise the log says it, once
    assert '"mapping_layers": 8' in printed


@pytest.mark.parametrize("option, sentence", [
    ("--resume=ffhq512", "ffhq-res512-mirror-stylegan2-noaug.pkl is not on this machine yet: it is downloaded, checked"),
    ("--resume=https://example.org/a.pkl", "https://example.org/a.pkl is not on this machine yet"),
])  # fmt: skip
def test_a_dry_run_downloads_nothing(work, capsys, monkeypatch, tmp_path, option, sentence):
    def no_network(*args, **kwargs):
        raise AssertionError("a dry run went to the network")

    monkeypatch.setenv("SG2ADA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    assert main("train --outdir=runs --data=d/faces -n --resume-partial " + option) == 0
    assert sentence in capsys.readouterr().out and not (tmp_path / "cache").exists()
    is_preset = "ffhq" in option  # what it makes is known
    assert main("train --outdir=runs --data=d/faces -n " + option) == is_preset
    assert ("Resolution: the snapshot has 512, this run wants 32" in capsys.readouterr().err) == is_preset


def test_an_address_that_was_downloaded_before_is_opened_in_a_dry_run(work, capsys, monkeypatch, tmp_path):
    url = "https://example.org/a.pkl"
    path = tmp_path / "cache" / cached_name(url)
    path.parent.mkdir()
    write_network_pickle(path, small_snapshot(resolution=16))
    note_digest(path, sha256_of(path)[1])
    monkeypatch.setenv("SG2ADA_CACHE_DIR", str(path.parent))
    assert main(f"train --outdir=runs --data=d/faces -n --resume={url}") == 1
    assert "does not fit the data. Resolution: the snapshot has 16" in capsys.readouterr().err


def test_a_run_folder_as_network_says_what_to_give(work, capsys):
    main("train --outdir=runs --data=d/faces")
    run = Path(work[0][1])
    for name in ("network-snapshot-000004.pkl", "network-snapshot-000012.pkl"):
        (run / name).write_bytes(b"")
    assert main(f"train --outdir=runs --data=d/faces --resume={run}/") == 1
    printed = capsys.readouterr().err
    assert f"--resume: {run} is a folder." in printed
    assert f"to go on with this run: sg2ada resume {run}" in printed
    assert f"to begin a new run with its networks: --resume={run}/network-snapshot-000012.pkl" in printed
    assert main("train --outdir=runs --data=d/faces --resume=d") == 1
    assert "name a network-snapshot-*.pkl" in capsys.readouterr().err


def test_a_disk_without_room_for_two_snapshots_is_refused(work, capsys, monkeypatch):
    monkeypatch.setattr("sg2ada_colab.runs.plan.disk_bytes", lambda folder: (2**30, 2**20))
    assert main("train --outdir=runs/deep --data=d/faces") == 1
    assert "has 0.0 GiB free" in capsys.readouterr().err
    assert not work and not Path("runs").exists()


def test_latest_begins_a_run_where_there_is_none(work):
    assert main("train --outdir=runs --data=d/faces --resume=latest --mirror=1") == 0
    assert work[0][1:3] == (os.path.join("runs", "00000-faces-mirror-auto1"), False)
    assert work[0][0].augment.tune_kimg == 500  # nothing was taken over


def test_latest_goes_on_with_the_newest_run_and_its_options(work):
    main("train --outdir=runs --data=d/faces --mirror=1 --gamma=3 --kimg=100")
    run = work[0][1]
    add_snapshots(run, [1])
    assert main("train --outdir=runs --data=d/faces --resume=latest --kimg=200") == 0
    config, run_dir, resume, _ = work[1]
    assert (run_dir, resume) == (run, True)
    assert (config.data.mirror_x, config.losses.r1_gamma, config.schedule.total_kimg) == (True, 3.0, 200)
    assert config.run_description == work[0][0].run_description
    assert read_config(run) == config


def test_a_run_that_began_from_a_network_goes_on_with_its_settings(work):
    write_network_pickle("net.pkl", small_snapshot(resolution=32))
    main("train --outdir=runs --data=d/faces --resume=net.pkl")
    assert work[0][0].mapping_layers == 2 and work[0][0].G["latent_size"] == 5
    add_snapshots(work[0][1], [1])
    assert main("train --outdir=runs --data=d/faces --resume=latest") == 0
    assert work[1][0].to_dict() == dict(work[0][0].to_dict(), notes=[])


@pytest.mark.parametrize("named", ["runs", "runs/00000-faces-mirror-auto1", "runs/00000-faces-mirror-auto1/"])
def test_resume_takes_a_run_or_a_folder_of_runs(work, named, capsys):
    main("train --outdir=runs --data=d/faces --mirror=1")
    add_snapshots(work[0][1], [12])
    assert main(f"resume {named} --snap=5 --batch-gpu=8") == 0
    config, run_dir, resume, _ = work[1]
    assert (os.path.normpath(run_dir), resume) == (work[0][1], True)
    assert (config.snapshots.network_ticks, config.schedule.minibatch_gpu) == (5, 8)
    printed = capsys.readouterr().out
    assert "Changed: --snap: 50 before, 5 now\n" in printed
    assert "Changed: --batch-gpu: 32 before, 8 now (goes on, but not bit for bit as before)\n" in printed


def test_a_run_without_snapshots_begins_anew_in_its_folder(work, capsys):
    main("train --outdir=runs --data=d/faces")
    assert main("resume runs") == 0
    assert work[1][1:3] == (work[0][1], False)
    assert "stopped before its first snapshot" in capsys.readouterr().out


def test_a_resume_that_does_not_fit_is_refused(work, capsys):
    main("train --outdir=runs --data=d/faces --mirror=1")
    assert main("train --outdir=runs --data=d/faces --resume=latest --mirror=0") == 1
    printed = capsys.readouterr().err
    assert "data.mirror_x: True before, False now" in printed and "Pass --mirror=1 instead" in printed
    assert len(work) == 1


REFUSED_ON_RESUME = {  # option: (what it changes, what to do)
    "--gamma 5": ("losses.r1_gamma: 0.0064 before, 5.0 now", "Leave out --gamma=5"),
    "--batch 4": ("schedule.minibatch_size: 32 before, 4 now", "Leave out --batch=4"),
    "--p 0.5": ("--p: not given before, 0.5 now", "Leave out --p=0.5"),
    "--seed=3": ("seed: 1000 before, 3 now", "Leave out --seed=3"),
    "--res 16": ("G.resolution: 32 before, 16 now", "Leave out --res=16"),
    "--desc x": ("--desc: not given before, x now", "Leave out --desc=x"),
    "--mirror=0": ("data.mirror_x: True before, False now", "Pass --mirror=1 instead"),
    "--cfg=cifar": ("G_reg", ""),
    "--nkimg 7": ("start.kimg: 0 before, 7 now", "Leave out --start-kimg=7"),
    "--aug=fixed": ("--aug: not given before, fixed now", "Leave out --aug=fixed"),
}


@pytest.mark.parametrize("option", sorted(REFUSED_ON_RESUME))
@pytest.mark.parametrize("verb", ["resume runs", "train --outdir=runs --data=d/faces --resume=latest"])
def test_options_that_would_make_another_run_are_explained_by_both_verbs(work, capsys, option, verb):
    main("train --outdir=runs --data=d/faces --mirror=1")
    assert main(f"{verb} {option}") == 1
    printed = capsys.readouterr().err
    what, step = REFUSED_ON_RESUME[option]
    assert printed.startswith("The run runs/00000-faces-mirror-auto1 was begun with other settings: ")
    assert step in printed and (option == "--cfg=cifar" or what in printed)
    assert "for a new run from this one's weights pass --resume=" in printed and len(work) == 1


def test_no_option_of_train_is_an_abbreviation_on_resume():
    """Whatever `train` knows by this name, `resume` knows by the same; prefixes of its other flags never win."""
    resume = parser()._subparsers._group_actions[0].choices["resume"]
    for name in {f.name for f in fields(TrainOptions)}:
        flag = flag_of(name)
        assert resume._option_string_actions[flag].dest == name
    shown = resume.format_help()
    assert "--gamma" not in shown and "--batch-gpu" in shown


def test_places_and_networks_are_not_options_of_resume(work, capsys):
    main("train --outdir=runs --data=d/faces")
    assert main("resume --outdir=runs") == 1
    assert "sg2ada resume runs" in capsys.readouterr().err
    assert main("resume runs --resume=ffhq256") == 1
    assert "sg2ada train --resume=ffhq256" in capsys.readouterr().err
    assert len(work) == 1


def test_other_images_under_the_same_name_are_refused(work, capsys, tmp_path):
    main("train --outdir=runs --data=d/faces")
    write_dataset(tmp_path / "e" / "faces", 32, num_images=6)
    assert main(f"resume {work[0][1]} --data=e/faces") == 1
    assert "data.num_images: 5 before, 6 now" in capsys.readouterr().err
    assert main("resume runs --data=e/faces") == 1  # over a folder of runs, none of them is meant
    assert capsys.readouterr().err.startswith("There is no run on the dataset e/faces in runs.\n")


def test_resume_without_a_run_is_refused(work, capsys):
    assert main("resume d") == 1
    assert capsys.readouterr().err.startswith("There is no run in d.\n  Expected: ")


def test_a_run_of_nvidias_program_is_refused_with_the_way_out(work, capsys):
    Path("runs/00000-x").mkdir(parents=True)
    Path("runs/00000-x", OPTIONS).write_text(json.dumps(COMMANDS[0]["options"]))
    assert main("resume runs") == 1
    printed = capsys.readouterr().err
    assert "was not made by sg2ada" in printed and "train --resume=<its newest network-snapshot>" in printed


def test_a_dry_resume_starts_nothing(work, capsys):
    main("train --outdir=runs --data=d/faces")
    assert main("resume runs -n") == 0
    assert len(work) == 1 and capsys.readouterr().out.endswith("Dry run; exiting.\n")


def test_an_outdir_that_cannot_be_made_is_refused(work, capsys, no_pauses):
    Path("file").write_text("")
    assert main("train --outdir=file --data=d/faces") == 1
    assert "choose another --outdir" in capsys.readouterr().err and not work


def test_a_name_of_a_run_that_is_too_long_is_refused(work, capsys):
    assert main("train --outdir=runs --data=d/faces --desc=" + "x" * 300) == 1
    printed = capsys.readouterr().err
    assert "its name is too long" in printed and "--desc" in printed.split("Next:")[1]
    assert os.listdir("runs") == [] and not work


def test_all_is_checked_before_tensorflow_starts(reference_folder):
    code = """
import argparse, sys
from sg2ada_colab.cli import train
from sg2ada_colab.errors import UserError
from sg2ada_colab.files import sha256_of
from sg2ada_colab.formats.download import cached_name, note_digest
from sg2ada_colab.formats.network_pickle import write_network_pickle
from tests.colab.run_folders import add_snapshots
from tests.oracles.small_snapshots import small_snapshot
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
    return "\n".join(f"$ sg2ada {name} --help\n{verb.format_help()}" for name, verb in verbs.items())


def test_the_committed_help_is_the_programs():
    # After a change of the flags: PYTHONPATH=. python tests/cli/test_train.py > docs/cli-help.txt
    assert (ROOT / "docs" / "cli-help.txt").read_text(encoding="utf-8") == help_texts()


if __name__ == "__main__":
    sys.stdout.write(help_texts())
