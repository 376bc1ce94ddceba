"""Read the data in a pickle without running it: a small machine for a fixed list of opcodes and a fixed list of names.

Python's own unpickler imports what a file names and calls it. This one makes lists, dicts, texts, numbers and byte strings, and
otherwise only what the caller's table of names offers. Every size that a file claims is checked before memory is taken for it,
and a budget bounds what one file may cost in all. Networks, feature networks and published collections are all read with it.
"""

import re
import struct
from typing import Any, Callable, Dict, List, Optional

from .byte_source import Refused, Truncated

MAX_OPCODES = 1000000  # a 1024x1024 snapshot has under 100,000, CIFAR-100 under 400,000
MAX_NUMBER_KEYS = 1000  # in one dict or set: a file can choose numbers that all hash alike, which makes each new one slower
OUTPUT_FACTOR, OUTPUT_BYTES = 8, 16 << 20  # bytes of arrays: this factor times the file's size, plus this number
MAX_MARKS = 200  # nesting of lists, dicts and calls; real files stay under 40
MAX_TEXT_BYTES = 16 << 20  # embedded source texts are about 100 KB
MAX_NAME_BYTES = 256
ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}


# What a malformed content shows as: an ordinary error of the operation that it was put to.
MALFORMED = (ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError, RecursionError, struct.error)


class Budget:
    """What one file may cost: instructions, and bytes of arrays, counted as if each array had its own memory.

    Args:
        size_bytes: Size of the file.
        instructions: Pickle instructions in all of its streams.
        text_bytes: Of its longest text; old protocols write arrays as texts.
    """

    def __init__(self, size_bytes: int, instructions: Optional[int] = None, text_bytes: Optional[int] = None) -> None:
        self.text_bytes = MAX_TEXT_BYTES if text_bytes is None else text_bytes
        self._most_instructions = MAX_OPCODES if instructions is None else instructions
        self._most_bytes = OUTPUT_FACTOR * size_bytes + OUTPUT_BYTES
        self.instructions, self.bytes = self._most_instructions, self._most_bytes

    def spend_instructions(self, count: int) -> None:
        """Take instructions off what is left; raise Refused where that is not enough."""
        self.instructions -= count
        if self.instructions < 0:
            raise Refused(f"it has more than {self._most_instructions:,} instructions")

    def spend_bytes(self, count: int) -> None:
        """Take bytes off what is left; raise Refused where that is not enough."""
        self.bytes -= count
        if self.bytes < 0:
            raise Refused(f"it asks for arrays of more than {self._most_bytes:,} bytes in all, far more than the file holds")


class Global:
    """A name that a stream may use, and what stands for it.

    Args:
        call: Function of the arguments for REDUCE, or None if it may not be called.
        new: Function of the arguments for NEWOBJ, or None.
        metered: Function of the Budget and the arguments for REDUCE, for what costs more than its arguments did.
    """

    def __init__(
        self, call: Optional[Callable] = None, new: Optional[Callable] = None, metered: Optional[Callable] = None
    ) -> None:
        self.call, self.new, self.metered = call, new, metered


class Built:
    """Base class of what a Global may make: `build` takes the state of a BUILD opcode."""

    output_bytes = 0  # what `build` took, for the budget

    def build(self, state: Any) -> None:
        """Take the state that a pickle gives to this object; raise Refused, as most have none."""
        raise Refused("it gives a state to something that has none")


def load(source: Any, names: Any, persistent: Optional[Callable] = None, budget: Optional[Budget] = None, oldest: int = 2) -> Any:
    """Return the object that one pickle stream describes.

    Args:
        source: FileSource or MemorySource, left behind the stream's last byte.
        names: Dict "module name" → Global; any other name is refused.
        persistent: Function of the id for persistent ids, or None to refuse them.
        budget: Budget that all streams of one file share; None makes one by the source's size.
        oldest: The oldest pickle protocol that is read. Protocols 0 and 1 have no marker at the beginning.

    Returns:
        None, bool, int, float, str, bytes or memoryview, tuple, list, dict, set, or what a Global made.

    Raises:
        Refused: The stream is not such data, or costs more than its budget; nothing was run. Arrays took no more than the
            budget, and small objects at most some 250 bytes for each of its instructions.
    """
    machine = _Machine(source, names, persistent, budget or Budget(source.size), oldest)
    try:
        return machine.run()
    except MALFORMED as error:
        raise Refused(f"it is malformed at byte {source.position:,} ({type(error).__name__})") from error


