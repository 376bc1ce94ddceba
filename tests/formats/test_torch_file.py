"""Weights files are read without torch, and nothing in them is run."""

import collections
import io
import pickle
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.torch_file import read_torch_weights

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
        self.write(pickle.GLOBAL + f"{item.__module__}\n{item.__name__}\n".encode())
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


def legacy_bytes(value=None):
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2), pickle.dumps({"little_endian": True}, 2)]
    parts += [dump(value or state(), STORAGES), pickle.dumps(sorted(STORAGES), 2)]
    for key in sorted(STORAGES):
        parts += [struct.pack("<q", len(STORAGES[key])), STORAGES[key].tobytes()]
    return b"".join(parts)


def legacy_file(path, value=None):
    path.write_bytes(legacy_bytes(value))
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
    command = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    head = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    for content in (command, head + b"\x80\x02" + command):
        hostile.write_bytes(content)
        with pytest.raises(UserError, match="asks for 'system' from 'os'|not begin as a pickle"):
            read_torch_weights(hostile)
        assert not marker.exists()


def head():
    return b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))


def nested_keys(depth=40):
    """A tuple of the tuple before, twice, as a key: hashing it visits 2^40 places."""
    return b"}" + b")" + b"2\x86" * depth + b"Ns"


@pytest.mark.parametrize("stream", [nested_keys(), nested_keys(500), b"]" * 100000, b"(" * 100000, b"\x8a\xff" + b"\x7f" * 100])
def test_streams_that_never_end_are_refused_at_once(tmp_path, stream):
    path, started = tmp_path / "weights.pth", time.time()
    path.write_bytes(head() + b"\x80\x02" + stream + b".")
    with pytest.raises(UserError, match="weights.pth cannot be read"):
        read_torch_weights(path)
    assert time.time() - started < 5


def zip_with(path, pickled, members=(), compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(str(path), "w", compression) as archive:
        archive.writestr("model/data.pkl", pickled)
        for name, data in dict(members).items():
            archive.writestr("model/data/" + name, data)
    return path


@pytest.mark.parametrize("members, match", [
    ({"0": STORAGES["0"].tobytes()}, "data is not beside it"),
    ({"0": STORAGES["0"].tobytes(), "1": b"\0" * 7}, "a tensor of 8 bytes whose data has 7"),
])  # fmt: skip
def test_members_of_an_archive_must_fit(tmp_path, members, match):
    with pytest.raises(UserError, match=match):
        read_torch_weights(zip_with(tmp_path / "weights.pth", dump(state(), STORAGES), members))


def test_an_archive_that_unpacks_to_far_more_than_it_has_is_refused(tmp_path):
    many = {"0": np.zeros(50 << 20, "<f4"), "1": STORAGES["1"]}
    members = {key: values.tobytes() for key, values in many.items()}
    path = zip_with(tmp_path / "weights.pth", dump(state(), many), members, zipfile.ZIP_DEFLATED)
    del members, many
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="asks for arrays of more than .* far more than the file holds"):
            read_torch_weights(path)
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


def test_one_storage_in_many_tensors_does_not_multiply(tmp_path):
    """A copy for each of 300 tensors of one storage of 4 MB: refused before it takes a hundred times the file's size."""
    storages = {"0": np.zeros(1 << 20, "<f4"), "1": STORAGES["1"]}
    tensors = {f"t{i}": Stored(FloatStorage, "0", 0, (1 << 20,), (1,)) for i in range(300)}
    path = tmp_path / "weights.pth"
    parts = [head(), dump(dict(state(), **tensors), storages), pickle.dumps(["0", "1"], 2)]
    parts += [struct.pack("<q", 1 << 20) + storages["0"].tobytes(), struct.pack("<q", 1) + storages["1"].tobytes()]
    path.write_bytes(b"".join(parts))
    with pytest.raises(UserError, match="asks for arrays of more than"):
        read_torch_weights(path)


def test_an_error_does_not_repeat_long_names_of_the_file(tmp_path):
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(str(path), "w") as archive:
        archive.writestr("n" * 3000 + "/data.pkl", b"x")
    path.write_bytes(path.read_bytes().replace(b"nnn", b"mmm", 1))  # the name before the data and that in the list differ
    with pytest.raises(UserError, match="it is damaged .*nnn") as caught:
        read_torch_weights(path)
    assert len(str(caught.value)) < 1000


def test_an_archive_of_something_else(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(str(path), "w") as archive:
        archive.writestr("a.png", b"x")
    with pytest.raises(UserError, match="without torch's data.pkl"):
        read_torch_weights(path)


def test_a_parameter_and_metadata_of_torch_are_read(tmp_path):
    """A state dict of torch has a state of its own, `_metadata`; a parameter is a tensor within a call."""
    tensor = dump(Stored(FloatStorage, "0", 0, (3, 4), (4, 1)), STORAGES)[2:-1]
    stream = b"\x80\x02ccollections\nOrderedDict\n)R(X\x01\0\0\0wctorch._utils\n_rebuild_parameter\n" + tensor
    stream += b"\x88ccollections\nOrderedDict\n)R\x87Ru}X\x09\0\0\0_metadata}sb."
    weights = read_torch_weights(zip_with(tmp_path / "w.pth", stream, {"0": STORAGES["0"].tobytes()}))
    np.testing.assert_array_equal(weights["w"], STORAGES["0"].reshape(3, 4))


def test_a_file_that_was_cut_off_is_named(tmp_path):
    path = legacy_file(tmp_path / "weights.pth")
    for size in (0, 10, 200, path.stat().st_size - 5):
        cut = tmp_path / "cut.pth"
        cut.write_bytes(path.read_bytes()[:size])
        with pytest.raises(UserError, match="cut.pth cannot be read"):
            read_torch_weights(cut)
