"""Weights files are read without torch, and nothing in them is run."""

import collections
import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.metrics.torch_weights import read_torch_weights

# Stands in for torch while a test file is written: pickles store names alone.
FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
LongStorage = type("LongStorage", (), {"__module__": "torch"})


class Stored:
    """A tensor as a checkpoint holds it: a strided view of a storage."""

    def __init__(self, storage, key, offset, shape, strides):
        self.storage, self.key, self.offset, self.shape, self.strides = storage, key, offset, shape, strides

    def __reduce__(self):
        return _rebuild_tensor_v2, (self, self.offset, self.shape, self.strides, False, collections.OrderedDict())


def _rebuild_tensor_v2(*_):
    raise AssertionError("only its name is written")


_rebuild_tensor_v2.__module__ = "torch._utils"


class Writer(pickle._Pickler):
    """Writes names without importing them, and storages as persistent ids."""

    def __init__(self, stream, storages):
        super().__init__(stream, protocol=2)
        self.storages, self.reduced = storages, set()

    def persistent_id(self, item):
        if isinstance(item, Stored) and id(item) in self.reduced:
            return ("storage", item.storage, item.key, "cpu", len(self.storages[item.key]))
        if isinstance(item, Stored):
            self.reduced.add(id(item))
        return None

    def save_global(self, item, name=None):
        self.write(pickle.GLOBAL + "{}\n{}\n".format(item.__module__, item.__name__).encode())
        self.memoize(item)

    dispatch = dict(pickle._Pickler.dispatch)
    dispatch[type(_rebuild_tensor_v2)] = save_global
    dispatch[type] = save_global


def dump(value, storages):
    stream = io.BytesIO()
    Writer(stream, storages).dump(value)
    return stream.getvalue()


STORAGES = {"0": np.arange(12, dtype="<f4"), "1": np.array([7], "<i8")}


def state():
    return collections.OrderedDict([
        ("whole", Stored(FloatStorage, "0", 0, (3, 4), (4, 1))),
        ("turned", Stored(FloatStorage, "0", 2, (4, 2), (1, 4))),
        ("count", Stored(LongStorage, "1", 0, (), ())),
    ])  # fmt: skip


def legacy_file(path, value=None):
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2), pickle.dumps({"little_endian": True}, 2)]
    parts += [dump(value or state(), STORAGES), pickle.dumps(sorted(STORAGES), 2)]
    for key in sorted(STORAGES):
        parts += [struct.pack("<q", len(STORAGES[key])), STORAGES[key].tobytes()]
    path.write_bytes(b"".join(parts))
    return path


def zip_file(path):
    with zipfile.ZipFile(str(path), "w") as archive:
        archive.writestr("model/data.pkl", dump(state(), STORAGES))
        for key, values in STORAGES.items():
            archive.writestr("model/data/" + key, values.tobytes())
    return path


@pytest.mark.parametrize("write", [legacy_file, zip_file])
def test_both_formats_give_the_strided_arrays(tmp_path, write):
    weights = read_torch_weights(write(tmp_path / "weights.pth"))
    np.testing.assert_array_equal(weights["whole"], STORAGES["0"].reshape(3, 4))
    np.testing.assert_array_equal(weights["turned"], [[2, 6], [3, 7], [4, 8], [5, 9]])
    assert weights["count"] == 7 and weights["count"].dtype == np.int64 and weights["whole"].flags.writeable


@pytest.mark.parametrize("stored", [
    Stored(FloatStorage, "0", 9, (4,), (1,)),
    Stored(FloatStorage, "0", 0, (3, 4), (5, 1)),
    Stored(FloatStorage, "0", 0, (3,), (-1,)),
    Stored(FloatStorage, "0", -4, (3,), (1,)),
])  # fmt: skip
def test_a_tensor_outside_its_storage_is_refused(tmp_path, stored):
    with pytest.raises(UserError, match="outside its 12 numbers"):
        read_torch_weights(legacy_file(tmp_path / "weights.pth", dict(state(), weight=stored)))


def test_nothing_but_tensors_is_loaded(tmp_path):
    marker = tmp_path / "was_run"
    hostile = tmp_path / "hostile.pth"
    command = "cos\nsystem\n(S'touch {}'\ntR.".format(marker).encode()
    hostile.write_bytes(command)
    with pytest.raises(UserError, match="os.system"):
        read_torch_weights(hostile)
    assert not marker.exists()


def test_a_file_that_was_cut_off_is_named(tmp_path):
    path = legacy_file(tmp_path / "weights.pth")
    for size in (0, 10, 200, path.stat().st_size - 5):
        cut = tmp_path / "cut.pth"
        cut.write_bytes(path.read_bytes()[:size])
        with pytest.raises(UserError, match="cut.pth cannot be read"):
            read_torch_weights(cut)
