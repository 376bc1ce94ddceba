"""Atomic writing: the old content or the new, no leftovers. Copies that read back. Trying again: how often, what not."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sg2ada_colab import files
from sg2ada_colab.files import (
    DamagedSourceError,
    HashingFile,
    MismatchError,
    Written,
    atomic_file,
    atomic_path,
    copy_verified,
    replace_with_copy,
    sha256_of,
    with_retries,
    write_json,
    write_text,
)


def test_size_and_digest_are_those_of_the_file(tmp_path):
    parts, written = [b"a", b"b" * 3_000_000, b"", b"c" * 17], Written()
    with atomic_file(tmp_path / "x", written) as file:
        for part in parts:
            file.write(part)
    content = (tmp_path / "x").read_bytes()
    assert content == b"".join(parts)
    assert (written.bytes, written.sha256) == (len(content), hashlib.sha256(content).hexdigest()) == sha256_of(tmp_path / "x")
    assert os.listdir(str(tmp_path)) == ["x"]


def test_an_error_leaves_the_old_content_and_no_temporary_file(tmp_path):
    write_text(tmp_path / "x", "old")
    with pytest.raises(KeyboardInterrupt), atomic_file(tmp_path / "x") as file:
        file.write(b"half of the new")
        raise KeyboardInterrupt
    assert (tmp_path / "x").read_text() == "old" and os.listdir(str(tmp_path)) == ["x"]


def test_short_writes_are_completed():
    class Short:
        closed = False

        def __init__(self):
            self.content = b""

        def write(self, data):
            taken = bytes(data[:7])
            self.content += taken
            return len(taken)

    raw = Short()
    file = HashingFile(raw)
    data = bytes(range(256))
    assert file.write(data) == 256 and raw.content == data
    assert file.sha256 == hashlib.sha256(data).hexdigest()


def test_a_library_that_wants_a_name_gets_one_and_the_file_appears_at_the_end(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(descriptor) or fsync(descriptor))
    target = tmp_path / "film.mp4"
    with atomic_path(target, ".mp4") as temporary:
        Path(temporary).write_bytes(b"frames")
        assert temporary.endswith(".part.mp4") and not target.exists()
    assert target.read_bytes() == b"frames" and len(synced) == 2  # the file and its folder
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        Path(temporary).write_bytes(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"frames" and os.listdir(str(tmp_path)) == ["film.mp4"]


def test_json_is_written_as_text_that_people_can_read(tmp_path):
    write_json(tmp_path / "x.json", {"name": "Ä", "list": [1]})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"name": "Ä", "list": [1]} and "Ä" in text and text.endswith("}\n")


def test_a_copy_is_hashed_reported_and_read_back(tmp_path):
    content, counts = os.urandom(2_500_000), []
    (tmp_path / "a").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    assert copy_verified(tmp_path / "a", tmp_path / "b", digest, counts.append) == (len(content), digest)
    assert (tmp_path / "b").read_bytes() == content
    assert counts == [1 << 20, 1 << 20, 2_500_000 - (2 << 20), 0, 0, 0]


def test_a_source_that_is_not_what_was_expected_leaves_nothing_that_counts(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100)
    with pytest.raises(DamagedSourceError, match="not what its manifest says"):
        copy_verified(tmp_path / "a", tmp_path / "b", "0" * 64)
    assert (tmp_path / "b").stat().st_size == 0


def test_a_copy_that_reads_back_otherwise_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x" * 100)
    monkeypatch.setattr(files, "forget_cached_pages", lambda path: Path(path).write_bytes(b"x" * 99 + b"y"))
    with pytest.raises(MismatchError, match="did not read back"):
        copy_verified(tmp_path / "a", tmp_path / "b")


class Failing:
    """An opened file whose every second read fails."""

    def __init__(self, file):
        self.file, self.reads = file, 0

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.file.close()

    def seek(self, position):
        self.file.seek(position)

    def read(self, count):
        self.reads += 1
        if self.reads == 2:
            raise OSError(errno.EIO, "Input/output error")
        return self.file.read(count)


def test_reading_that_fails_now_and_then_goes_on_from_there(tmp_path, monkeypatch):
    content, opened = os.urandom(3 << 20), []
    (tmp_path / "a").write_bytes(content)

    def opens(path, mode, **how):
        file = open(path, mode, **how)  # noqa: SIM115
        if mode != "rb" or not path.endswith("a"):
            return file
        opened.append(path)
        return Failing(file)

    monkeypatch.setattr(files, "open", opens, raising=False)
    copy_verified(tmp_path / "a", tmp_path / "b", attempts=2, wait_s=0)
    assert (tmp_path / "b").read_bytes() == content and len(opened) == 4
    with pytest.raises(OSError, match="Input/output error"):
        copy_verified(tmp_path / "a", tmp_path / "b", wait_s=0)


def failing(times, error, calls):
    def action():
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return action


def test_waits_twice_as_long_each_time_and_returns_the_result():
    calls, waits = [], []
    assert with_retries(failing(3, OSError(5, "EIO"), calls), attempts=4, first_wait_s=1, sleep=waits.append) == "done"
    assert waits == [1, 2, 4] and len(calls) == 4


def test_raises_the_last_error():
    calls, waits = [], []
    with pytest.raises(OSError, match="EIO"):
        with_retries(failing(9, OSError(5, "EIO"), calls), attempts=3, first_wait_s=1, sleep=waits.append)
    assert waits == [1, 2] and len(calls) == 3


@pytest.mark.parametrize("error", [FileNotFoundError(2, "absent"), ValueError("damaged")])
def test_an_answer_is_not_a_failure(error):
    calls = []
    with pytest.raises(type(error)):
        with_retries(failing(9, error, calls), sleep=None)
    assert len(calls) == 1


def test_only_the_named_errors_are_tried_again():
    calls = []
    with pytest.raises(OSError, match="ENOSPC"):
        with_retries(failing(9, OSError(errno.ENOSPC, "ENOSPC"), calls), errnos=(errno.EIO,), sleep=None)
    assert len(calls) == 1


def test_a_file_that_is_given_up_says_nothing_afterwards(tmp_path):
    """The buffer still holds bytes when its file is closed; Python 3.13 prints what fails when it is thrown away."""
    code = (
        "import sys; from sg2ada_colab.files import atomic_file\n"
        "try:\n    with atomic_file(sys.argv[1]) as file:\n        file.write(b'x')\n        raise KeyError\n"
        "except KeyError:\n    pass\nfile = None\n"
    )
    words = [sys.executable, "-X", "dev", "-W", "ignore", "-c", code, str(tmp_path / "a")]
    process = subprocess.run(words, capture_output=True, cwd=str(Path(__file__).parent.parent))
    assert (process.returncode, process.stderr, os.listdir(str(tmp_path))) == (0, b"", [])


def test_a_copy_takes_the_place_of_a_file_only_when_it_is_complete(tmp_path):
    source, target = tmp_path / "new", tmp_path / "old"
    source.write_bytes(b"new content")
    target.write_bytes(b"old content")

    def refuse(temporary):
        assert Path(temporary).read_bytes() == b"new content" and target.read_bytes() == b"old content"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_with_copy(source, target, before_rename=refuse)
    with pytest.raises(DamagedSourceError):
        replace_with_copy(source, target, expected="0" * 64)
    assert target.read_bytes() == b"old content"
    assert replace_with_copy(source, target)[0] == 11 and target.read_bytes() == b"new content"
    assert sorted(os.listdir(str(tmp_path))) == ["new", "old"]


def test_a_private_file_can_be_read_by_its_user_only(tmp_path):
    with atomic_file(tmp_path / "key", private=True) as file:
        file.write(b"secret")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600 and (tmp_path / "key").read_bytes() == b"secret"
