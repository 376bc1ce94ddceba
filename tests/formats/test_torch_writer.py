"""Snapshots in the form of the PyTorch programs: read back by us, bit for bit, and run by a real PyTorch."""

import ast
import io
import os
import subprocess
import sys

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.convert import convert, write_snapshot
from sg2ada_colab.formats.embedded_source import torch_source
from sg2ada_colab.formats.network_data import NetworkData
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.formats.torch_writer import write_torch_pickle
from sg2ada_colab.networks.discriminator import Discriminator
from sg2ada_colab.networks.generator import Generator
from tests.conftest import DATA
from tests.oracles.forms import FORMS
from tests.oracles.small_snapshots import small_snapshot

KINDS = {
    **FORMS,
    "ours": {"init_res": (9, 16), "resolution": 8},
    "labels": {"label_size": 3, "init_res": (3, 5)},
    "labels of pytorch": {"label_size": 2, "d_mapping_layers": 8},
    "resnet and skip": {"g_architecture": "resnet", "d_architecture": "skip", "init_res": (6, 4)},
    "orig": {"g_architecture": "orig", "d_architecture": "orig", "num_channels": 1},
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_back(kind, tmp_path):
    original = small_snapshot(**KINDS[kind])
    write_snapshot(tmp_path / "n.pkl", original, pytorch=True)
    back = read_snapshot(tmp_path / "n.pkl")
    assert back.source == "pytorch"
    for ours, theirs in zip(back.networks(), original.networks()):
        assert ours.config == theirs.config and list(ours.variables) == list(theirs.variables)
        for name, value in theirs.variables.items():
            if name.endswith("mod_bias"):  # there the 1 that it is centred on belongs to it
                np.testing.assert_allclose(ours.variables[name], value, atol=3e-7)
            else:
                np.testing.assert_array_equal(ours.variables[name], value, err_msg=name)


def test_another_filter_and_a_second_passage(tmp_path):
    original = small_snapshot(init_res=(4, 6))
    for network in original.networks():
        network.kwargs["resample_kernel"] = [1, 2, 4, 3]
    write_network_pickle(tmp_path / "tf.pkl", original)
    convert(tmp_path / "tf.pkl", tmp_path / "a.pkl", pytorch=True)
    convert(tmp_path / "a.pkl", tmp_path / "b.pkl", pytorch=True)
    taps = read_snapshot(tmp_path / "b.pkl").Gs.config.resample_kernel
    np.testing.assert_allclose(taps, np.array([1, 2, 4, 3]) / 10, atol=1e-7)


def test_what_has_no_form_is_refused():
    snapshot = small_snapshot()
    snapshot.D = NetworkData("D", dict(snapshot.D.kwargs, score_max=5), snapshot.D.variables)
    with pytest.raises(UserError, match="cannot be written for the PyTorch programs: it has 5 outputs"):
        write_torch_pickle(io.BytesIO(), snapshot)
    with pytest.raises(UserError, match="fewer channels at 4x4"):
        write_torch_pickle(io.BytesIO(), small_snapshot(fmap_base=6))


def test_the_source_needs_torch_alone():
    tree = ast.parse(torch_source())
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert {getattr(node, "module", None) or node.names[0].name for node in imports} == {"math", "torch", "torch.nn"}


@pytest.fixture(scope="module")
def torch_python():
    python = os.environ.get("SG2ADA_TORCH_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs torch; SG2ADA_TORCH_PYTHON names a Python that has it")
    return python


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_pytorch_makes_our_pictures_and_scores(kind, torch_python, tmp_path, relmax):
    snapshot, random = small_snapshot(**KINDS[kind]), np.random.RandomState(1)
    write_snapshot(tmp_path / "n.pkl", snapshot, pytorch=True)
    config = snapshot.Gs.config
    labels = np.eye(config.label_size, dtype=np.float32)[[0, 1]] if config.label_size else np.zeros([2, 0], np.float32)
    given = {"z": random.randn(2, config.latent_size).astype(np.float32), "labels": labels,
             "images": random.randn(2, config.num_channels, config.height, config.width).astype(np.float32)}  # fmt: skip
    np.savez(str(tmp_path / "in.npz"), **given)
    script = DATA.parent / "oracles" / "torch_loader.py"
    subprocess.run([torch_python, str(script), str(tmp_path)], check=True, timeout=300)
    made = np.load(str(tmp_path / "out.npz"))
    G = Generator(config, snapshot.Gs.variables, num_fp16_res=0)
    D = Discriminator(snapshot.D.config, snapshot.D.variables, num_fp16_res=0)
    for psi, cutoff in ((1.0, None), (0.5, 2)):
        expected = G(given["z"], labels, truncation_psi=psi, truncation_cutoff=cutoff).numpy()
        assert relmax(made[f"images{psi}"].transpose(0, 2, 3, 1), expected) < 2e-5
    scores = D(given["images"].transpose(0, 2, 3, 1), labels).numpy()
    assert relmax(made["scores"], scores) < 2e-5
    assert (made["random"] != made["images1.0"]).any()
