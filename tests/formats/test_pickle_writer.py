"""Pickles written opcode by opcode, read by Python's own reader."""

import io
import pickle
from collections import OrderedDict

import numpy as np

from sg2ada_colab.formats.pickle_writer import PROTOCOL_3, PickleWriter, Reduced


def there_and_back(value):
    file = io.BytesIO()
    writer = PickleWriter(file)
    writer.raw(PROTOCOL_3)
    writer.value(value)
    writer.raw(b".")
    return pickle.loads(file.getvalue())


def test_values_of_every_kind():
    value = {"a": [None, True, False, 7, 300, -1, 1 << 40, 0.1], "b": ("x", b"bytes", b"x" * 300, (), []), "c": {}, "a text": "a"}
    assert there_and_back(value) == value
    made = there_and_back([Reduced("collections OrderedDict", ([("k", 1)],)), Reduced("collections OrderedDict", ())])
    assert made == [OrderedDict(k=1), OrderedDict()] and type(made[0]) is OrderedDict


def test_arrays_and_scalars():
    file = io.BytesIO()
    writer = PickleWriter(file)
    writer.raw(PROTOCOL_3 + b"(")
    arrays = [np.arange(6, dtype=np.float64).reshape(2, 3), np.float32(2.5), np.zeros([0, 3], np.float32)]
    for array in arrays:
        writer.array(array)
    writer.raw(b"t.")
    for read, array in zip(pickle.loads(file.getvalue()), arrays):
        np.testing.assert_array_equal(read, array)
        assert read.dtype == np.float32
