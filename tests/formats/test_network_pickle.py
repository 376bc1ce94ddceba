import io
import pickle
import pickletools
import sys
import tracemalloc
from types import ModuleType

import numpy as np
import pytest

from sg2ada_colab.byte_source import Refused
from sg2ada_colab.formats import network_pickle
from sg2ada_colab.formats.network_data import NetworkData, NetworkSnapshot
from sg2ada_colab.formats.network_pickle import read_network_pickle, write_network_pickle
from sg2ada_colab.formats.pickle_writer import PickleWriter
from tests.conftest import DATA

GLOBALS = [
    "dnnlib.tflib.network Network",
    "numpy.core.multiarray _reconstruct",
    "numpy ndarray",
    "numpy dtype",
    "numpy.core.multiarray scalar",
]
STATE_KEYS = [
    "version",
    "name",
    "static_kwargs",
    "components",
    "build_module_src",
    "build_func_name",
    "variables",
    "input_shapes",
    "output_shapes",
    "input_names",
    "output_names",
]


def random_snapshot(seed=0, label_size=3):
    rng = np.random.RandomState(seed)

    def generator(name):
        return NetworkData(
            name,
            {
                "num_channels": 3,
                "resolution": 16,
                "label_size": label_size,
                "fmap_base": 16384,
                "fmap_max": 8,
                "mapping_layers": 2,
                "num_fp16_res": 4,
                "conv_clamp": 256,
                "style_mixing_prob": None,
            },
            {
                "dlatent_avg": rng.randn(512).astype(np.float32),
                "synthesis/noise0": rng.randn(1, 1, 4, 4).astype(np.float32),
                "synthesis/4x4/Conv/weight": rng.randn(3, 3, 8, 8).astype(np.float32),
                "synthesis/4x4/Conv/noise_strength": np.float32(rng.randn()),
                "mapping/Dense0/weight": rng.randn(1024, 8).astype(np.float32),
            },
        )

    D = NetworkData(
        "D",
        {
            "num_channels": 3,
            "resolution": 16,
            "label_size": label_size,
            "mbstd_group_size": None,
            "fmap_base": 16384,
            "fmap_max": 8,
            "num_fp16_res": 4,
            "conv_clamp": 0.5,
            "architecture": "orig",
            "structure": 2**40,
            "conditioning": -3,
            "resample_kernel": [1, 3, 3, 1],
        },
        {"16x16/FromRGB/weight": rng.randn(1, 1, 3, 8).astype(np.float32), "4x4/Dense0/bias": rng.randn(8).astype(np.float32)},
    )
    return NetworkSnapshot(generator("G"), D, generator("Gs"))


def written(snapshot, source_text=""):
    file = io.BytesIO()
    write_network_pickle(file, snapshot, source_text)
    return file.getvalue()


def assert_same_networks(a, b):
    for one, other in zip(a.networks(), b.networks()):
        assert one.name == other.name
        assert one.kwargs == other.kwargs
        assert [type(v) for v in one.kwargs.values()] == [type(v) for v in other.kwargs.values()]
        assert list(one.variables) == list(other.variables)
        for name, value in one.variables.items():
            got = other.variables[name]
            assert np.asarray(got).dtype == np.float32 and np.shape(got) == np.shape(value), name
            assert np.asarray(value).tobytes() == np.asarray(got).tobytes(), name


class PlainNetwork:
    """A stand-in for the class that the files name, for Python's own unpickler."""


