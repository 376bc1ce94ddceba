import numpy as np
import pytest

from sg2ada_colab.byte_source import MemorySource, Refused
from sg2ada_colab.formats.network_data import Unsupported, check_snapshot
from sg2ada_colab.formats.network_pickle import read_network_pickle
from sg2ada_colab.formats.read import ALL_GLOBALS, read_snapshot, snapshot_of_content
from sg2ada_colab.unpickler import load
from tests.conftest import DATA
from tests.oracles import torch_files
from tests.oracles.small_snapshots import small_snapshot
from tests.oracles.torch_files import torch_pickle_bytes


def read(data):
    return snapshot_of_content(load(MemorySource(data), ALL_GLOBALS))


def assert_same_values(read_back, original):
    """Equal bit for bit, but for the style biases, whose 1 was added and taken off again in float32."""
    for one, other in zip(read_back.networks(), original.networks()):
        assert list(one.variables) == list(other.variables)
        for name, value in other.variables.items():
            got = one.variables[name]
            assert got.dtype == np.float32 and got.flags.c_contiguous and got.flags.writeable
            if name.endswith("mod_bias"):
                np.testing.assert_array_equal(got, (value + np.float32(1)) - np.float32(1))
            else:
                np.testing.assert_array_equal(got, value, err_msg=name)


@pytest.mark.parametrize("tag", ["uncond", "cond"])
@pytest.mark.parametrize("protocol", [3, 4])
def test_tensorflow_to_pytorch_and_back(tag, protocol):
    original = read_network_pickle(DATA / f"network_tf_{tag}.pkl")
    back = read(torch_pickle_bytes(original, protocol))
    assert_same_values(back, original)
    for one, other in zip(back.networks(), original.networks()):
        assert one.kwargs == other.kwargs
    assert back.source == "pytorch" and back.details["augmentation p"] == 0.25


@pytest.mark.parametrize(
    "options",
    [{"permuted": True}, {"offset": 3}, {"frozen": True}, {"flat": True}, {"modern": True}, {"permuted": True, "offset": 5}],
)
def test_strides_offsets_and_frozen_layers_are_honoured(options):
    original = small_snapshot(label_size=2, num_channels=1)
    assert_same_values(read(torch_pickle_bytes(original, **options)), original)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("architectures", [("orig", "orig"), ("resnet", "skip"), ("skip", "resnet")])
def test_architectures(architectures, channels):
    original = small_snapshot(
        g_architecture=architectures[0], d_architecture=architectures[1], resolution=32, num_channels=channels
    )
    back = read(torch_pickle_bytes(original))
    assert_same_values(back, original)
    assert (back.G.kwargs.get("architecture", "skip"), back.D.kwargs.get("architecture", "resnet")) == architectures


def test_mapping_layers_of_a_conditional_discriminator_are_kept_and_explained():
    original = small_snapshot(label_size=3, d_mapping_layers=8)
    back = read(torch_pickle_bytes(original))
    assert_same_values(back, original)
    assert back.D.kwargs["mapping_layers"] == 8 and back.D.kwargs["mapping_lrmul"] == 0.01
    assert "Mapping7/weight" in back.D.variables
    assert len(back.notes) == 1 and "8 mapping layers" in back.notes[0]
    assert read(torch_pickle_bytes(small_snapshot(label_size=3))).notes == []


def test_half_precision_tensors_become_float32():
    original = small_snapshot()
    original.D.variables["Output/bias"] = np.array([1.5], np.float16)
    assert read(torch_pickle_bytes(original)).D.variables["Output/bias"].tolist() == [1.5]


@pytest.mark.parametrize("tag", ["uncond", "cond"])
def test_reference_files_of_pytorch(tag):
    snapshot = read_snapshot(DATA / f"network_pt_{tag}.pkl")
    assert snapshot.source == "pytorch"
    assert snapshot.Gs.kwargs["mapping_layers"] == 2 and snapshot.Gs.kwargs["fmap_base"] == 96
    assert ("mapping_layers" in snapshot.D.kwargs) == (tag == "cond")
    assert snapshot.details["training set"]["path"] == "dataset.zip"
    assert snapshot.details.get("augmentation p") == (0.3125 if tag == "uncond" else None)


def refusal(snapshot, **options):
    """Return the message for a PyTorch file that cannot be used."""
    with pytest.raises(Refused) as caught:
        read(torch_pickle_bytes(snapshot, **options))
    assert "again" not in getattr(caught.value, "next_step", "")  # what is unsupported is not called damaged
    return str(caught.value)


