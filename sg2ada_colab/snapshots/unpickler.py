"""Read the data in a pickle without running it: a small machine for a fixed list of opcodes and a fixed list of names.

Python's own unpickler imports what a file names and calls it. This one makes lists, dicts, texts, numbers and byte strings, and
otherwise only what the caller's table of names offers. Every size that a file claims is checked before memory is taken for it.
"""

import os
import struct

import numpy as np

MAX_OPCODES = 1000000  # a 1024x1024 snapshot has under 100,000
MAX_MARKS = 200  # nesting of lists, dicts and calls; real files stay under 40
MAX_TEXT_BYTES = 16 << 20  # embedded source texts are about 100 KB
MAX_NAME_BYTES = 256
LARGE_BYTES = 1 << 16  # from here on a byte string gets memory of its own and is never copied again


# What a malformed content shows as: an ordinary error of the operation that it was put to.
MALFORMED = (ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError, RecursionError, struct.error)


class Refused(Exception):
    """The stream is not data that we know: what it asked for is the message; nothing was run."""


class Truncated(Refused):
    """The stream ends before its STOP."""


class Global:
    """A name that a stream may use, and what stands for it.

    Args:
        call: Function of the arguments for REDUCE, or None if it may not be called.
        new: Function of the arguments for NEWOBJ, or None.
    """

    def __init__(self, call=None, new=None):
        self.call, self.new = call, new


class Built:
    """Base class of what a Global may make: `build` takes the state of a BUILD opcode."""

    def build(self, state):
        raise Refused("it gives a state to something that has none")


class FileSource:
    """Bytes of a file; large byte strings are read straight into memory of their own."""

    def __init__(self, file):
        self._file = file
        self.position, self.size = file.tell(), os.fstat(file.fileno()).st_size

    def read(self, count):
        if count > self.size - self.position:
            raise Truncated("it ends at byte {:,} where {:,} more should follow".format(self.size, count))
        self.position += count
        data = self._file.read(count)
        if len(data) != count:
            raise Truncated("it got shorter while it was read")
        return data

    def payload(self, count):
        if count < LARGE_BYTES:
            return self.read(count)
        if count > self.size - self.position:
            raise Truncated("it ends at byte {:,} inside an array of {:,} bytes".format(self.size, count))
        buffer = np.empty(count, np.uint8)
        view, done = memoryview(buffer), 0
        while done < count:
            step = self._file.readinto(view[done:])
            if not step:
                raise Truncated("it got shorter while it was read")
            done += step
        self.position += count
        return view


class MemorySource:
    """Bytes in memory, from any bytes-like object; large byte strings are views of it."""

    def __init__(self, data):
        self._view = memoryview(data).cast("B")
        self.position, self.size = 0, len(self._view)

    def read(self, count):
        return bytes(self.payload(count))

    def payload(self, count):
        start = self.position
        if count > self.size - start:
            raise Truncated("it ends at byte {:,} where {:,} more should follow".format(self.size, count))
        self.position += count
        return self._view[start : self.position]


def load(source, names, persistent=None):
    """Return the object that one pickle stream describes.

    Args:
        source: FileSource or MemorySource, left behind the stream's last byte.
        names: Dict "module name" → Global; any other name is refused.
        persistent: Function of the id for persistent ids, or None to refuse them.

    Returns:
        None, bool, int, float, str, bytes or memoryview, tuple, list, dict, set, or what a Global made.

    Raises:
        Refused: The stream is not such data. No memory beyond the stream's own size was taken, nothing was run.
    """
    machine = _Machine(source, names, persistent)
    try:
        return machine.run()
    except MALFORMED as error:
        raise Refused("it is malformed at byte {:,} ({})".format(source.position, type(error).__name__)) from error


_UNPACK = {code: struct.Struct(code) for code in ("<H", "<i", "<I", "<Q", ">d")}


