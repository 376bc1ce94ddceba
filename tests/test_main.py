"""The command line's frame: what the system refuses is told in three parts, and nothing from outside steers a terminal."""

import argparse
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sg2ada_colab import __main__ as program
from sg2ada_colab.errors import UserError
from tests.conftest import DATA

NETWORK = str(DATA / "network_pt_uncond.pkl")


def refused_by(capsys, error):
    """Return what a verb that raises an error prints."""

    def fail(_):
        raise error

    assert program.run(SimpleNamespace(run=fail)) == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("number, words", [
    (errno.ENOSPC, ("/here/a.pkl: No space left on device", "free space")),
    (errno.EROFS, ("/here/a.pkl: Read-only file system", "another disk")),
    (errno.EACCES, ("/here/a.pkl: Permission denied", "rights")),
    (errno.ENAMETOOLONG, ("/here/a.pkl: File name too long", "--desc")),
    (errno.EIO, ("/here/a.pkl: Input/output error", "mount Drive again")),
    (errno.EXDEV, ("/here/a.pkl: Invalid cross-device link", "run the same command again")),
])  # fmt: skip
def test_what_the_system_refuses_has_three_parts(number, words, capsys):
    said = refused_by(capsys, OSError(number, os.strerror(number), "/here/a.pkl"))
    assert [line.split(":")[0].strip() for line in said.splitlines()] == ["Error", "Expected", "Next"]
    assert words[0] in said.splitlines()[0] and words[1] in said.splitlines()[2]


def test_an_error_without_a_name_or_with_two(capsys):
    assert "Error: The operating system reports: broken.\n" in refused_by(capsys, OSError("broken"))
    assert "Error: a → b: File exists.\n" in refused_by(capsys, FileExistsError(errno.EEXIST, "File exists", "a", None, "b"))


def test_nothing_from_outside_steers_the_terminal(tmp_path, capsys):
    name = str(tmp_path / "red\x1b[31m\u202e.pkl")
    assert program.main(["inspect", name]) == 1
    said = capsys.readouterr().err
    assert "red\\x1b[31m\\u202e.pkl" in said and "\x1b" not in said and "\u202e" not in said


def test_what_a_verb_prints_is_escaped_too(capsys, monkeypatch):
    def show(_):
        print("class \x1b]0;owned\x07\nnext\tline")

    monkeypatch.setattr(
        program, "build_parser", lambda: SimpleNamespace(parse_args=lambda _: SimpleNamespace(verb="x", run=show))
    )
    assert program.main([]) == 0
    assert capsys.readouterr().out == "class \\x1b]0;owned\\x07\nnext\tline\n"


def test_a_user_error_keeps_its_lines(capsys):
    said = refused_by(capsys, UserError("a\nb", "c", "d"))
    assert said == "Error: a\nb\n  Expected: c\n  Next: d\n"


def test_a_reader_that_has_enough_ends_the_verb_quietly(capsys, monkeypatch):
    replaced = []
    monkeypatch.setattr(program.sys, "stdout", SimpleNamespace(fileno=lambda: 7))
    monkeypatch.setattr(program.os, "dup2", lambda new, old: replaced.append(old))
    assert refused_by(capsys, BrokenPipeError(errno.EPIPE, "Broken pipe")) == ""
    assert replaced == [7]  # so that Python's own flush at the end has somewhere to go


@pytest.mark.parametrize("flags, kept", [
    ({"keeps_programs": True, "no_xla": False}, True), ({"keeps_programs": True, "no_xla": True}, False), ({}, False),
])  # fmt: skip
def test_verbs_that_make_pictures_keep_what_they_compile(flags, kept, capsys, monkeypatch):
    calls = []
    cache = SimpleNamespace(refused=["Not taken."], keep=lambda: calls.append("keep"))
    monkeypatch.setattr(program, "use_for_pictures", lambda: calls.append("use") or cache)
    assert program.run(SimpleNamespace(run=lambda _: calls.append("run"), **flags)) == 0
    assert calls == (["use", "run", "keep"] if kept else ["run"])
    assert capsys.readouterr().err == ("Not taken.\n" if kept else "")