_UNPACK = {code: struct.Struct(code) for code in ("<H", "<i", "<I", "<Q", ">d")}


class _Machine:
    """The stack, the memo and one method per opcode."""

    def __init__(self, source: Any, names: Any, persistent: Optional[Callable], budget: Budget, oldest: int) -> None:
        self.source, self.names, self.persistent, self.budget, self.oldest = source, names, persistent, budget, oldest
        self.stack: List[Any] = []
        self.marks: List[Any] = []
        self.memo: Dict[int, Any] = {}

    def run(self):
        opcode = self.source.read(1)
        if opcode != b"\x80" and self.oldest >= 2:
            raise Refused("it does not begin as a pickle of protocol 2 to 5")
        while opcode != b".":
            self.budget.spend_instructions(1)
            method = OPCODES.get(opcode)
            if method is None:
                raise Refused(f"it uses the pickle instruction {opcode!r}, which no such file needs")
            method(self)
            opcode = self.source.read(1)
        return self.pop()

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
            raise Refused(f"it is nested deeper than {MAX_MARKS} levels")
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
        if not self.oldest <= version <= 5:
            raise Refused(f"it says pickle protocol {version}; such files have {self.oldest} to 5")

    def frame(self):
        self.number("<Q")  # a hint for buffering

    def long(self):
        self.push(int.from_bytes(self.source.read(self.source.read(1)[0]), "little", signed=True))

    def text(self, size):
        if size > self.budget.text_bytes:
            raise Refused(f"it holds a text of {size:,} bytes")
        self.push(self.source.read(size).decode("utf-8", "surrogatepass"))

    def byte_array(self):
        data = self.source.payload(self.number("<Q"))
        self.push(data if isinstance(data, memoryview) else bytes(data))

    # Values as lines of text, and the byte strings of Python 2.

    def line(self, limit=MAX_NAME_BYTES, encoding="utf-8"):
        data = self.source.line(limit)
        if data[-1:] == b"\n":
            return data[:-1].decode(encoding)
        if len(data) <= limit:
            raise Truncated(f"it ends at byte {self.source.size:,} within a line")
        raise Refused(f"it has a line longer than {limit:,} bytes where a name or number belongs")

    def integer_line(self):
        line = self.line()
        self.push({"00": False, "01": True}[line] if line in ("00", "01") else int(line[:-1] if line[-1:] == "L" else line))

    def quoted_line(self):
        line = self.line(self.source.size, "latin1")
        if len(line) < 2 or line[0] != line[-1] or line[0] not in "'\"":
            raise Refused("it has a text without quotation marks")
        self.push(re.sub(r"\\(x[0-9a-fA-F]{2}|.?)", unescaped, line[1:-1]))

    def old_string(self, size):
        self.push(str(self.source.payload(size), "latin1"))

    # Names and calls.

    def find(self, module, name):
        if not isinstance(module, str) or not isinstance(name, str):
            raise Refused("it uses a name that is not text")
        known = self.names.get(f"{module} {name}")
        if known is None:
            raise Refused(f"it asks for {name[:MAX_NAME_BYTES]!r} from {module[:MAX_NAME_BYTES]!r}")
        self.push(known)

    def stack_global(self):
        name, module = self.pop(), self.pop()
        self.find(module, name)

    def call(self, which):
        args, known = self.pop(), self.pop()
        if not isinstance(known, Global) or not isinstance(args, tuple):
            raise Refused("it calls something that may not be called")
        if which == "call" and known.metered:
            return self.push(known.metered(self.budget, *args))
        function = getattr(known, which)
        if function is None:
            raise Refused("it calls something that may not be called")
        self.push(function(*args))

    def build(self):
        state, target = self.pop(), self.top()
        if not isinstance(target, Built):
            raise Refused("it gives a state to something that has none")
        target.build(state)
        self.budget.spend_bytes(target.output_bytes)

    def persistent_id(self):
        if self.persistent is None:
            raise Refused("it refers to data outside of itself (a persistent id)")
        self.push(self.persistent(self.pop()))

    # Containers.

    def make_tuple(self, count):
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def make_dict(self):
        items = self.pop_mark()
        self.push({})
        self.set_items(items)

    def append(self, items):
        target = self.top()
        if type(target) is not list:
            raise Refused("it appends to something that is not a list")
        target.extend(items)

    def add(self, items):
        target = self.top()
        if type(target) is not set:
            raise Refused("it adds to something that is not a set")
        for item in items:
            target.add(checked_key(target, item, self.budget))

    def set_items(self, items):
        target = self.top()
        if not isinstance(target, dict) or len(items) % 2:
            raise Refused("it sets items of something that is not a dict")
        for key, value in zip(items[::2], items[1::2]):
            target[checked_key(target, key, self.budget)] = value

    def set_item(self):
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def put(self, index):
        self.memo[index] = self.top()

    def get(self, index):
        self.push(self.memo[index])


