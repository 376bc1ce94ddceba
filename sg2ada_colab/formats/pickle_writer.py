"""Pickles written opcode by opcode, so that they are the same whichever Python and NumPy wrote them."""

import struct
from typing import Any, Dict, NamedTuple

import numpy as np

PROTOCOL_3 = b"\x80\x03"
RECONSTRUCT, SCALAR = "numpy.core.multiarray _reconstruct", "numpy.core.multiarray scalar"
NDARRAY, DTYPE = "numpy ndarray", "numpy dtype"
MAX_ARRAY_BYTES = 0xFFFFFFFF  # BINBYTES counts in 32 bits


class Reduced(NamedTuple):
    """What a pickle makes by calling a global."""

    name: str  # module and name, such as "collections OrderedDict"
    arguments: tuple


class PickleWriter:
    """Emits protocol 3; texts, globals and the dtype are written once and remembered.

    Args:
        file: Binary file that stays open; `raw` writes to it.
    """

    def __init__(self, file: Any) -> None:
        self._file, self.raw = file, file.write
        self._memo: Dict[Any, int] = {}

    def _recall(self, key):
        """Write a reference to what was remembered under the key; False if there is none."""
        index = self._memo.get(key)
        if index is not None:
            self.raw(b"h%c" % index if index < 256 else b"j" + struct.pack("<I", index))
        return index is not None

    def _remember(self, key):
        index = self._memo[key] = len(self._memo)
        self.raw(b"q%c" % index if index < 256 else b"r" + struct.pack("<I", index))

    def named(self, name: str) -> None:
        """Write a global, such as "numpy ndarray"."""
        if not self._recall(("global", name)):
            self.raw(b"c" + name.replace(" ", "\n").encode("ascii") + b"\n")
            self._remember(("global", name))

    def text(self, value: str) -> None:
        """Write a text."""
        if not self._recall(("text", value)):
            data = value.encode("utf-8")
            self.raw(b"X" + struct.pack("<I", len(data)) + data)
            self._remember(("text", value))

    def integer(self, value: int) -> None:
        """Write a whole number of any size."""
        if 0 <= value < 256:
            self.raw(b"K%c" % value)
        elif -(2**31) <= value < 2**31:
            self.raw(b"J" + struct.pack("<i", value))
        else:
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            assert len(data) < 256, f"a setting of {len(data)} bytes"
            self.raw(b"\x8a%c" % len(data) + data)

    def value(self, value: Any) -> None:
        """Write None, a bool, an int, a float, a text, bytes, a Reduced, or lists, tuples and dicts of those."""
        if value is None or isinstance(value, bool):
            self.raw({None: b"N", True: b"\x88", False: b"\x89"}[value])
        elif isinstance(value, str):
            self.text(value)
        elif isinstance(value, int):
            self.integer(value)
        elif isinstance(value, float):
            self.raw(b"G" + struct.pack(">d", value))
        elif isinstance(value, bytes):
            self.bytes(value, len(value))
        elif isinstance(value, Reduced):
            self.named(value.name)
            self.value(value.arguments)
            self.raw(b"R")
        elif isinstance(value, (list, tuple)):
            self.raw(b"](" if isinstance(value, list) else b"(")
            for item in value:
                self.value(item)
            self.raw(b"e" if isinstance(value, list) else b"t")
        else:
            self.raw(b"}(")
            for key, item in value.items():
                self.value(key)
                self.value(item)
            self.raw(b"u")

    def bytes(self, data: Any, size: int) -> None:
        """Write `size` bytes."""
        assert size <= MAX_ARRAY_BYTES, f"an array of {size:,} bytes does not fit this format"
        self.raw(b"C%c" % size if size < 256 else b"B" + struct.pack("<I", size))
        self.raw(data)

    def dtype(self) -> None:
        """Write NumPy's dtype of little-endian float32."""
        if self._recall("dtype"):
            return
        self.named(DTYPE)
        self.text("f4")
        self.raw(b"K\x00K\x01\x87R")
        self._remember("dtype")
        self.raw(b"(K\x03")
        self.text("<")
        self.raw(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb")

    def array(self, array: Any) -> None:
        """Write an array of NumPy as little-endian float32; of rank 0 as a scalar."""
        assert np.asarray(array).dtype.kind in "fiu", f"a variable of dtype {np.asarray(array).dtype}"
        array = np.require(array, "<f4", "C")
        if array.ndim == 0:
            self.named(SCALAR)
            self.dtype()
            self.bytes(array.tobytes(), 4)
            self.raw(b"\x86R")
            return
        self.named(RECONSTRUCT)
        self.named(NDARRAY)
        self.raw(b"K\x00\x85C\x01b\x87R(K\x01(")
        for side in array.shape:
            self.integer(side)
        self.raw(b"t")
        self.dtype()
        self.raw(b"\x89")
        # The view keeps large arrays from being copied on their way to the file.
        self.bytes(memoryview(array).cast("B") if array.size else b"", array.nbytes)
        self.raw(b"tb")
