import ast
import subprocess
import sys

import numpy as np
import pytest

from sg2ada_colab.formats.embedded_source import embedded_source
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.tf import IS_TF1
from tests.conftest import DATA
from tests.oracles.small_snapshots import small_snapshot

needs_tf1 = pytest.mark.skipif(not IS_TF1, reason="the embedded source is for TensorFlow 1.14")


def test_it_parses_and_needs_only_numpy_and_tensorflow():
    tree = ast.parse(embedded_source())
    imports = [alias.name for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names]
    assert imports == ["numpy", "tensorflow"]
    functions = {node.name: node.args for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {"G_main", "G_mapping", "G_synthesis", "D_main"} <= set(functions)
    for name in ("G_main", "G_mapping", "G_synthesis", "D_main"):
        assert functions[name].kwarg is not None  # unknown options are accepted
    without_default = {
        name: [a.arg for a in args.args[: len(args.args) - len(args.defaults)]] for name, args in functions.items()
    }
    assert without_default["G_main"] == without_default["G_mapping"] == ["latents_in", "labels_in"]
    assert without_default["G_synthesis"] == ["dlatents_in"] and without_default["D_main"] == ["images_in", "labels_in"]


TAGS = ["tf_uncond", "tf_cond", "pt_uncond", "pt_cond"]
ARCHITECTURES = {"orig": ("orig", "orig"), "other": ("resnet", "skip"), "rgba": ("skip", "skip"), "tall": ("skip", "resnet"),
                 "wide rgba": ("skip", "resnet")}  # fmt: skip
STARTS = {"tall": (6, 3), "wide rgba": (4, 6)}  # height and width of what synthesis begins with


def other_snapshot(name):
    G, D = ARCHITECTURES[name]
    shape = {"init_res": STARTS.get(name, (4, 4)), "num_channels": 4 if "rgba" in name else 1}
    return small_snapshot(g_architecture=G, d_architecture=D, label_size=3, resolution=32, **shape)


def other_inputs(config):
    rng = np.random.RandomState(5)
    inputs = {
        "z": rng.randn(2, 5),
        "labels": np.eye(3)[[0, 2]],
        "images": rng.randn(4, config.num_channels, config.height, config.width),
        "D_labels": np.eye(3)[[0, 1, 2, 1]],
    }
    return {name: value.astype(np.float32) for name, value in inputs.items()}


@pytest.fixture(scope="module")
def original_way(tmp_path_factory, reference):
    """Return dict name → what a program with TensorFlow 1.14 makes of our files, in one process of its own."""
    folders, numbers = {}, reference("pickles")
    for name in TAGS + sorted(ARCHITECTURES):
        folder = folders[name] = tmp_path_factory.mktemp(name.replace(" ", "-"))
        if name in TAGS:
            snapshot = read_snapshot(DATA / f"network_{name}.pkl")
            keys = {"z": ".z", "labels": ".labels", "images": ".D_images", "D_labels": ".D_labels"}
            inputs = {key: numbers[name + end] for key, end in keys.items()}
        else:
            snapshot = other_snapshot(name)
            inputs = other_inputs(snapshot.D.config)
        write_network_pickle(folder / "n.pkl", snapshot, embedded_source())
        np.savez(str(folder / "in.npz"), **inputs)
    command = [sys.executable, "-m", "tests.oracles.tflib_loader"] + [str(folder) for folder in folders.values()]
    subprocess.run(command, check=True, timeout=600)
    return {name: np.load(str(folder / "out.npz")) for name, folder in folders.items()}


@needs_tf1
@pytest.mark.slow
@pytest.mark.parametrize("tag", TAGS)
def test_it_gives_the_reference_images(tag, original_way, reference, relmax):
    numbers, snapshot, got = reference("pickles"), read_snapshot(DATA / f"network_{tag}.pkl"), original_way[tag]
    prefix = tag + (".Gs_images_" if tag.startswith("tf") else ".G_ema_images_")
    assert relmax(got["psi1"], numbers[prefix + "psi1"]) < 2e-5
    assert relmax(got["psi05"], numbers[prefix + "psi05"]) < 2e-5
    assert relmax(got["synthesis"], numbers[prefix + "psi1"]) < 2e-5
    for name in ("w", "returned_w"):
        assert relmax(got[name], numbers[tag + ".w"]) < 2e-5
    assert relmax(got["scores"], numbers[tag + ".D_scores"]) < 2e-5
    # Training: the average of w moves, mixing and random noise change the images.
    w = snapshot.G.variables["dlatent_avg"]
    assert relmax(got["training"], numbers[tag + ".G_images_psi1"]) < 2e-5
    assert np.abs(got["average_after"] - w).max() > 0
    assert np.abs(got["mixed"] - got["training"]).max() > 1e-2
    assert np.abs(got["random_noise"] - got["psi1"]).max() > 1e-2
    assert np.abs(got["cutoff"] - got["psi1"]).max() > 1e-2 and np.abs(got["cutoff"] - got["psi05"]).max() > 1e-2
    if "w_without_labels" in got.files:
        np.testing.assert_array_equal(got["w_without_labels"], got["w"])
    # Names that the tools look up, and what is trained.
    assert "G_synthesis/noise0" in got["names"] and "G_synthesis/4x4/Const/const" in got["names"]
    assert got["own"].tolist() == ["dlatent_avg"]
    label_size = snapshot.D.label_size
    assert str(got["D_shapes"]) == str(([[None, 3, 32, 32], [None, label_size]], [[None, 1]]))
    assert not any("noise" in name and "strength" not in name or "dlatent_avg" in name for name in got["trainable"])


@needs_tf1
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_other_architectures_agree_with_our_networks(name, original_way, relmax):
    from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
    from sg2ada_colab.networks.discriminator import Discriminator
    from sg2ada_colab.networks.generator import Generator

    snapshot, got = other_snapshot(name), original_way[name]
    inputs = other_inputs(snapshot.D.config)
    G = Generator(GeneratorConfig.from_kwargs(snapshot.Gs.kwargs), snapshot.Gs.variables, num_fp16_res=0)
    for key, options in (
        ("psi1", {}),
        ("psi05", {"truncation_psi": 0.5}),
        ("cutoff", {"truncation_psi": 0.5, "truncation_cutoff": 2}),
    ):
        expected = np.transpose(G(inputs["z"], inputs["labels"], **options).numpy(), [0, 3, 1, 2])
        assert relmax(got[key], expected) < 2e-5
    D = Discriminator(DiscriminatorConfig.from_kwargs(snapshot.D.kwargs), snapshot.D.variables, num_fp16_res=0)
    assert relmax(got["scores"], D(np.transpose(inputs["images"], [0, 2, 3, 1]), inputs["D_labels"]).numpy()) < 2e-5
