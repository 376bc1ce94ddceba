"""Snapshots with the tensors, parameters and modules of a real PyTorch are read, bit for bit."""

import os
import subprocess
import sys

import pytest

from sg2ada_colab.formats.read import read_snapshot
from tests.conftest import DATA
from tests.formats.test_torch_layout import assert_same_values
from tests.oracles.small_snapshots import small_snapshot

SCRIPT = DATA.parent / "oracles" / "real_torch.py"


def test_a_file_of_torch_2_14():
    snapshot = read_snapshot(DATA / "network_torch_2.14.pkl")
    assert_same_values(snapshot, small_snapshot(label_size=2))
    assert snapshot.source == "pytorch" and snapshot.details["augmentation p"] == 0.25


@pytest.mark.slow
@pytest.mark.parametrize("words", ["3", "4 permuted", "4 offset", "5"])
def test_files_of_the_torch_that_is_here(words, tmp_path):
    python = os.environ.get("SG2ADA_TORCH_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs torch; SG2ADA_TORCH_PYTHON names a Python that has it")
    path = tmp_path / "network.pkl"
    subprocess.run([python, str(SCRIPT), str(path)] + words.split(), check=True)
    assert_same_values(read_snapshot(path), small_snapshot(label_size=2))
