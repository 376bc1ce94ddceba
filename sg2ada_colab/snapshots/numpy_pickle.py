"""What NumPy's pickles hold, made by hand: numbers of plain types, in arrays whose size fits their bytes."""

import numpy as np

from .unpickler import Built, Global, Refused


class DType(Built):
    """A NumPy dtype as pickles describe it: numbers only."""

    def __init__(self, text, *_):
        if not isinstance(text, str) or text[:1] not in "fiub" or not text[1:].isdigit():
            raise Refused("it holds an array of something else than numbers")
        self.dtype = np.dtype(text)

    def build(self, state):
        if not isinstance(state, tuple) or len(state) < 5 or state[3] is not None or state[4] is not None:
            raise Refused("it holds a dtype that is not a plain number")
        if state[1] not in ("<", ">", "|", "="):
            raise Refused("it holds a dtype of unknown byte order")
        self.dtype = self.dtype.newbyteorder(state[1])


class Array(Built):
    """An ndarray in the making; `value` is the array, whose memory is writable and its own."""

    value = None

    def build(self, state):
        if self.value is not None:
            raise Refused("it fills an array twice")
        _, shape, dtype, is_fortran, data = state
        if not isinstance(dtype, DType) or not isinstance(data, (bytes, memoryview)):
            raise Refused("it holds an array of something else than numbers")
        if len(data) != element_count(shape) * dtype.dtype.itemsize:
            raise Refused("it holds an array whose shape does not fit its bytes")
        array = np.frombuffer(data if isinstance(data, memoryview) else bytearray(data), dtype.dtype)
        self.value = array.reshape(shape, order="F" if is_fortran else "C")


def element_count(shape):
    """Return the number of elements of a shape from a file; raise Refused if it is no shape."""
    if not isinstance(shape, tuple) or len(shape) > 8 or any(type(side) is not int or not 0 <= side < 2**40 for side in shape):
        raise Refused("it holds an array of impossible shape")
    count = 1
    for side in shape:
        count *= side
    return count


def _scalar(dtype, data):
    array = np.frombuffer(data, dtype.dtype)
    if array.size != 1:
        raise Refused("it holds a scalar of {} numbers".format(array.size))
    return array[0]


def _array_type(*_):
    raise Refused("it makes an array in an unusual way")


NUMPY_GLOBALS = {"numpy ndarray": Global(call=_array_type), "numpy dtype": Global(call=DType)}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):  # NumPy 2 writes the second
    NUMPY_GLOBALS[_module + " _reconstruct"] = Global(call=lambda *_: Array())
    NUMPY_GLOBALS[_module + " scalar"] = Global(call=_scalar)


def described(value):
    """Return what a stream held, in words that need no look inside."""
    words = {
        type(None): "nothing",
        dict: "a dictionary",
        list: "a list",
        tuple: "a tuple",
        str: "a text",
        Array: "an array",
        set: "a set",
        memoryview: "bytes",
        bytes: "bytes",
    }
    return words.get(type(value), "a number" if isinstance(value, (int, float, np.number)) else "something else")


def float32_array(value):
    """Return the array in a stream's object as native float32, C-contiguous; raise Refused if it is none."""
    array = value.value if isinstance(value, Array) else value
    if not isinstance(array, (np.ndarray, np.number)):
        raise Refused("a variable is {}, not an array".format(described(array)))
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.require(np.asarray(array), np.float32, ["C", "A", "W"])
    if isinstance(value, Array):
        value.value = array  # a file that names one array many times gets one conversion
    return array
