import json
import struct
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.export_safetensors import _ordered, write_safetensors
from sg2ada_colab.formats.read import read_snapshot
from tests.conftest import DATA
from tests.oracles.forms import FORMS
from tests.oracles.small_snapshots import small_snapshot


@pytest.mark.parametrize("tag", ["tf_uncond", "tf_cond", "pt_cond"])
def test_round_trip_is_exact(tag, tmp_path):
    original = read_snapshot(DATA / f"network_{tag}.pkl")
    write_safetensors(tmp_path / "n.safetensors", original)
    back = read_snapshot(tmp_path / "n.safetensors")
    assert back.source == "safetensors" and back.details["written from"] == original.source
    for one, other in zip(back.networks(), original.networks()):
        assert one.name == other.name and one.kwargs == other.kwargs and list(one.variables) == list(other.variables)
        for name, value in other.variables.items():
            assert one.variables[name].dtype == np.float32 and one.variables[name].flags.writeable
            np.testing.assert_array_equal(one.variables[name], value)


def test_a_compact_file_holds_float16_and_no_g_and_is_read_as_float32(tmp_path):
    original = read_snapshot(DATA / "network_tf_cond.pkl")
    write_safetensors(tmp_path / "full.safetensors", original)
    write_safetensors(tmp_path / "n.safetensors", original, compact=True)
    assert (tmp_path / "n.safetensors").stat().st_size < 0.4 * (tmp_path / "full.safetensors").stat().st_size
    back = read_snapshot(tmp_path / "n.safetensors")
    assert back.notes == ["The file holds no G; its average Gs stands for it."]
    for one, other in ((back.Gs, original.Gs), (back.D, original.D), (back.G, original.Gs)):
        assert one.kwargs == other.kwargs and list(one.variables) == list(other.variables)
        for name, value in other.variables.items():
            assert one.variables[name].dtype == np.float32
            np.testing.assert_array_equal(one.variables[name], value.astype(np.float16).astype(np.float32))
    back.G.variables["dlatent_avg"][:] = 7
    assert not (back.Gs.variables["dlatent_avg"] == 7).any(), "G and Gs are two networks"


@pytest.mark.parametrize("form", FORMS)
def test_every_form_comes_back(form, tmp_path):
    original = small_snapshot(**FORMS[form])
    write_safetensors(tmp_path / "n.safetensors", original)
    for one, other in zip(read_snapshot(tmp_path / "n.safetensors").networks(), original.networks()):
        assert one.config == other.config
        for name, value in other.variables.items():
            np.testing.assert_array_equal(one.variables[name], value)


