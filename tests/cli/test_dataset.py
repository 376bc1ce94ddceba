"""The verbs `prepare` and `dataset ...` as commands: what they print, write and return."""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.cli import dataset as cli
from sg2ada_colab.dataset import open_dataset

ROOT = Path(__file__).parents[2]


def main(*arguments):
    """Return the exit code of `sg2ada ARGUMENTS`."""
    parser = argparse.ArgumentParser(prog="sg2ada")
    cli.register(parser.add_subparsers())
    args = parser.parse_args([str(argument) for argument in arguments])
    return args.run(args) or 0


@pytest.fixture
def folder(tmp_path):
    """Return a folder with 10 images in two sub-folders, one damaged file and one text file."""
    for i in range(10):
        file = tmp_path / "images" / "xy"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.RandomState(i).randint(0, 256, (20, 24, 3)).astype(np.uint8)).save(str(file))
    (tmp_path / "images" / "x" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (tmp_path / "images" / "notes.txt").write_text("x")
    return tmp_path / "images"


def test_prepare_says_what_it_made_and_left_out(folder, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert main("prepare", folder, tmp_path / "set", "--labels=folders", "--quiet", "--report", report) == 0
    out = capsys.readouterr().out
    assert "10 RGB images of 16 pixels, 2 labels each" in out
    assert "ignored: 1 x not an image by its name (.txt)" in out
    assert "left out: 1\n  x/bad.png: " in out
    assert json.loads(report.read_text())["problems"][0][0] == "x/bad.png"
    assert open_dataset(tmp_path / "set").label_size == 2
    with pytest.raises(UserError, match="x/bad.png"):
        main("prepare", folder, tmp_path / "strict", "--strict", "--quiet")


def test_options_reach_the_conversion(folder, tmp_path):
    main("prepare", folder, tmp_path / "a", "--resolution=8", "--fit=tiles", "--color=grey", "--full-only", "--no-shuffle",
         "--max-images=2", "--workers=1", "--quiet")  # fmt: skip
    data = open_dataset(tmp_path / "a")
    assert (len(data), data.channels, data.resolution) == (12, 1, 8)
    assert sorted(os.listdir(str(tmp_path / "a"))) == ["a-r03.tfrecords", "manifest.json"]
    main("prepare", folder, tmp_path / "b", "--resolution=32", "--fit=pad", "--upscale", "--background=#ff0000", "--quiet")
    assert (open_dataset(tmp_path / "b").read([0])[0, 0, 0] == (255, 0, 0)).all()


def test_crop_boxes_come_from_a_file(folder, tmp_path):
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({f"x/{i}.png": [i, 2, i + 8, 10] for i in range(0, 10, 2)}))
    main("prepare", folder, tmp_path / "set", "--resolution=8", "--fit=boxes", "--boxes", boxes, "--no-shuffle", "--quiet")
    data = open_dataset(tmp_path / "set")
    assert len(data) == 5
    assert (data.read([2])[0] == np.asarray(Image.open(str(folder / "x" / "4.png")))[2:10, 4:12]).all()
    with pytest.raises(UserError, match="--boxes None cannot be read"):
        main("prepare", folder, tmp_path / "other", "--fit=boxes", "--quiet")


def test_duplicates_are_left_out_when_asked(folder, tmp_path, capsys):
    again = Image.open(str(folder / "x" / "0.png"))
    again.save(str(folder / "y" / "z.bmp"))
    (folder / "y" / "copy.png").write_bytes((folder / "x" / "0.png").read_bytes())
    for how, count in (("none", 12), ("exact", 11), ("near", 10)):
        main("prepare", folder, tmp_path / how, "--drop-duplicates", how, "--quiet")
        assert len(open_dataset(tmp_path / how)) == count
    assert "y/z.bmp: the same as x/0.png" in capsys.readouterr().out


def test_an_export_says_what_other_programs_do_not_take(folder, tmp_path, capsys):
    main("prepare", folder, tmp_path / "square", "--resolution=16", "--quiet")
    main("prepare", folder, tmp_path / "wide", "--resolution=24x16", "--alpha=keep", "--quiet")
    for name, notes in (("square", 0), ("wide", 2)):
        capsys.readouterr()
        assert main("dataset", "export", tmp_path / name, tmp_path / (name + ".zip"), "--quiet") == 0
        out = capsys.readouterr().out
        assert out.startswith("10 images written to ") and out.count("Note: ") == notes
    assert "a power of two wide only; these images are 24x16 (width x height)" in out
    assert "puts this form of them on white" in out


def test_the_doctor_reports_in_three_forms(folder, tmp_path, capsys):
    sheet, report = tmp_path / "sheet.png", tmp_path / "report.json"
    assert main("dataset", "doctor", folder, "--quiet", "--json", report, "--sheet", sheet) == 0
    assert "11 image files, 10 can be read" in capsys.readouterr().out
    assert json.loads(report.read_text())["suggested_resolution"] == 16
    assert Image.open(str(sheet)).size[0] > 1000
    assert main("dataset", "doctor", folder, "--quiet", "--strict") == 1


def test_the_tools(folder, tmp_path, capsys):
    main("prepare", folder, tmp_path / "set", "--quiet", "--labels=folders", "--no-shuffle")
    assert main("dataset", "info", tmp_path / "set") == 0
    assert re.search(r"images +10\nresolution +16\n", capsys.readouterr().out)
    assert main("dataset", "verify", tmp_path / "set", "--quiet") == 0
    assert "30 records checked, all valid" in capsys.readouterr().out
    assert main("dataset", "extract", tmp_path / "set", tmp_path / "png", "--quiet") == 0
    assert main("dataset", "unpack", tmp_path / "set", tmp_path / "unpacked", "--quiet") == 0
    assert main("dataset", "pack", tmp_path / "unpacked", tmp_path / "packed", "--num-validation=3", "--quiet") == 0
    assert "7 training and 3 validation images" in capsys.readouterr().out
    assert main("dataset", "pack", tmp_path / "unpacked", tmp_path / "all", "--quiet") == 0
    assert main("dataset", "compare", tmp_path / "set", tmp_path / "all", "--quiet") == 0
    assert main("dataset", "compare", tmp_path / "set", tmp_path / "packed", "--quiet") == 1
    assert main("dataset", "export", tmp_path / "set", tmp_path / "out.zip", "--quiet") == 0
    assert main("dataset", "compare", tmp_path / "set", tmp_path / "out.zip", "--quiet") == 0
    assert main("dataset", "copy", tmp_path / "set", tmp_path / "fast", "--quiet") == 0
    assert capsys.readouterr().out.endswith(str(tmp_path / "fast" / "set") + "\n")
    file = tmp_path / "set" / "set-r04.tfrecords"
    file.write_bytes(file.read_bytes()[:-5])
    assert main("dataset", "verify", tmp_path / "set", "--quiet") == 1
    assert "breaks off after 9 complete records" in capsys.readouterr().out


def test_a_bad_color_is_refused_by_the_parser(folder, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main("prepare", folder, tmp_path / "set", "--background=notacolor")
    assert "write a name such as black, or #rrggbb" in capsys.readouterr().err


# The verbs as a process of their own, without the other groups of verbs.
PROGRAM = """
import argparse, sys
from sg2ada_colab.cli import dataset
if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    dataset.register(parser.add_subparsers())
    args = parser.parse_args()
    args.run(args)
    assert "tensorflow" not in sys.modules and "scipy" not in sys.modules
"""


def test_no_tensorflow_is_imported(folder, tmp_path):
    arguments = ["prepare", str(folder), str(tmp_path / "set"), "--quiet"]
    subprocess.run([sys.executable, "-c", PROGRAM] + arguments, check=True, cwd=str(ROOT))


@pytest.mark.parametrize("moment_s", [0.01, 0.1, 0.4])
def test_a_process_killed_at_any_moment_leaves_nothing_that_looks_whole(tmp_path, moment_s):
    source = tmp_path / "images"
    source.mkdir()
    for i in range(300):
        Image.fromarray(np.random.RandomState(i).randint(0, 256, (64, 64, 3)).astype(np.uint8)).save(str(source / f"{i}.png"))
    command = [sys.executable, "-c", PROGRAM, "prepare", str(source), str(tmp_path / "out" / "set"), "--quiet"]
    process = subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.DEVNULL, start_new_session=True)
    partial = tmp_path / "out" / "set.partial"
    while process.poll() is None and not partial.exists():
        time.sleep(0.005)
    time.sleep(moment_s)
    process.kill()
    process.wait()
    if not (tmp_path / "out" / "set").exists():
        with pytest.raises(UserError, match="unfinished"):
            open_dataset(partial)
        deadline = time.time() + 60
        while subprocess.run(command, cwd=str(ROOT), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            assert time.time() < deadline  # the killed run's workers let go of the folder when they notice
            time.sleep(0.2)
    assert main("dataset", "verify", tmp_path / "out" / "set", "--quiet") == 0
    assert main("prepare", source, tmp_path / "whole" / "set", "--quiet") == 0
    assert main("dataset", "compare", tmp_path / "whole" / "set", tmp_path / "out" / "set", "--quiet") == 0


def test_a_disk_that_fills_up_is_told_and_the_next_run_goes_on(tmp_path):
    resource = pytest.importorskip("resource")
    source = tmp_path / "images"
    source.mkdir()
    for i in range(200):
        Image.fromarray(np.random.RandomState(i).randint(0, 256, (64, 64, 3)).astype(np.uint8)).save(str(source / f"{i}.png"))
    command = [sys.executable, "-c", PROGRAM, "prepare", str(source), str(tmp_path / "set"), "--quiet"]

    def limit():  # no file may grow over 1 MB; the largest needs 2.5
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    failed = subprocess.run(command, cwd=str(ROOT), stderr=subprocess.PIPE, preexec_fn=limit)
    assert failed.returncode == 1
    error = failed.stderr.decode()
    assert "set.partial failed: File too large" in error and "it continues where it stopped" in error
    assert not (tmp_path / "set").exists()
    subprocess.run(command, cwd=str(ROOT), check=True, stdout=subprocess.DEVNULL)
    assert main("dataset", "verify", tmp_path / "set", "--quiet") == 0


def test_names_that_are_no_unicode_or_hold_control_characters(tmp_path, capsys):
    names = [b"ch\xe2t/1.png", b"dog/\x1b[31m.png"]
    for name in names:
        file = tmp_path / "images" / os.fsdecode(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (len(name), 0, 0)).save(str(file))
    for name in (b"ch\xe2t/bad.png", b"dog/bad\x1b[2J\n.png"):
        (tmp_path / "images" / os.fsdecode(name)).write_bytes(b"\x89PNG\r\n\x1a\n broken")
    report = tmp_path / "report.json"
    assert main("prepare", tmp_path / "images", tmp_path / "set", "--labels=folders", "--quiet", "--report", report) == 0
    out = capsys.readouterr().out
    assert "  ch\\xe2t/bad.png: " in out and "  dog/bad\\x1b[2J\\n.png: " in out and "\x1b" not in out
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["classes"] == ["ch\udce2t", "dog"]
    assert sorted(name for name, _, _ in json.loads(report.read_text())["problems"]) == [
        "ch\udce2t/bad.png",
        "dog/bad\x1b[2J\n.png",
    ]
    assert main("dataset", "info", tmp_path / "set") == 0 and "ch\\xe2t, dog" in capsys.readouterr().out
    assert main("dataset", "doctor", tmp_path / "images", "--quiet", "--json", report) == 0
    assert "ch\\xe2t/bad.png" in capsys.readouterr().out
    assert main("prepare", tmp_path / "images", tmp_path / "random", "--fit=random", "--resolution=4", "--quiet") == 0
    with pytest.raises(UserError, match=r"ch\\xe2t/bad.png"):
        main("prepare", tmp_path / "images", tmp_path / "strict", "--strict", "--quiet")


@pytest.mark.parametrize("text, reason", [
    ("[" * 100000, "nest 100000 deep"), ('{"a": [0, 0, 1e999, 4]}', "infinity"), ('{"a": [0, 0, 4]}', "needs four numbers"),
])  # fmt: skip
def test_crop_boxes_that_cannot_be_read(folder, tmp_path, text, reason):
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(UserError, match=f"--boxes .*boxes.json cannot be read: .*{reason}"):
        main("prepare", folder, tmp_path / "set", "--fit=boxes", "--boxes", tmp_path / "boxes.json", "--quiet")
