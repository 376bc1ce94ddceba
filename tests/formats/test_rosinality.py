"""rosinality's checkpoints: the numbers of that program from its own layout, there and back, and what has no form."""

import argparse
import io
import pickle
import re
import zipfile
import zlib
from collections import OrderedDict

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.convert import write_snapshot
from sg2ada_colab.formats.network_data import NetworkSnapshot
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.formats.rosinality import EXTRA_GLOBALS
from sg2ada_colab.formats.torch_file import checkpoint_in
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.networks.discriminator import Discriminator
from sg2ada_colab.tf import tf
from tests.oracles.small_snapshots import small_snapshot
from tests.oracles.torch_files import FUNCTIONS, Reduces, torch_modules


class Named:
    """Stands for a storage: the pickler writes its persistent id."""

    def __init__(self, item):
        self.item = item


class Pickler(pickle.Pickler):
    def persistent_id(self, item):
        return item.item if isinstance(item, Named) else None


def save(path, content):
    """Write nested dicts of arrays as torch.save does, with Python's own pickler: the test's writer, not the program's."""
    arrays = []

    def plain(value):
        if isinstance(value, dict):
            return OrderedDict((key, plain(one)) for key, one in value.items())
        if not isinstance(value, np.ndarray):
            return value
        arrays.append(np.ascontiguousarray(value, np.float32))
        storage = Named(("storage", FUNCTIONS["torch", "FloatStorage"], str(len(arrays) - 1), "cpu", value.size))
        strides = tuple(step // 4 for step in arrays[-1].strides)
        return Reduces("torch._utils", "_rebuild_tensor_v2", storage, 0, value.shape, strides, False, OrderedDict())

    stream = io.BytesIO()
    with torch_modules():
        Pickler(stream, 2).dump(plain(content))
    with zipfile.ZipFile(str(path), "w") as archive:
        archive.writestr("x/data.pkl", stream.getvalue())
        for key, array in enumerate(arrays):
            archive.writestr(f"x/data/{key}", array.tobytes())


def by_formula(name, shape, scale, offset):
    values = np.random.RandomState(zlib.crc32(name.encode())).randn(*shape)
    return np.asarray(values).astype(np.float32) * np.float32(scale) + np.float32(offset)


@pytest.fixture(scope="module")
def numbers(reference):
    return reference("rosinality")


def state_of(numbers, kind, name, kernels):
    """Return the state of a network of the references, in their program's names and order."""
    config, state = numbers.json("config"), OrderedDict()
    for key, shape, rule in config[kind][name]["state"]:
        scale, offset = config["rules"][rule]["scale"], config["rules"][rule]["offset"]
        assert re.match(config["rules"][rule]["pattern"] + "$", key)
        state[key] = kernels if scale is None else by_formula(key, shape, scale, offset)
    return state


@pytest.fixture(scope="module")
def small(numbers, tmp_path_factory):
    """The 32 px network with its D, as a file of that program, and its states."""
    g, d = (state_of(numbers, kind, name, numbers["rosi." + kernel]) for kind, name, kernel in (
        ("generators", "g32m2mlp2", "kernel_up"), ("discriminators", "d32m2", "kernel_down")))  # fmt: skip
    path = tmp_path_factory.mktemp("rosinality") / "a.pt"
    average = by_formula("latent_avg", [512], 0.5, 0)
    options = argparse.Namespace(batch=16, lr=0.002)
    save(path, {"g": g, "d": d, "g_ema": g, "latent_avg": average, "args": options, "ada_aug_p": 0.25, "g_optim": {"state": {}}})
    return path, g, d, average


def test_the_numbers_of_that_program(numbers, relmax, small):
    assert np.array_equal(numbers["formula.example"], by_formula("conv1.conv.weight", [2, 3], 1, 0))
    snapshot, about = read_snapshot(small[0]), numbers.json("config")["generators"]["g32m2mlp2"]
    generator = TrainedGenerator(snapshot.Gs, xla=False)
    w = generator.map(numbers["rosi.g32m2mlp2.z"])
    assert relmax(w[:, 0], numbers["rosi.g32m2mlp2.w"]) < 2e-5
    made = {"images": w, "images_trunc": generator.truncate(w, about["psi"]),
            "images_wplus": by_formula("wplus", [2, 8, 512], 1, 0)}  # fmt: skip
    for key, value in made.items():
        assert relmax(generator.synthesize(value).transpose(0, 3, 1, 2), numbers["rosi.g32m2mlp2." + key]) < 2e-5
    seed = numbers.json("config")["discriminators"]["d32m2"]["images_seed"]
    blocks = np.random.RandomState(seed).uniform(-1, 1, (8, 3, 4, 4)).repeat(8, axis=2).repeat(8, axis=3)
    images = np.float32(blocks + 0.25 * np.random.RandomState(seed + 1000).randn(8, 3, 32, 32))
    assert np.array_equal(images.reshape(-1)[:16], numbers["rosi.d32m2.image_head"])
    D = Discriminator(snapshot.D.config, snapshot.D.variables, num_fp16_res=0)
    for count in (4, 8, 2):
        scores = D(tf.constant(images[:count].transpose(0, 2, 3, 1)), tf.zeros([count, 0])).numpy()
        assert relmax(scores, numbers[f"rosi.d32m2.scores{count}"]) < 1e-4


def test_a_converted_file_of_larger_size_without_g_and_d(numbers, relmax, tmp_path):
    state = state_of(numbers, "generators", "g128m1mlp2", numbers["rosi.kernel_up"])
    save(tmp_path / "a.pt", {"g_ema": state, "latent_avg": by_formula("latent_avg", [512], 0.5, 0)})
    snapshot = read_snapshot(tmp_path / "a.pt")
    assert snapshot.Gs.kwargs["fmap_base"] == 8192 and snapshot.notes == [
        "The file holds no discriminator: D is new, with random weights."
    ]
    generator = TrainedGenerator(snapshot.Gs, xla=False)
    images = generator.synthesize(generator.map(numbers["rosi.g128m1mlp2.z"][:1])).transpose(0, 3, 1, 2)
    assert relmax(images, numbers["rosi.g128m1mlp2.images"]) < 2e-5


def test_what_is_written_is_what_that_program_saves(small, tmp_path):
    path, g, d, average = small
    write_snapshot(tmp_path / "b.pt", read_snapshot(path))
    size = (tmp_path / "b.pt").stat().st_size
    with open(str(tmp_path / "b.pt"), "rb") as file:
        content = checkpoint_in(file, size, EXTRA_GLOBALS)
    assert list(content) == ["g_ema", "g", "d", "latent_avg"]
    for key, theirs in (("g_ema", g), ("g", g), ("d", d)):
        assert set(content[key]) == set(theirs)
        for name, value in theirs.items():
            assert content[key][name].size == value.shape and np.array_equal(content[key][name].array(), value), name
    assert np.array_equal(content["latent_avg"].array(), average)
    with zipfile.ZipFile(str(tmp_path / "b.pt")) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {"archive/data.pkl", "archive/version", "archive/data/0"} <= set(archive.namelist())


def narrow(state):
    """Return a state with 16 of 512 channels, for tests that need no numbers."""

    def cut(value):
        return value[tuple(slice(0, 16 if side == 512 else None) for side in value.shape)]

    return OrderedDict((name, value if value.shape == (4, 4) else cut(value)) for name, value in state.items())


def test_without_average_or_noise(small, tmp_path):
    g = OrderedDict((name, value) for name, value in small[1].items() if not name.startswith("noises."))
    save(tmp_path / "old.pt", {"g_ema": g})
    snapshot = read_snapshot(tmp_path / "old.pt")
    assert [note.split(":")[0] for note in snapshot.notes] == [
        "The file holds no noise", "The file holds no latent_avg", "The file holds no discriminator"]  # fmt: skip
    z = np.random.RandomState(0).randn(10000, 512)
    mean = TrainedGenerator(snapshot.Gs, xla=False).map(z[:500])[:, 0].mean(axis=0)
    ours = snapshot.Gs.variables["dlatent_avg"]
    assert np.corrcoef(mean, ours)[0, 1] > 0.5 and np.isfinite(ours).all()
    assert snapshot.Gs.variables["synthesis/noise6"].shape == (1, 1, 32, 32)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda g: g.pop("to_rgb1.bias"), "it lacks to_rgb1.bias"),
        (lambda g: g.update({"extra.weight": np.zeros(1)}), "it has extra.weight"),
        (lambda g: g.update({"convs.0.conv.blur.kernel": np.ones([4, 4])}), "its filter convs.0.conv.blur.kernel is not"),
        (lambda g: g.update({"to_rgbs.0.iwt.ll": np.zeros(1)}), "it is a SWAGAN network"),
        (lambda g: g.pop("style.1.weight"), "is not the generator of stylegan2-pytorch"),
        (lambda g: None, "input.input of shape (1, 16, 4, 4) does not make"),
    ],
)
def test_networks_without_a_form_here(small, tmp_path, change, words):
    state = narrow(small[1])
    change(state)
    save(tmp_path / "a.pt", {"g_ema": state})
    with pytest.raises(UserError) as refused:
        read_snapshot(tmp_path / "a.pt")
    assert words in refused.value.what and "stylegan2-pytorch" in refused.value.expected


