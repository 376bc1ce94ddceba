import copyreg
import pickle
import time
import tracemalloc

import numpy as np
import pytest

from sg2ada_colab import UserError
from sg2ada_colab.dataset.classic.published import unpickled


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
    np.zeros((0, 3), np.float32), np.array([1.5, -2], np.float64), np.array(7, np.int64), np.array([True, False]),
])  # fmt: skip
def test_arrays_in_containers_come_back(protocol, array):
    content = {"data": array, "list": [np.int64(5), 6, "x", (array,)], "none": None}
    got = unpickled("x", pickle.dumps(content, protocol))
    assert got["data"].dtype == array.dtype and got["data"].shape == array.shape and (got["data"] == array).all()
    assert got["list"][:3] == [5, 6, "x"] and (got["list"][3][0] == array).all() and got["none"] is None


def test_what_python_2_wrote():
    """Protocol 2 with byte strings, as the published files have them."""
    head = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = head + b"(K\x01K\x02K\x03\x86" + dtype + b"\x89U\x06\x00\x01\xfe\xff\x80\x07tb."
    assert unpickled("x", array).tolist() == [[0, 1, 254], [255, 128, 7]]


class Reduced:
    """Pickles as a call of a function with arguments and a state."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize("content", [
    np.array([{}, []], dtype=object), np.zeros(3, "i4,f4"), np.array(["text"]), np.zeros(2, "datetime64[s]"),
    np.zeros(2, np.complex64), pytest, copyreg.dispatch_table, np.add, Reduced(print, ("run",)), Reduced(eval, ("1",)),
    Reduced(np.dtype, ("O",)), Reduced(np.frombuffer, (b"x",)),
])  # fmt: skip
def test_anything_else_is_refused(content, capsys):
    try:
        data = pickle.dumps({"data": content}, 2)
    except (TypeError, pickle.PicklingError):
        pytest.skip("cannot be pickled at all")
    with pytest.raises(UserError, match="x cannot be read: .*(asks for|arrays are)"):
        unpickled("x", data)
    assert capsys.readouterr().out == ""


def reconstruct(state):
    multiarray = np.array(0).__reduce__()[0]
    return Reduced(multiarray, (np.ndarray, (0,), b"b"), state)


@pytest.mark.parametrize("state", [
    (1, (10**12,), np.dtype(np.uint8), False, b"abc"), (1, (-1,), np.dtype(np.uint8), False, b"abc"),
    (1, (3,), "u1", False, b"abc"), (1, (3,), np.dtype(np.uint8), False, [1, 2, 3]), (1, None, np.dtype(np.uint8), False, b""),
    (1, (2,), np.dtype(np.uint8), False), None,
])  # fmt: skip
def test_arrays_that_lie_about_themselves(state):
    with pytest.raises(UserError, match="x cannot be read"):
        unpickled("x", pickle.dumps([reconstruct(state)], 2))


@pytest.mark.parametrize("start", [b"\x80\x02", b""])
def test_nested_tuples_as_keys_are_refused_at_once(start):
    """A tuple of the tuple before, twice: hashing it visits 2^500 places."""
    started = time.time()
    with pytest.raises(UserError, match="uses tuple as a key"):
        unpickled("x", start + b"})" + b"2\x86" * 500 + b"Ns.")
    assert time.time() - started < 5


def test_a_state_for_a_function_is_refused():
    """Python's own unpickler sets attributes of a stand-in by it, such as its default arguments."""
    state = b"N}U\x0c__defaults__U\x01x\x85s\x86b."
    with pytest.raises(UserError, match="state to something that has none"):
        unpickled("x", b"\x80\x02cnumpy.core.multiarray\nscalar\n" + state)


def test_a_list_within_itself():
    knot = []
    knot.append(knot)
    with pytest.raises(UserError, match="x cannot be read"):
        unpickled("x", pickle.dumps(knot, 2))


@pytest.mark.parametrize("data", [b"\x80\x02]r\xff\xff\xff\x7f.", b"\x80\x02]p2147483647\n.", b"]p2147483647\n."])
def test_places_that_lie_cost_nothing(data):
    """A memo with two thousand million places, were it a list."""
    tracemalloc.start()
    try:
        assert unpickled("x", data) == []
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [
    b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00abc.",  # a million million bytes
    b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00abc.",
])  # fmt: skip
def test_sizes_that_lie_cost_nothing(data):
    with pytest.raises(UserError, match="x cannot be read"):
        unpickled("x", data)


def test_references_that_double_cost_nothing():
    """Forty lists, each holding the one before twice: a tree of 2^40 leaves, were it written out."""
    nested = []
    for _ in range(40):
        nested = [nested, nested]
    got = unpickled("x", pickle.dumps(nested, 2))
    assert len(got) == 2 and got[0] is got[1]


def test_an_array_that_an_old_protocol_writes_as_one_long_text():
    array = np.full(17 << 20, 200, np.uint8)  # SVHN's parts have over 100 MB of it
    assert (unpickled("x.pkl", pickle.dumps({"data": array}, protocol=2))["data"] == array).all()