def test_names_and_alignment(tmp_path):
    write_safetensors(tmp_path / "n.safetensors", small_snapshot(label_size=2))
    data = (tmp_path / "n.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size].decode())
    assert size % 8 == 0, "the numbers are aligned"
    assert {"Gs/dlatent_avg", "Gs/mapping/LabelEmbed/weight", "Gs/synthesis/4x4/Conv/noise_strength", "D/Output/bias"} <= set(
        header
    )
    assert header["Gs/synthesis/4x4/Conv/noise_strength"]["shape"] == []
    assert max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__") == len(data) - 8 - size
    assert json.loads(header["__metadata__"]["Gs"])["label_size"] == 2


def test_the_real_library_reads_it(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    snapshot = small_snapshot(label_size=2)
    write_safetensors(tmp_path / "n.safetensors", snapshot)
    arrays = safetensors.load_file(str(tmp_path / "n.safetensors"))
    assert len(arrays) == sum(len(network.variables) for network in snapshot.networks())
    for network in snapshot.networks():
        for name, value in network.variables.items():
            np.testing.assert_array_equal(arrays[f"{network.name}/{name}"], value)
    # And what the library writes, with its own order of tensors, is read by us.
    with pytest.importorskip("safetensors").safe_open(str(tmp_path / "n.safetensors"), "numpy") as file:
        metadata = file.metadata()
    safetensors.save_file(arrays, str(tmp_path / "other.safetensors"), metadata)
    back = read_snapshot(tmp_path / "other.safetensors")
    for one, other in zip(back.networks(), snapshot.networks()):
        for name, value in other.variables.items():
            np.testing.assert_array_equal(one.variables[name], value)


def test_arrays_in_another_order_of_memory_are_written_as_they_read(tmp_path):
    snapshot = small_snapshot()
    name = "synthesis/4x4/Conv/weight"
    turned = np.asfortranarray(np.random.RandomState(0).randn(*snapshot.Gs.variables[name].shape).astype(np.float32))
    snapshot.Gs.variables[name] = turned
    write_safetensors(tmp_path / "n.safetensors", snapshot)
    np.testing.assert_array_equal(read_snapshot(tmp_path / "n.safetensors").Gs.variables[name], turned)


def test_without_the_library_the_message_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(UserError) as caught:
        write_safetensors(tmp_path / "n.safetensors", small_snapshot())
    assert caught.value.what == "The package safetensors is not installed."
    assert "sg2ada_colab[safetensors]" in caught.value.next_step and not (tmp_path / "n.safetensors").exists()


@pytest.mark.parametrize("text", [None, 7, "{", "7", '["a", 7]', '["b"]', "[]", "null", "[7]"])
def test_an_order_that_names_other_variables_changes_nothing(text):
    variables = {"b": 1, "a": 2}
    assert list(_ordered(variables, text)) == ["b", "a"] and list(_ordered(variables, '["a", "b"]')) == ["a", "b"]


def with_header(change):
    header = {
        "__metadata__": {
            "format": "sg2ada_colab snapshot",
            "format_version": "1",
            "source": "tensorflow",
            "G": '{"resolution": 8}',
            "D": "{}",
            "Gs": "{}",
        },
        "G/a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
    }
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * 4


def entry(**items):
    return lambda header: header["G/a"].update(items)


def metadata(**items):
    return lambda header: header["__metadata__"].update(items)


BAD = {
    "another program": (lambda header: header.pop("__metadata__"), "another program"),
    "later version": (metadata(format_version="2"), "format version '2'"),
    "settings no JSON": (metadata(D="{"), "settings of D"),
    "settings no object": (metadata(D="[]"), "settings of D"),
    "settings impossible": (metadata(G='{"resolution": 12}'), "its setting resolution is 12"),
    "double precision": (entry(dtype="F64"), "float32"),
    "half precision in the place of single": (entry(dtype="F16"), "wrong place"),
    "negative": (entry(shape=[-1]), "float32"),
    "other size": (entry(shape=[2]), "wrong place"),
    "elsewhere": (entry(data_offsets=[4, 8]), "wrong place"),
    "no finite place": (entry(data_offsets=[0, float("inf")]), "wrongly"),
    "no place": (entry(data_offsets=None), "wrongly"),
    "huge": (entry(shape=[1 << 39, 1 << 39], data_offsets=[0, 4 << 78]), "cut short"),
    "unknown": (lambda header: header.update({"E/x": header.pop("G/a")}), "unknown tensor 'E/x'"),
    "too little": (lambda header: header.pop("G/a"), "4 bytes behind"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_damage_is_named(name, tmp_path):
    change, message = BAD[name]
    (tmp_path / "n.safetensors").write_bytes(with_header(change))
    with pytest.raises(UserError) as caught:
        read_snapshot(tmp_path / "n.safetensors")
    assert message in caught.value.what


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_headers_are_read_or_refused(data, tmp_path_factory):
    content = bytearray(with_header(lambda header: None))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"null", b"-1", b"1e999", b"{}", b"[]", b'"x"', b"[[[[", b"true", b"NaN"])
        )
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(bytes(content))
    with suppress(UserError):
        read_snapshot(path)


def test_truncated(tmp_path):
    write_safetensors(tmp_path / "n.safetensors", small_snapshot())
    data = (tmp_path / "n.safetensors").read_bytes()
    for end in (9, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.safetensors").write_bytes(data[:end])
        with pytest.raises(UserError, match="cut short"):
            read_snapshot(tmp_path / "cut.safetensors")
