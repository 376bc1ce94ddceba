import io
import os
import pickle
import struct
import sys
import time
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sg2ada_colab import unpickler
from sg2ada_colab.byte_source import FileSource, MemorySource, Refused, Truncated
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import ALL_GLOBALS, snapshot_of_content
from sg2ada_colab.numpy_pickle import NUMPY_GLOBALS
from sg2ada_colab.unpickler import MAX_MARKS, MAX_OPCODES, Global, load
from tests.oracles.small_snapshots import small_snapshot
from tests.oracles.torch_files import torch_pickle_bytes

TINY = {"resolution": 8, "fmap_base": 4, "fmap_max": 1, "latent_size": 1, "dlatent_size": 1, "mapping_layers": 1}
NETWORK = b"cdnnlib.tflib.network\nNetwork\n)\x81"


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def network_with(variables=b"]", kwargs=b"}"):
    """Return a stream of three networks whose variables or settings are the given instructions."""
    state = (b"}(" + text("version") + b"K\x05" + text("name") + text("G") + text("static_kwargs") + kwargs
             + text("variables") + variables + b"u")  # fmt: skip
    return b"\x80\x03" + (NETWORK + state + b"b") * 3 + b"\x87."


def read(data):
    return snapshot_of_content(load(MemorySource(data), ALL_GLOBALS))


class Command:
    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


def commands(canary):
    """Return objects whose loading by Python's own unpickler makes the file `canary`."""
    make = f"open({str(canary)!r}, 'w').close()"
    touch = f"touch '{canary}'"
    return {
        "os.system": Command(os.system, touch),
        "exec": Command(exec, make),
        "eval": Command(eval, make),
        "nested": Command(list, [Command(exec, make)]),
        "within a network triple": ({"G": 1}, [Command(exec, make)], 3),
        "within a dictionary": {"G": Command(os.system, touch), "D": None, "G_ema": None},
        "two steps": Command(eval, f"exec({make!r})"),
        "open": Command(open, str(canary), "w"),
    }


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("kind", sorted(commands("x")))
def test_commands_in_a_pickle_are_refused_and_not_run(kind, protocol, tmp_path):
    canary = tmp_path / "canary"
    data = pickle.dumps(commands(canary)[kind], protocol)
    with pytest.raises(Refused):
        read(data)
    assert not canary.exists()
    with suppress(Exception):  # the corpus is alive: Python's own unpickler runs it, though it may fail after the deed
        pickle.loads(data)
    assert canary.exists()


