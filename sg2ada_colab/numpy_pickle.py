"""What NumPy's pickles hold, made by hand: numbers of plain types, in arrays whose size fits their bytes."""

import re
from typing import Any

import numpy as np

from .byte_source import Refused
from .unpickler import Built, Global, OrderedDict


class DType(Built):
    """A NumPy dtype as pickles describe it: numbers only."""

    def __init__(self, text: Any, *_: Any) -> None:
        if not isinstance(text, str) or not re.match(r"[<>|=]?[biuf][1248]$", text):
            raise Refused("its arrays are of something else than numbers")
        self.dtype = np.dtype(text)

    def build(self, state: Any) -> None:
        """Take the byte order that a pickle names; raise Refused for a type that is not a plain number."""
        if not isinstance(state, tuple) or len(state) < 5 or state[2] is not None or state[3] or state[4]:
            raise Refused("its arrays are of a type that is not a plain number")
        if state[1] not in ("<", ">", "|", "="):
            raise Refused("its arrays are of unknown byte order")
        self.dtype = self.dtype.newbyteorder(state[1])


class Array(Built):
    """An ndarray in the making; `value` is the array, whose memory is writable and its own where the file's is."""

    value = None

    def build(self, state: Any) -> None:
        """Take the array that a pickle gives as a state; raise Refused at the second time, and as `fill`."""
        if self.value is not None:
            raise Refused("it fills an array twice")
        _, shape, dtype, is_fortran, data = state
        self.fill(data, dtype, shape, "F" if is_fortran else "C")

    def fill(self, data: Any, dtype: Any, shape: Any, order: Any) -> None:
        """Make the array of bytes, a DType, a shape and whether it is in Fortran's order; raise Refused where they do not fit."""
        if isinstance(data, str):  # Python 2 wrote text
            data = data.encode("latin1")
        if not isinstance(dtype, DType) or not isinstance(data, (bytes, memoryview)):
            raise Refused("its arrays are of something else than numbers")
        count = element_count(shape)
        if len(data) != count * dtype.dtype.itemsize:
            raise Refused("it holds an array whose shape does not fit its bytes")
        array = np.frombuffer(data if isinstance(data, memoryview) else bytearray(data), dtype.dtype)
        self.value = array.reshape(shape, order=order)
        self.output_bytes = array_bytes(self.value)


def array_bytes(array: np.ndarray) -> int:
    """Return the bytes that an array counts in a budget: its own, or those of its copy as float32 where that is larger."""
    return max(array.nbytes, 4 * array.size)


def element_count(shape: Any) -> int:
    """Return the number of elements of a shape from a file; raise Refused if it is not a shape."""
    if not isinstance(shape, tuple) or len(shape) > 8 or any(type(side) is not int or not 0 <= side < 2**40 for side in shape):
        raise Refused("it holds an array of impossible shape")
    count = 1
    for side in shape:
        count *= side
    return count


def _from_buffer(budget, data, dtype, shape, order):
    """Return the Array that protocol 5 describes in one call."""
    array = Array()
    array.fill(data, dtype, shape, "F" if order == "F" else "C")
    budget.spend_bytes(array.output_bytes)
    return array


def _scalar(dtype, data):
    if isinstance(data, str):
        data = data.encode("latin1")
    array = np.frombuffer(data, dtype.dtype)
    if array.size != 1:
        raise Refused(f"it holds a scalar of {array.size} numbers")
    return array[0]


def _encoded(budget, text, encoding):
    """Return the bytes that protocols 0 to 2 of Python 3 write as text."""
    if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
        raise Refused("it holds bytes in an unknown form")
    budget.spend_bytes(len(text))
    return text.encode("latin1")


def _array_type(*_):
    raise Refused("it makes an array in an unusual way")


NUMPY_GLOBALS = {"numpy ndarray": Global(call=_array_type), "numpy dtype": Global(call=DType)}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):  # NumPy 2 writes the second
    NUMPY_GLOBALS[_module + " _reconstruct"] = Global(call=lambda *_: Array())
    NUMPY_GLOBALS[_module + " scalar"] = Global(call=_scalar)
for _module in ("numpy.core.numeric", "numpy._core.numeric"):
    NUMPY_GLOBALS[_module + " _frombuffer"] = Global(metered=_from_buffer)
NUMPY_GLOBALS["_codecs encode"] = Global(metered=_encoded)
for _module in ("builtins", "__builtin__"):
    NUMPY_GLOBALS[_module + " bytes"] = Global(call=lambda: b"")  # how old protocols write no bytes


def described(value: Any) -> str:
    """Return in words of which kind an object from a stream is; its content is not looked at."""
    words = {
        type(None): "nothing",
        dict: "a dictionary",
        OrderedDict: "a dictionary",
        list: "a list",
        tuple: "a tuple",
        str: "a text",
        Array: "an array",
        set: "a set",
        memoryview: "bytes",
        bytes: "bytes",
    }
    return words.get(type(value), "a number" if isinstance(value, (int, float, np.number)) else "something else")


def float32_array(value: Any) -> np.ndarray:
    """Return the array in a stream's object as native float32, C-contiguous; raise Refused if it is not an array."""
    array = value.value if isinstance(value, Array) else value
    if not isinstance(array, (np.ndarray, np.number)):
        raise Refused(f"a variable is {described(array)}, not an array")
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.require(np.asarray(array), np.float32, ["C", "A", "W"])
    if isinstance(value, Array):
        value.value = array  # a file that names one array many times gets one conversion
    return array