def unescaped(match: Any) -> str:
    """Return the character for one backslash escape of Python 2's repr.

    Raises Refused for one that Python does not know.
    """
    code = match.group(1)
    if len(code) == 3:
        return chr(int(code[1:], 16))
    if code not in ESCAPES:
        raise Refused("it has a text with an unknown escape")
    return ESCAPES[code]


def checked_key(container: Any, key: Any, budget: Any) -> Any:
    """Return a key for a dict or set; only texts and numbers, as hashing nested tuples can take for ever, and few numbers.

    Raises Refused for another key.
    """
    if type(key) is str:
        return key
    if type(key) not in (int, bool, float, type(None)):
        raise Refused(f"it uses {type(key).__name__} as a key")
    if len(container) > MAX_NUMBER_KEYS:
        raise Refused(f"it uses a number as a key of more than {MAX_NUMBER_KEYS:,} items")
    budget.spend_instructions(len(container) // 16)
    return key


class OrderedDict(dict, Built):
    """A dict with a state, such as the one torch keeps its version numbers in; the state is not used."""

    def build(self, state: Any) -> None:
        del state


def _ordered_dict(budget, pairs=()):
    """Return the dict of a list of pairs, as Python 2 wrote it; Python 3 calls it without and sets the items."""
    made = OrderedDict()
    budget.spend_instructions(len(pairs))
    for key, value in pairs:
        made[checked_key(made, key, budget)] = value
    return made


ORDERED_DICT = Global(metered=_ordered_dict)

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
    b"\x96": _Machine.byte_array,
    b"I": _Machine.integer_line,
    b"L": _Machine.integer_line,
    b"F": lambda m: m.push(float(m.line())),
    b"S": _Machine.quoted_line,
    b"T": lambda m: m.old_string(m.number("<I")),
    b"U": lambda m: m.old_string(m.source.read(1)[0]),
    b"V": lambda m: m.push(m.line(m.budget.text_bytes, "raw-unicode-escape")),
    b")": lambda m: m.push(()),
    b"\x85": lambda m: m.make_tuple(1),
    b"\x86": lambda m: m.make_tuple(2),
    b"\x87": lambda m: m.make_tuple(3),
    b"t": lambda m: m.push(tuple(m.pop_mark())),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.pop_mark()),
    b"a": lambda m: m.append([m.pop()]),
    b"e": lambda m: m.append(m.pop_mark()),
    b"}": lambda m: m.push({}),
    b"d": _Machine.make_dict,
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
    b"p": lambda m: m.put(int(m.line())),
    b"g": lambda m: m.get(int(m.line())),
    b"q": lambda m: m.put(m.source.read(1)[0]),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memo)),
    b"h": lambda m: m.get(m.source.read(1)[0]),
    b"j": lambda m: m.get(m.number("<I")),
}
