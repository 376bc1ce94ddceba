"""Atomic writing: the old content or the new, the digest of what was written, no leftovers."""
import hashlib
import os

import pytest

from sg2ada_colab.snapshots.atomic import HashingFile, Written, atomic_file, sha256_of, write_text


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