HOSTILE = {
    "a name in two parts": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "a path through a known module": b"\x80\x03cnumpy\nload\n.",
    "attributes of a known name": b"\x80\x04\x8c\x05numpy\x8c\x0bndarray.dot\x93.",
    "an instance": b"\x80\x03(S'echo'\nios\nsystem\n.",
    "an object": b"\x80\x03(cos\nsystem\nX\x04\x00\x00\x00echoo.",
    "extension registry": b"\x80\x03\x82\x01.",
    "a persistent id as text": b"\x80\x03Pname\n.",
    "a persistent id": b"\x80\x03" + text("storage") + b"Q.",
    "an out-of-band buffer": b"\x80\x05\x97.",
    "a byte array": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
    "a text of 4 GB": b"\x80\x03X" + struct.pack("<I", 0xFFFFFFFF) + b"abc",
    "a text of 2^60 bytes": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b"abc",
    "bytes of 4 GB": b"\x80\x03B" + struct.pack("<I", 0xFFFFFFFF) + b"abc",
    "bytes of 2^63 bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 63) + b"abc",
    "an integer of 4 GB": b"\x80\x03\x8b" + struct.pack("<I", 0x7FFFFFFF) + b"abc",
    "an integer as endless text": b"\x80\x03I" + b"9" * 100000,
    "a name without end": b"\x80\x03c" + b"a" * 100000,
    "a far memo place": b"\x80\x03]r" + struct.pack("<I", 0xFFFFFFFF) + b".",
    "a memo place that is empty": b"\x80\x03h\x07.",
    "an empty stack": b"\x80\x03.",
    "taking more than there is": b"\x80\x03N\x87.",
    "taking across a mark": b"\x80\x03N(\x85.",
    "items without a mark": b"\x80\x03]u.",
    "odd items": b"\x80\x03}(Nu.",
    "append to a dict": b"\x80\x03}Na.",
    "items of a list": b"\x80\x03]NNs.",
    "add to a list": b"\x80\x04](N\x90.",
    "a list as a key": b"\x80\x03}]Ns.",
    "a tuple as a key": b"\x80\x03}))\x86Ns.",
    "an array as a key": b"\x80\x03}" + NETWORK + b"Ns.",
    "calling a text": b"\x80\x03" + text("os.system") + b")R.",
    "calling a dict": b"\x80\x03})R.",
    "calling with a list": b"\x80\x03cnumpy\ndtype\n]R.",
    "making what may only be called": b"\x80\x03cnumpy\ndtype\n" + text("f4") + b"\x85\x81.",
    "calling what may only be made": b"\x80\x03cdnnlib.tflib.network\nNetwork\n)R.",
    "calling a storage type": b"\x80\x03ctorch\nFloatStorage\n)R.",
    "a state for a dict": b"\x80\x03}}b.",
    "a state for a name": b"\x80\x03cnumpy\nndarray\n}b.",
    "a state for a list": b"\x80\x03](NNeN\x86b.",
    "a state that sets attributes": b"\x80\x03" + NETWORK + b"N}(" + text("build") + b"Nu\x86b.",
    "a network filled twice": b"\x80\x03" + NETWORK + b"}b}b.",
    "an array of objects": b"\x80\x03cnumpy\ndtype\n" + text("O8") + b"K\x00K\x01\x87R.",
    "an array of records": b"\x80\x03cnumpy\ndtype\n" + text("V8") + b"K\x00K\x01\x87R.",
    "a dtype by a list": b"\x80\x03cnumpy\ndtype\n](" + text("f4") + b"e\x85R.",
    "endless nesting": b"\x80\x03" + b"(" * (MAX_MARKS + 1) + b".",
    "deep tuples": b"\x80\x03)" + b"\x85" * 100000 + b".",
    "deep lists": b"\x80\x03" + b"]" * 100000 + b"a" * 99999 + b".",
    "protocol 0": b"(lp0\n.",
    "protocol 255": b"\x80\xff.",
    "no protocol": b"N.",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_streams_are_refused_quickly_with_little_memory(name):
    started = time.time()
    tracemalloc.start()
    try:
        with pytest.raises(Refused) as caught:
            read(HOSTILE[name])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 1000
    assert peak < (60 << 20), f"took {peak:,} bytes"
    assert time.time() - started < 20


def test_instructions_without_end(monkeypatch):
    assert MAX_OPCODES >= 500000  # a snapshot of 1024x1024 must pass
    monkeypatch.setattr(unpickler, "MAX_OPCODES", 1000)
    with pytest.raises(Refused, match="more than 1,000 instructions"):
        read(b"\x80\x03" + b"N0" * 501 + b"N.")


def array_of(shape, data, dtype="f4"):
    sides = b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", side) for side in shape) + b"t"
    kind = b"cnumpy\ndtype\n" + text(dtype) + b"K\x00K\x01\x87R"
    kind += b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01"
    return start + sides + kind + b"\x89" + data + b"tb"


def pair(name, array):
    return text(name) + array + b"\x86"


BOMBS = {
    "an array larger than its bytes": network_with(b"](" + pair("synthesis/a", array_of([1 << 40], b"C\x04abcd")) + b"e"),
    "an array of negative size": network_with(b"](" + pair("synthesis/a", array_of([-1], b"C\x04abcd")) + b"e"),
    "sizes whose product overflows": network_with(b"](" + pair("synthesis/a", array_of([1 << 32, 1 << 32], b"C\x00")) + b"e"),
    "an array of texts": network_with(b"](" + pair("synthesis/a", array_of([1], text("ab€"))) + b"e"),
    "an array of 40 dimensions": network_with(b"](" + pair("synthesis/a", array_of([1] * 40, b"C\x04abcd")) + b"e"),
    "settings that contain themselves": network_with(kwargs=b"}q\x09" + text("a") + b"h\x09s"),
    "settings of a list in itself": network_with(kwargs=b"}" + text("a") + b"]q\x09h\x09as"),
    "variables in themselves": network_with(b"]q\x09h\x09a"),
    "variables of numbers": network_with(b"](K\x01K\x02e"),
    "a variable that is a network": network_with(b"](" + pair("synthesis/a", NETWORK) + b"e"),
    "a variable that is a huge integer": network_with(b"](" + pair("synthesis/a", pickle.dumps(1 << 1100, 2)[2:-1]) + b"e"),
    "a network of many components": b"\x80\x03"
    + (
        NETWORK
        + b"}("
        + text("version")
        + b"K\x05"
        + text("name")
        + text("G")
        + text("static_kwargs")
        + b"}"
        + text("components")
        + b"}"
        + b"".join(text("c%d" % i) + NETWORK + b"s" for i in range(20))
        + text("variables")
        + b"]ub"
    )
    * 3
    + b"\x87.",
    "more variables than any network has": network_with(b"](" + pair("synthesis/a", b"N") * 10001 + b"e"),
    "a variable without a value": network_with(b"](" + pair("synthesis/a", b"N") + b"e"),
    "exponential settings": network_with(
        kwargs=b"}" + text("a") + b"]q\x00" + b"".join(b"](" + b"h\x00" * 99 + b"eq\x00" for _ in range(50)) + b"s"
    ),
    "settings that are no numbers": network_with(kwargs=b"}" + text("resolution") + text("big") + b"s"),
    "an impossible resolution": network_with(kwargs=b"}" + text("resolution") + b"J\xff\xff\xff\x7fs"),
    "no networks": b"\x80\x03NNN\x87.",
    "networks without state": b"\x80\x03" + NETWORK * 3 + b"\x87.",
    "a network within itself": b"\x80\x03"
    + (
        NETWORK
        + b"q\x05}("
        + text("version")
        + b"K\x05"
        + text("name")
        + text("G")
        + text("static_kwargs")
        + b"}"
        + text("components")
        + b"}"
        + text("mapping")
        + b"h\x05s"
        + text("variables")
        + b"]ub"
    )
    * 3
    + b"\x87.",
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_hostile_networks_are_refused(name):
    started = time.time()
    with pytest.raises(Refused):
        read(BOMBS[name])
    assert time.time() - started < 5


def tensor_of(
    numbers=b"\0" * 16, offset=0, size=(2, 2), stride=(2, 1), count=4, said=4, magic=119547037146038801333356, kind="FloatStorage"
):
    inner = b"".join(pickle.dumps(value, 2) for value in (magic, 1001, {"little_endian": True}))
    inner += (b"\x80\x02(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text("k") + text("cpu")
              + b"J" + struct.pack("<i", count) + b"tQ.")  # fmt: skip
    inner += pickle.dumps(["k"], 2) + struct.pack("<q", said) + numbers
    values = b"(" + b"ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(inner)) + inner + b"\x85R"
    for value in (offset, size, stride):
        values += pickle.dumps(value, 2)[2:-1]
    return b"\x80\x03ctorch._utils\n_rebuild_tensor_v2\n" + values + b"\x89}tR."


def test_a_well_formed_tensor_is_read():
    numbers = np.arange(4, dtype=np.float32)
    got = load(MemorySource(tensor_of(numbers.tobytes(), stride=(1, 2))), ALL_GLOBALS)
    np.testing.assert_array_equal(got, numbers.reshape(2, 2).T)


TENSOR_CHANGES = [
    {"offset": 1},
    {"offset": -1},
    {"offset": 1 << 70},
    {"size": (2, 3)},
    {"size": (-1, 2)},
    {"size": (5,), "stride": (0,)},
    {"size": (1 << 30, 1 << 30), "stride": (0, 0)},
    {"stride": (3, 1)},
    {"stride": (-1, 1)},
    {"stride": (1,)},
    {"numbers": b"\0" * 15},
    {"said": 5},
    {"said": -1},
    {"count": -4, "said": -4},
    {"count": 1 << 30, "said": 1 << 30},
    {"magic": 1},
    {"kind": "QUInt8Storage"},
]


@pytest.mark.parametrize("change", TENSOR_CHANGES)
def test_tensors_cannot_reach_outside_of_their_data(change):
    with pytest.raises(Refused):
        load(MemorySource(tensor_of(**change)), ALL_GLOBALS)


def whole_files():
    file = io.BytesIO()
    write_network_pickle(file, small_snapshot(label_size=1, **TINY))
    return {"tensorflow": file.getvalue(), "pytorch": torch_pickle_bytes(small_snapshot(**TINY))}


FILES = whole_files()


SHORT = network_with(b"](" + pair("a", array_of([1], b"C\x04abcd")) + b"e")


def test_truncated_at_every_byte():
    with pytest.raises(Refused, match="no synthesis network"):
        read(SHORT)  # whole, it is refused for what it lacks alone
    for end in range(len(SHORT)):
        with pytest.raises(Refused) as caught:
            read(SHORT[:end])
        assert "no synthesis" not in str(caught.value)


@pytest.mark.parametrize("family, step", [("tensorflow", 101), ("pytorch", 997)])
def test_whole_files_truncated(family, step):
    _truncated(family, step)


@pytest.mark.soak
@pytest.mark.parametrize("family", ["tensorflow", "pytorch"])
def test_whole_files_truncated_at_every_byte(family):
    _truncated(family, 1)


def _truncated(family, step):
    data = FILES[family]
    assert read(data).G.resolution == 8
    for end in range(0, len(data), step):
        with pytest.raises(Refused):
            read(data[:end])


def test_a_truncated_file_says_so(tmp_path):
    path = tmp_path / "cut.pkl"
    path.write_bytes(FILES["tensorflow"][:-10])
    with pytest.raises(Truncated), open(str(path), "rb") as file:
        load(FileSource(file), ALL_GLOBALS)


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = tmp_path / "shrinks.pkl"
    path.write_bytes(b"\x80\x03B" + struct.pack("<I", 1 << 20) + b"\0" * (1 << 20) + b".")
    with open(str(path), "rb", buffering=16) as file:
        source = FileSource(file)
        with open(str(path), "r+b") as other:
            other.truncate(1 << 10)
        with pytest.raises(Truncated, match="shorter"):
            load(source, {})


def plain(max_leaves):
    leaves = st.none() | st.booleans() | st.integers(-(2**100), 2**100) | st.floats(allow_nan=False) | st.text() | st.binary()
    keys = st.text() | st.integers() | st.none() | st.booleans()
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=5)
            | st.dictionaries(keys, inner, max_size=5)
            | st.tuples(inner)
            | st.tuples(inner, inner, inner, inner)
            | st.sets(st.text(), max_size=5)
        ),
        max_leaves=max_leaves,
    )