def test_wrong_shapes_and_settings_are_named(monkeypatch):
    snapshot = small_snapshot()
    snapshot.Gs.variables["synthesis/8x8/Conv1/weight"] = np.zeros((3, 3, 5, 5), np.float32)
    assert "synthesis.b8.conv1.weight of shape (5, 5, 3, 3)" in refusal(snapshot)
    snapshot = small_snapshot()
    snapshot.D.kwargs["fmap_max"] = 0
    assert "fmap_max" in refusal(snapshot)
    snapshot = small_snapshot()
    snapshot.D.kwargs["conv_clamp"] = object  # pickled by name
    assert "asks for" in refusal(snapshot)
    build = torch_files.module
    monkeypatch.setattr(
        torch_files,
        "module",
        lambda kind, *rest, **more: build(
            kind, *rest, **{key: 24 if key == "img_resolution" else value for key, value in more.items()}
        ),
    )
    assert "its setting resolution is 24" in refusal(small_snapshot())


STRANGE_SETTINGS = [
    {"img_resolution": "x"},
    {"conv_clamp": {1: 2}},
    {"num_layers": None},
    {"bias_gain": [1]},
    {"group_size": b"4"},
    {"architecture": ["skip"]},
    {"init_kwargs": {"synthesis_kwargs": 5}},
    {"w_avg_beta": b"x"},
]


@pytest.mark.parametrize("change", STRANGE_SETTINGS)
def test_settings_of_unexpected_kinds_are_refused(change, monkeypatch):
    build = torch_files.module

    def changed(kind, *rest, **more):
        return build(kind, *rest, **dict(more, **{key: value for key, value in change.items() if key in more}))

    monkeypatch.setattr(torch_files, "module", changed)
    assert refusal(small_snapshot(label_size=2))


STRANGE_SHAPES = [
    "mapping/LabelEmbed/weight",
    "dlatent_avg",
    "synthesis/noise3",
    "synthesis/8x8/Conv1/mod_bias",
    "mapping/Dense0/weight",
]


@pytest.mark.parametrize("shape", [(), (0,), (1, 1, 1, 1, 1)])
@pytest.mark.parametrize("name", STRANGE_SHAPES)
def test_tensors_of_unexpected_shapes_are_refused(name, shape, monkeypatch):
    tensor = torch_files.tensor
    snapshot = small_snapshot(label_size=2)
    value = snapshot.G.variables[name]
    forms = [value.T, value + np.float32(1), value.reshape(value.shape[-2:])]  # as a PyTorch file may hold it

    def changed(array, *rest):
        return tensor(np.zeros(shape) if any(np.array_equal(array, form) for form in forms) else array, *rest)

    monkeypatch.setattr(torch_files, "tensor", changed)
    assert refusal(snapshot)


def test_alias_free_networks_and_missing_ones_are_named():
    module, tensor = torch_files.module, torch_files.tensor

    def stylegan3():
        inputs = module("SynthesisInput", {}, {"freqs": tensor(np.zeros(2))})
        return module("Generator", children={"synthesis": module("SynthesisNetwork", children={"input": inputs})})

    assert refusal(small_snapshot(), extra={"G": stylegan3}) == "it is a StyleGAN3 network (alias-free)"
    with pytest.raises(Unsupported):
        read(torch_pickle_bytes(small_snapshot(), extra={"G": stylegan3}))
    assert "no network G_ema" in refusal(small_snapshot(), extra={"G_ema": lambda: None})
    assert "no network D" in refusal(small_snapshot(), extra={"D": lambda: 5})
    assert "not a StyleGAN2 generator" in refusal(small_snapshot(), extra={"G_ema": lambda: module("Other")})
    assert "not a StyleGAN2 discriminator" in refusal(small_snapshot(), extra={"D": lambda: module("Other")})


def test_a_discriminator_without_tensorflow_form_is_explained():
    """PyTorch makes the last layers as wide as those at 4x4, TensorFlow by fmap_base; they differ for very small networks."""
    snapshot = small_snapshot()
    snapshot.D.variables["4x4/Dense0/weight"] = np.zeros((96, 5), np.float32)
    snapshot.D.variables["4x4/Dense0/bias"] = np.zeros(5, np.float32)
    assert "no TensorFlow form" in refusal(snapshot)
    with pytest.raises(Unsupported):
        read(torch_pickle_bytes(snapshot))


def test_a_generator_alone_is_read_with_a_new_discriminator():
    source = small_snapshot(label_size=3)
    alone = read(torch_pickle_bytes(source, extra={"G": lambda: None, "D": lambda: None}))
    assert alone.notes == ["The file holds no discriminator: D is new, with random weights."]
    for name, value in source.Gs.variables.items():
        assert np.abs(alone.Gs.variables[name] - value).max() < 1e-6  # the bias of styles is kept with 1 added
        assert np.array_equal(alone.G.variables[name], alone.Gs.variables[name])
    assert alone.D.config.resolution == 16 and alone.D.config.label_size == 3 and alone.D.config.architecture == "resnet"
    assert alone.D.variables["Output/weight"].std() > 0
    check_snapshot(alone)