class _Machine:
    """The stack, the memo and one method per opcode."""

    def __init__(self, source, names, persistent):
        self.source, self.names, self.persistent = source, names, persistent
        self.stack, self.marks, self.memo = [], [], {}

    def run(self):
        opcode = self.source.read(1)
        if opcode != b"\x80":
            raise Refused("it does not begin as a pickle of protocol 2 to 5")
        self.proto()
        for _ in range(MAX_OPCODES):
            opcode = self.source.read(1)
            if opcode == b".":
                return self.pop()
            method = OPCODES.get(opcode)
            if method is None:
                raise Refused("it uses the pickle instruction {!r}, which no snapshot needs".format(opcode))
            method(self)
        raise Refused("it has more than {:,} instructions".format(MAX_OPCODES))

    # Stack.

    def push(self, value):
        self.stack.append(value)

    def pop(self):
        if self.marks and self.marks[-1] >= len(self.stack):
            raise Refused("it takes from an empty stack")
        return self.stack.pop()

    def top(self):
        if not self.stack or (self.marks and self.marks[-1] >= len(self.stack)):
            raise Refused("it takes from an empty stack")
        return self.stack[-1]

    def mark(self):
        if len(self.marks) >= MAX_MARKS:
            raise Refused("it is nested deeper than {} levels".format(MAX_MARKS))
        self.marks.append(len(self.stack))

    def pop_mark(self):
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def number(self, code):
        unpack = _UNPACK[code]
        return unpack.unpack(self.source.read(unpack.size))[0]

    # Values.

    def proto(self):
        version = self.source.read(1)[0]
        if not 2 <= version <= 5:
            raise Refused("it says pickle protocol {}; trainers write 2 to 5".format(version))

    def frame(self):
        self.number("<Q")  # a hint for buffering

    def long(self):
        self.push(int.from_bytes(self.source.read(self.source.read(1)[0]), "little", signed=True))

    def text(self, size):
        if size > MAX_TEXT_BYTES:
            raise Refused("it holds a text of {:,} bytes".format(size))
        self.push(self.source.read(size).decode("utf-8", "surrogatepass"))

    # Names and calls.

    def line(self):
        data = bytearray()
        while len(data) <= MAX_NAME_BYTES:
            byte = self.source.read(1)
            if byte == b"\n":
                return data.decode("utf-8")
            data += byte
        raise Refused("it uses a name longer than {} bytes".format(MAX_NAME_BYTES))

    def find(self, module, name):
        if not isinstance(module, str) or not isinstance(name, str):
            raise Refused("it uses a name that is not text")
        known = self.names.get("{} {}".format(module, name))
        if known is None:
            raise Refused("it asks for {!r} from {!r}".format(name[:MAX_NAME_BYTES], module[:MAX_NAME_BYTES]))
        self.push(known)

    def stack_global(self):
        name, module = self.pop(), self.pop()
        self.find(module, name)

    def call(self, which):
        args, known = self.pop(), self.pop()
        function = getattr(known, which) if isinstance(known, Global) else None
        if function is None or not isinstance(args, tuple):
            raise Refused("it calls something that may not be called")
        self.push(function(*args))

    def build(self):
        state, target = self.pop(), self.top()
        if not isinstance(target, Built):
            raise Refused("it gives a state to something that has none")
        target.build(state)

    def persistent_id(self):
        if self.persistent is None:
            raise Refused("it refers to data outside of itself (a persistent id)")
        self.push(self.persistent(self.pop()))

    # Containers.

    def make_tuple(self, count):
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def append(self, items):
        target = self.top()
        if type(target) is not list:
            raise Refused("it appends to something that is not a list")
        target.extend(items)

    def add(self, items):
        target = self.top()
        if type(target) is not set:
            raise Refused("it adds to something that is not a set")
        target.update(simple_key(item) for item in items)

    def set_items(self, items):
        target = self.top()
        if type(target) is not dict or len(items) % 2:
            raise Refused("it sets items of something that is not a dict")
        for key, value in zip(items[::2], items[1::2]):
            target[simple_key(key)] = value

    def set_item(self):
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def put(self, index):
        self.memo[index] = self.top()

    def get(self, index):
        self.push(self.memo[index])


def simple_key(key):
    """Return a dict's key; only texts and numbers, as hashing nested tuples can take for ever."""
    if type(key) not in (str, int, bool, float, type(None)):
        raise Refused("it uses {} as a key".format(type(key).__name__))
    return key


OPCODES = {
    b"\x80": _Machine.proto,
    b"\x95": _Machine.frame,
    b"(": _Machine.mark,
    b"0": lambda m: m.pop(),
    b"1": lambda m: m.pop_mark(),
    b"2": lambda m: m.push(m.top()),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"K": lambda m: m.push(m.source.read(1)[0]),
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"\x8a": _Machine.long,
    b"G": lambda m: m.push(m.number(">d")),
    b"X": lambda m: m.text(m.number("<I")),
    b"\x8c": lambda m: m.text(m.source.read(1)[0]),
    b"\x8d": lambda m: m.text(m.number("<Q")),
    b"C": lambda m: m.push(m.source.read(m.source.read(1)[0])),
    b"B": lambda m: m.push(m.source.payload(m.number("<I"))),
    b"\x8e": lambda m: m.push(m.source.payload(m.number("<Q"))),
    b")": lambda m: m.push(()),
    b"\x85": lambda m: m.make_tuple(1),
    b"\x86": lambda m: m.make_tuple(2),
    b"\x87": lambda m: m.make_tuple(3),
    b"t": lambda m: m.push(tuple(m.pop_mark())),
    b"]": lambda m: m.push([]),
    b"a": lambda m: m.append([m.pop()]),
    b"e": lambda m: m.append(m.pop_mark()),
    b"}": lambda m: m.push({}),
    b"s": _Machine.set_item,
    b"u": lambda m: m.set_items(m.pop_mark()),
    b"\x8f": lambda m: m.push(set()),
    b"\x90": lambda m: m.add(m.pop_mark()),
    b"c": lambda m: m.find(m.line(), m.line()),
    b"\x93": _Machine.stack_global,
    b"R": lambda m: m.call("call"),
    b"\x81": lambda m: m.call("new"),
    b"b": _Machine.build,
    b"Q": _Machine.persistent_id,
    b"q": lambda m: m.put(m.source.read(1)[0]),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memo)),
    b"h": lambda m: m.get(m.source.read(1)[0]),
    b"j": lambda m: m.get(m.number("<I")),
}