@settings(max_examples=100, deadline=None)
@given(value=plain(20), protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_data_reads_as_python_reads_it(value, protocol):
    set_name = Global(call=lambda items=(): set(items))  # protocols 0 to 3 call it by name
    names = dict(NUMPY_GLOBALS, **{"builtins set": set_name, "__builtin__ set": set_name})
    got = load(MemorySource(pickle.dumps(value, protocol)), names, oldest=0)
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize("protocol", [0, 1])
def test_old_protocols_are_read_only_where_they_are_asked_for(protocol):
    with pytest.raises(Refused, match="does not begin as a pickle of protocol 2 to 5"):
        load(MemorySource(pickle.dumps([1, "a"], protocol)), {})


@pytest.mark.parametrize("data, value", [
    (b"S'a\\x00\\xff\\n\\\\\\''\n.", "a\0\xff\n\\'"),  # as Python 2 writes byte strings
    (b'S"it\'s"\n.', "it's"),
    (b"U\x03a\xffb.", "a\xffb"),
    (b"T\x03\0\0\0a\xffb.", "a\xffb"),
    (b"I01\n.", True),
    (b"L-12345678901234567890L\n.", -12345678901234567890),
    (b"(dp0\nS'x'\nI5\ns.", {"x": 5}),
    (b"(lp0\nF1.5\nag0\n0.", [1.5]),
])  # fmt: skip
def test_texts_and_numbers_of_old_protocols(data, value):
    got = load(MemorySource(data), {}, oldest=0)
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize(
    "data", [b"S'a\\q'\n.", b"Sabc\n.", b"S'a\\'", b"Iabc\n.", b"I\n.", b"L" + b"9" * 300 + b"L\n.", b"V\\u12\n.", b"p"]
)
def test_damaged_lines_of_old_protocols(data):
    with pytest.raises(Refused):
        load(MemorySource(data), {}, oldest=0)


def test_lines_are_read_alike_from_files_and_memory(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"ab\n" + b"x" * 200000 + b"\nend")
    with open(str(path), "rb") as file:
        for source in (FileSource(file), MemorySource(path.read_bytes())):
            lines = [source.line(5), source.line(10), source.line(10**6), source.line(5), source.line(5)]
            assert lines == [b"ab\n", b"x" * 11, b"x" * 199989 + b"\n", b"end", b""]
            assert source.position == source.size


# What one file may cost in all.


def memory_and_time_of(data, match):
    """Read what must be refused; return (the most bytes that were taken, seconds)."""
    started = time.time()
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match=match):
            read(data)
        return tracemalloc.get_traced_memory()[1], time.time() - started
    finally:
        tracemalloc.stop()