def test_a_zip_archive_of_other_things(tmp_path):
    save(tmp_path / "a.pt", {"weights": np.zeros(3, np.float32)})
    with pytest.raises(UserError, match="is a zip archive, such as `torch.save` or NumPy write"):
        read_snapshot(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "settings, words",
    [({"label_size": 3}, "it has 3 labels"), ({"num_channels": 1}, "1 channels of colour"), ({}, "z has 5 numbers and w 4"),
     ({"g_architecture": "resnet"}, "its architecture is resnet"), ({"fmap_max": 64}, "at most 64 channels")],
)  # fmt: skip
def test_networks_without_a_form_there(tmp_path, settings, words):
    with pytest.raises(UserError) as refused:
        write_snapshot(tmp_path / "a.pt", small_snapshot(**settings))
    assert words in refused.value.what and not (tmp_path / "a.pt").exists()


def test_a_discriminator_without_a_form_there_is_left_out_and_said(small, tmp_path):
    snapshot = read_snapshot(small[0])
    snapshot.D.kwargs["mbstd_group_size"] = 8
    made = NetworkSnapshot(snapshot.G, snapshot.D, snapshot.Gs)
    write_snapshot(tmp_path / "a.pt", made)
    assert "D has no form there and is left out" in made.notes[-1]
    assert read_snapshot(tmp_path / "a.pt").notes == ["The file holds no discriminator: D is new, with random weights."]
