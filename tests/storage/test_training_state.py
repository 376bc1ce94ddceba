"""The training-state file: exact round trip, and an error in three parts for every kind of damage."""

import errno
import io
import json
import os
import zipfile

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.storage import training_state
from sg2ada_colab.storage.check_files import read_counters
from sg2ada_colab.storage.training_state import HEADER, load_state, read_meta, save_state, verify_state


def arrays_of_all_kinds():
    random = np.random.RandomState(1)
    return {
        "G/synthesis/4x4/Const/const": random.randn(1, 4, 4, 8).astype(np.float32),
        "adam/D/m/b4/w": np.asfortranarray(random.randn(3, 3, 5, 7).astype(np.float32)),
        "strided": random.randn(20, 6)[::3, ::-2],
        "pl_mean": np.float32(np.pi),
        "nan and infinities": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
        "counter": np.int64(2**62 + 1),
        "big endian": np.arange(5, dtype=">u4"),
        "empty": np.zeros([0, 3], np.float16),
        "flags": np.array([True, False]),
        "bytes": np.frombuffer(b"\x00\x01\xff", np.uint8),
    }


META = {"nimg": 12_345, "p": 0.1 + 0.2, "best": {"fid50k_full": 17.25, "at": "000012"}, "tick": None, "names": ["a", "ü"]}


def test_round_trip_is_exact(tmp_path):
    arrays = arrays_of_all_kinds()
    save_state(tmp_path / "s.npz", arrays, META)
    loaded, meta = load_state(tmp_path / "s.npz")
    assert meta == META and repr(meta["p"]) == repr(META["p"])
    assert list(loaded) == list(arrays)
    for name, array in arrays.items():
        array = np.asarray(array)
        assert loaded[name].dtype == array.dtype and loaded[name].shape == array.shape, name
        assert loaded[name].tobytes() == array.tobytes(), name
    assert verify_state(tmp_path / "s.npz") == META


def test_is_a_plain_npz_without_pickles_and_uncompressed(tmp_path):
    save_state(tmp_path / "s.npz", {"a/b": np.arange(3)}, META)
    with np.load(str(tmp_path / "s.npz"), allow_pickle=False) as archive:
        assert sorted(archive.files) == sorted([HEADER, "a/b"])
        header = json.loads(str(archive[HEADER]))
        assert header["format_version"] == 1 and header["meta"] == META
    with zipfile.ZipFile(str(tmp_path / "s.npz")) as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("read", [load_state, verify_state])
def test_every_truncation_and_every_flipped_region_is_noticed(tmp_path, read):
    path = tmp_path / "s.npz"
    save_state(path, {"a": np.arange(40, dtype=np.float32), "b": np.ones([2, 3])}, {"nimg": 1})
    whole = path.read_bytes()
    for length in list(range(0, len(whole), 37)) + [len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="damaged"):
            read(path)
    with zipfile.ZipFile(str(tmp_path / "whole.npz"), "w"):
        pass
    for name in ("a.npy", "b.npy", HEADER + ".npy"):
        path.write_bytes(whole)
        with zipfile.ZipFile(str(path)) as archive:
            start = archive.getinfo(name).header_offset + 30 + len(name)
        for offset in range(start + 24, start + 150, 9):  # within the array's header and its values
            path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x41]) + whole[offset + 1 :])
            with pytest.raises(UserError):
                read(path)


def test_other_files_are_told_apart(tmp_path):
    np.savez(str(tmp_path / "other.npz"), a=np.zeros(3))
    (tmp_path / "text.npz").write_text("hello")
    for name in ("other.npz", "text.npz"):
        with pytest.raises(UserError, match="damaged") as error:
            load_state(tmp_path / name)
        assert name in error.value.what and "older snapshot" in error.value.next_step
    with pytest.raises(UserError, match="There is no training state"):
        load_state(tmp_path / "absent.npz")


def test_a_later_format_version_says_so(tmp_path):
    header = {"format": "sg2ada training state", "format_version": 2, "arrays": [], "meta": {}}
    np.savez(str(tmp_path / "s.npz"), **{HEADER: np.array(json.dumps(header))})
    with pytest.raises(UserError, match="format version 2") as error:
        load_state(tmp_path / "s.npz")
    assert "install" in error.value.next_step


def test_the_committed_version_1_file_opens():
    arrays, meta = load_state(os.path.join(os.path.dirname(__file__), "..", "data", "training-state-v1.npz"))
    assert meta == {"nimg": 4016, "p": 0.125}
    assert arrays["D/32x32/FromRGB/weight"].tobytes() == np.arange(6, dtype=np.float32).tobytes()


def test_objects_are_refused(tmp_path):
    with pytest.raises(AssertionError, match="holds objects"):
        save_state(tmp_path / "s.npz", {"a": np.array([{}])}, {})
    with pytest.raises(AssertionError, match="reserved"):
        save_state(tmp_path / "s.npz", {HEADER: np.zeros(1)}, {})
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("read", [read_meta, verify_state])
def test_a_file_system_that_stumbles_is_not_taken_for_damage(tmp_path, monkeypatch, read):
    """Whichever of the reads fails once, the error is the file system's, and the next attempt reads the file."""
    save_state(tmp_path / "s.npz", arrays_of_all_kinds(), META)
    reads, fails_at = [0], [None]

    class Stumbling(io.FileIO):
        def readinto(self, buffer):
            return self._or_fail(super().readinto, buffer)

        def readall(self):
            return self._or_fail(super().readall)

        def _or_fail(self, call, *args):
            reads[0] += 1
            if reads[0] == fails_at[0]:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return call(*args)

    class Stumbles(training_state._ReadErrors, Stumbling):
        pass

    monkeypatch.setattr(training_state, "_ReadErrors", Stumbles)
    assert read(tmp_path / "s.npz") == META
    for fails_at[0] in range(1, reads[0] + 1):
        reads[0] = 0
        with pytest.raises(OSError) as caught:
            read(tmp_path / "s.npz")
        assert caught.value.errno == errno.EIO, fails_at
        reads[0] = 0
        assert read_counters(tmp_path / "s.npz", read) == (META, None), fails_at