def remembered(value, place):
    return value + b"q" + bytes([place])


@pytest.mark.parametrize("opcode, size", [(b"B", 1 << 20), (b"B", 60000), (b"T", 60000)])
def test_one_buffer_in_many_arrays_does_not_multiply(opcode, size):
    buffer, array = opcode + struct.pack("<I", size) + bytes(size), array_of([size // 4], b"h\x07")
    data = b"\x80\x03(" + remembered(buffer, 7) + array * 10000 + b"l."
    memory, seconds = memory_and_time_of(data, "asks for arrays of more than .* far more than the file holds")
    assert memory < 40 << 20 and seconds < 20


def test_one_tensor_of_many_names_does_not_multiply():
    tensor = tensor_of(bytes(4 << 20), size=(1 << 20,), stride=(1,), count=1 << 20, said=1 << 20)[2:-1]
    tensors = b"}" + remembered(tensor, 7) + b"0(" + b"".join(text(f"t{i}") + b"h\x07" for i in range(1000)) + b"u"
    state = text("state") + b"}(" + text("_parameters") + tensors + b"u"
    meta = b"}(" + text("type") + text("class") + text("class_name") + text("G") + state + b"u"
    module = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n" + meta + b"\x85R"
    data = b"\x80\x03}(" + b"".join(text(name) + module for name in ("G", "D", "G_ema")) + b"u."
    memory, seconds = memory_and_time_of(data, "asks for arrays of more than")
    assert memory < 40 << 20 and seconds < 20


def test_streams_within_a_stream_share_its_instructions(monkeypatch):
    monkeypatch.setattr(unpickler, "MAX_OPCODES", 20000)
    inner = b"\x80\x02" + b"N0" * 5000 + b"\x8a\x0a" + (119547037146038801333356).to_bytes(10, "little") + b"."
    inner += b"".join(pickle.dumps(value, 2) for value in (1001, {"little_endian": True}))
    inner += b"\x80\x02(" + text("storage") + b"ctorch\nFloatStorage\n" + text("k") + text("cpu") + b"K\x01tQ."
    inner += pickle.dumps(["k"], 2) + struct.pack("<q", 1) + bytes(4)
    once = b"ctorch.storage\n_load_from_bytes\nh\x07\x85R"
    data = b"\x80\x03(" + remembered(b"B" + struct.pack("<I", len(inner)) + inner, 7)
    assert len(load(MemorySource(data + once + b"l."), ALL_GLOBALS)) == 2
    with pytest.raises(Refused, match="more than 20,000 instructions"):
        load(MemorySource(data + once * 5 + b"l."), ALL_GLOBALS)


def test_numbers_that_hash_alike_cost_no_time():
    modulus = sys.hash_info.modulus
    keys = [b"\x8a\x0a" + (modulus * i).to_bytes(10, "little") for i in range(1, 100000)]
    for stream in (b"}(" + b"N".join(keys) + b"Nu.", b"\x8f(" + b"".join(keys) + b"\x90."):
        _, seconds = memory_and_time_of(b"\x80\x04" + stream, "a number as a key of more than 1,000 items")
        assert seconds < 10


def test_pairs_of_an_ordered_dict_are_kept():
    """Python 2 gives them as an argument, Python 3 sets them afterwards; a state, which torch adds, is passed over."""
    pairs = b"\x80\x02ccollections\nOrderedDict\n](](" + text("a") + b"K\x01e](" + text("b") + b"K\x02ee\x85R"
    assert load(MemorySource(pairs + b"."), ALL_GLOBALS) == {"a": 1, "b": 2}
    assert load(MemorySource(pairs + b"}" + text("_metadata") + b"}sb."), ALL_GLOBALS) == {"a": 1, "b": 2}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_damaged_files_are_read_or_refused(data):
    content = bytearray(FILES[data.draw(st.sampled_from(sorted(FILES)))])
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[place] = data.draw(st.integers(0, 255))
        else:
            piece = data.draw(st.binary(max_size=12) | st.sampled_from(sorted(HOSTILE.values())).map(lambda one: one[2:40]))
            content[place : place + data.draw(st.integers(0, 6))] = piece
    try:
        read(bytes(content))
    except Refused as error:
        assert len(str(error)) < 1000


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(sorted(HOSTILE.values())).map(lambda one: one[2:60])
        | st.binary(max_size=8)
        | st.sampled_from(
            [b"(", b"t", b"e", b"u", b"R", b"b", b"\x81", b"\x85", b"h\x00", b"q\x00", b"2", b"0", NETWORK, b"]", b"}"]
        ),
        max_size=30,
    )
)
def test_any_instructions_are_read_or_refused(pieces):
    try:
        read(b"\x80\x03" + b"".join(pieces) + b".")
    except Refused as error:
        assert len(str(error)) < 1000