@pytest.mark.parametrize("own, flags, filtered", [
    (True, {"imports_tensorflow": True}, True), (False, {"imports_tensorflow": True}, False), (True, {}, False),
])  # fmt: skip
def test_what_tensorflow_prints_on_its_own_is_not_shown(own, flags, filtered, capfd, monkeypatch):
    line = b"2026-11-29 10:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.\n"

    def verb(_):
        os.write(2, line)
        print("a sentence", file=sys.stderr)
        return 3

    parsed = SimpleNamespace(verb="x", run=verb, **flags)
    monkeypatch.setattr(program, "build_parser", lambda: SimpleNamespace(parse_args=lambda _: parsed))
    assert program.main(None if own else []) == 3
    assert capfd.readouterr().err == ("" if filtered else line.decode()) + "a sentence\n"


def test_the_verbs_that_import_tensorflow_are_known():
    known = {name for name, parser in verbs_of(program.build_parser()) if parser.get_default("imports_tensorflow")}
    pictures = {"generate", "style-mixing", "video", "project", "publish"}
    directions = {"directions " + name for name in ("find", "between", "apply", "list")}
    assert known == pictures | directions | {"metrics", "augment-preview", "export", "doctor"}
    for name, parser in verbs_of(program.build_parser()):
        assert parser.get_default("imports_tensorflow") or not parser.get_default("keeps_programs"), name


def verbs_of(parser, before=""):
    """Yield (name, parser) of the verbs of a parser, and of theirs."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield before + name, below
                yield from verbs_of(below, before + name + " ")


@pytest.mark.slow
def test_a_verb_that_imports_tensorflow_says_nothing_else(tmp_path):
    words = [sys.executable, "-m", "sg2ada_colab", "generate", "--network=flags", "--seeds=0", "--outdir=pictures", "--quiet"]
    settings = dict(os.environ, PYTHONPATH=str(Path(__file__).parent.parent))
    process = subprocess.run(words, cwd=str(tmp_path), env=settings, capture_output=True)
    assert (process.returncode, process.stderr) == (0, b"")


@pytest.fixture
def disk(small_disk):
    """Return the Path of an own disk of 2 MB."""
    return small_disk(2)


def take_nothing_more(disk, state):
    """Fill a disk to its last byte, or let it only be read."""
    if state == "ro":
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        return
    with open(str(disk / "filler"), "wb", buffering=0) as file:
        file.write(bytes(os.statvfs(str(disk)).f_bavail * os.statvfs(str(disk)).f_frsize))


@pytest.mark.parametrize("state, words", [("full", "No space left on device"), ("ro", "Read-only file system")])
@pytest.mark.parametrize("ending", [".pkl", ".safetensors"])
def test_convert_on_a_disk_that_takes_nothing(disk, state, words, ending, capsys):
    take_nothing_more(disk, state)
    target = disk / ("a" + ending)
    assert program.main(["convert", NETWORK, str(target)]) == 1
    said = capsys.readouterr().err
    assert f"Error: {target}: {words}." in said and "\n  Expected: " in said and "\n  Next: " in said
    assert not list(disk.glob("a.*"))


@pytest.mark.slow
@pytest.mark.parametrize("state, words", [("full", "old has 0.0 GiB free."), ("ro", "Read-only file system")])
def test_resume_on_a_disk_that_takes_nothing(disk, state, words, capfd, monkeypatch):
    shutil.copytree(str(DATA / "run_d2344e7"), str(disk / "old"))
    before = sorted(path.name for path in (disk / "old" / "run").iterdir())
    take_nothing_more(disk, state)
    monkeypatch.chdir(disk / "old")
    assert program.main(["resume", "run", "--quiet"]) == 1
    said = capfd.readouterr().err
    assert "--outdir" not in said, "a run that goes on has its folder"
    assert words in said.splitlines()[0] and [line.split(":")[0] for line in said.splitlines()] == [
        "Error",
        "  Expected",
        "  Next",
    ]
    assert sorted(path.name for path in (disk / "old" / "run").iterdir()) == before


def test_a_name_that_is_too_long(tmp_path, capsys):
    assert program.main(["convert", NETWORK, str(tmp_path / ("x" * 300 + ".pkl"))]) == 1
    said = capsys.readouterr().err
    assert "File name too long" in said and "at most 255 bytes" in said and list(tmp_path.iterdir()) == []


def test_bad_addresses_and_a_cache_that_cannot_be_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SG2ADA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").write_bytes(b"")
    for url, what in (("http://[::1/a.pkl", "not a valid address"), ("http://localhost:1/a.pkl", "Nothing can be kept in")):
        assert program.main(["inspect", url]) == 1
        said = capsys.readouterr().err
        assert what in said and "\n  Expected: " in said and "\n  Next: " in said