@pytest.fixture
def plain_loads(monkeypatch):
    """Open a pickle as any program would whose modules have NVIDIA's names."""
    for name in ("dnnlib", "dnnlib.tflib", "dnnlib.tflib.network"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["dnnlib.tflib.network"].Network = PlainNetwork
    return pickle.loads


def structure(network):
    """Return everything of an unpickled network but the numbers."""
    state = dict(vars(network))
    state["variables"] = [
        (
            name,
            type(value).__name__,
            getattr(value, "dtype", None),
            np.shape(value),
            getattr(value, "flags", None) is None or value.flags.c_contiguous,
        )
        for name, value in state["variables"]
    ]
    state["components"] = [(key, structure(inner)) for key, inner in state["components"].items()]
    return list(state.items())


@pytest.mark.parametrize("tag", ["uncond", "cond"])
def test_a_rewritten_file_is_the_same_to_pythons_own_unpickler(tag, plain_loads):
    path = DATA / f"network_tf_{tag}.pkl"
    snapshot = read_network_pickle(path)
    mine, theirs = plain_loads(written(snapshot)), plain_loads(path.read_bytes())
    assert isinstance(mine, tuple)
    for ours, original in zip(mine, theirs):
        assert structure(ours) == structure(original)
        for (_, a), (_, b) in zip(ours.variables, original.variables):
            np.testing.assert_array_equal(a, b)
        for key in original.components:
            for (_, a), (_, b) in zip(ours.components[key].variables, original.components[key].variables):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("tag", ["uncond", "cond"])
def test_reading_agrees_with_pythons_own_unpickler(tag, plain_loads):
    path = DATA / f"network_tf_{tag}.pkl"
    snapshot = read_network_pickle(path)
    for network, original in zip(snapshot.networks(), plain_loads(path.read_bytes())):
        assert network.kwargs == original.static_kwargs
        expected = dict(original.variables)
        for key, component in original.components.items():
            expected.update((f"{key}/{name}", value) for name, value in component.variables)
        assert list(network.variables) == list(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(network.variables[name], value)
            assert network.variables[name].flags.writeable and network.variables[name].flags.c_contiguous


def test_round_trip_is_exact():
    for seed, label_size in ((0, 0), (1, 3)):
        snapshot = random_snapshot(seed, label_size)
        data = written(snapshot)
        back = read_network_pickle(data)
        assert_same_networks(snapshot, back)
        assert written(back) == data


def test_golden_list_of_instructions_and_names():
    seen, names, snapshot = set(), [], random_snapshot()
    snapshot.D.variables.update((f"layer{i}/bias", np.float32(i)) for i in range(300))  # past the short references
    for opcode, argument, _ in pickletools.genops(written(snapshot, "source")):
        seen.add(opcode.name)
        assert opcode.proto <= 3
        if opcode.name == "GLOBAL":
            names.append(argument)
    assert sorted(names) == sorted(GLOBALS)  # each once, nothing else, whatever NumPy runs this
    assert seen == {
        "PROTO",
        "GLOBAL",
        "BINPUT",
        "LONG_BINPUT",
        "BINGET",
        "EMPTY_TUPLE",
        "NEWOBJ",
        "EMPTY_DICT",
        "MARK",
        "BINUNICODE",
        "BININT1",
        "BININT",
        "LONG1",
        "BINFLOAT",
        "NONE",
        "NEWFALSE",
        "SETITEMS",
        "EMPTY_LIST",
        "APPENDS",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "TUPLE",
        "SHORT_BINBYTES",
        "BINBYTES",
        "REDUCE",
        "BUILD",
        "STOP",
    }


def test_state_holds_what_the_original_program_expects(plain_loads):
    G, D, Gs = plain_loads(written(random_snapshot(label_size=3), "text of the source"))
    for network in (G, D, Gs, *G.components.values(), *Gs.components.values()):
        assert list(vars(network)) == STATE_KEYS
        assert network.version == 5 and network.build_module_src == "text of the source"
        assert type(network.static_kwargs) is dict and type(network.components) is dict
    assert [n.name for n in (G, D, Gs)] == ["G", "D", "Gs"]
    assert list(Gs.components) == ["synthesis", "mapping"]
    assert [Gs.components[key].name for key in Gs.components] == ["G_synthesis", "G_mapping"]
    assert [n.build_func_name for n in (G, D, G.components["synthesis"], G.components["mapping"])] == [
        "G_main",
        "D_main",
        "G_synthesis",
        "G_mapping",
    ]
    assert (G.input_shapes, G.output_shapes) == ([[None, 512], [None, 3]], [[None, 3, 16, 16]])
    assert (G.input_names, G.output_names) == (["latents_in", "labels_in"], ["images_out"])
    synthesis, mapping = G.components["synthesis"], G.components["mapping"]
    assert (synthesis.input_shapes, synthesis.output_shapes) == ([[None, 6, 512]], [[None, 3, 16, 16]])
    assert (synthesis.input_names, synthesis.output_names) == (["dlatents_in"], ["images_out"])
    assert (mapping.input_shapes, mapping.output_shapes) == ([[None, 512], [None, 3]], [[None, 6, 512]])
    assert (mapping.input_names, mapping.output_names) == (["latents_in", "labels_in"], ["dlatents_out"])
    assert (D.input_shapes, D.output_shapes) == ([[None, 3, 16, 16], [None, 3]], [[None, 1]])
    assert (D.input_names, D.output_names) == (["images_in", "labels_in"], ["scores_out"])
    assert list(mapping.static_kwargs)[0] == "dlatent_broadcast" and mapping.static_kwargs["dlatent_broadcast"] == 6
    assert "style_mixing_prob" in G.static_kwargs and "style_mixing_prob" not in synthesis.static_kwargs
    assert [name for name, _ in G.variables] == ["dlatent_avg"]
    strength = dict(synthesis.variables)["4x4/Conv/noise_strength"]
    assert type(strength) is np.float32


def test_arrays_are_written_as_contiguous_float32(plain_loads):
    snapshot = random_snapshot()
    wide = np.arange(24, dtype=np.float64).reshape(4, 6).T
    snapshot.D.variables = {"a": wide, "b": np.array(2.5), "c": np.zeros((0, 3), np.float32), "d": np.arange(3, dtype=">f4")}
    _, D, _ = plain_loads(written(snapshot))
    values = dict(D.variables)
    np.testing.assert_array_equal(values["a"], wide)
    assert values["a"].dtype == np.float32 and values["a"].flags.c_contiguous
    assert values["b"] == 2.5 and type(values["b"]) is np.float32
    assert values["c"].shape == (0, 3)
    np.testing.assert_array_equal(values["d"], [0, 1, 2])


def test_path_and_file_give_the_same(tmp_path):
    path = tmp_path / "network-snapshot-000000.pkl"
    write_network_pickle(path, random_snapshot())
    assert path.read_bytes() == written(random_snapshot())
    assert_same_networks(read_network_pickle(path), random_snapshot())


def test_large_arrays_keep_their_own_memory(tmp_path):
    snapshot = random_snapshot()
    snapshot.D.variables["large"] = np.random.RandomState(3).randn(300, 300).astype(np.float32)
    write_network_pickle(tmp_path / "n.pkl", snapshot)
    read = read_network_pickle(tmp_path / "n.pkl").D.variables["large"]
    np.testing.assert_array_equal(read, snapshot.D.variables["large"])
    read += 1  # writable


def test_memory_stays_near_the_size_of_the_file(tmp_path):
    """Nothing is copied on the way to the file, and once on the way back."""
    snapshot, path = random_snapshot(), tmp_path / "n.pkl"
    for network in snapshot.networks():
        network.variables["synthesis/large"] = np.ones((1 << 21,), np.float32)
    tracemalloc.start()
    try:
        write_network_pickle(path, snapshot)
        writing = tracemalloc.get_traced_memory()[1]
        kept = read_network_pickle(path)
        reading = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = path.stat().st_size
    assert kept.G.variables["synthesis/large"].nbytes == 1 << 23
    assert writing < 0.1 * size and reading < 1.2 * size


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_other_protocols_and_fortran_arrays_are_read(protocol, plain_loads):
    G, D, Gs = plain_loads(written(random_snapshot()))
    D.variables = [(name, np.asfortranarray(value) if np.ndim(value) else value) for name, value in D.variables]
    PlainNetwork.__module__, PlainNetwork.__qualname__ = "dnnlib.tflib.network", "Network"
    data = pickle.dumps((G, D, Gs), protocol)
    assert_same_networks(read_network_pickle(data), random_snapshot())


@pytest.mark.parametrize("version, accepted", [(1, False), (2, True), (3, True), (4, True), (5, True), (6, False)])
def test_versions(version, accepted, monkeypatch):
    monkeypatch.setattr(network_pickle, "FORMAT_VERSION", version)
    data = written(random_snapshot())
    if accepted:
        assert_same_networks(read_network_pickle(data), random_snapshot())
    else:
        with pytest.raises(Refused, match=f"version {version}"):
            read_network_pickle(data)


def test_a_single_network_is_named():
    only = b"\x80\x03cdnnlib.tflib.network\nNetwork\n)\x81}(X\x07\x00\x00\x00versionK\x05ub."
    with pytest.raises(Refused, match="single network"):
        read_network_pickle(only)


def test_a_generator_alone_is_read_with_a_new_discriminator():
    source, file = random_snapshot(), io.BytesIO()
    writer = PickleWriter(file)
    writer.raw(b"\x80\x03")
    network_pickle._write_network(writer, network_pickle._main_state(source.Gs, ""))
    writer.raw(b".")
    alone = read_network_pickle(file.getvalue())
    assert alone.notes == ["The file holds no discriminator: D is new, with random weights."]
    for name, value in source.Gs.variables.items():
        assert np.array_equal(alone.Gs.variables[name], value) and np.array_equal(alone.G.variables[name], value)
    assert alone.D.config.resolution == source.Gs.resolution and alone.D.variables["Output/weight"].std() > 0
