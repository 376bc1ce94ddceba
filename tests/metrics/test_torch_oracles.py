"""The arithmetic of FID, KID, precision and recall and inception score against torch-fidelity and pytorch-fid."""

import json
import subprocess

import numpy as np
import pytest

from sg2ada_colab.metrics.fid import frechet_distance
from sg2ada_colab.metrics.inception_score import inception_score
from sg2ada_colab.metrics.kid import kernel_distance
from sg2ada_colab.metrics.precision_recall import precision_and_recall

from .conftest import statistics_of

pytestmark = pytest.mark.slow

# Run by another Python: argv = features (.npz); prints what the two programs make of them
ORACLES = """
import sys, json
import numpy as np, torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from pytorch_fid.fid_score import calculate_frechet_distance
data = np.load(sys.argv[1])
real, fake = torch.from_numpy(data["real"]), torch.from_numpy(data["fake"])
found = {}
stats = [fid_features_to_statistics(features.double()) for features in (fake, real)]
found.update(fid_statistics_to_metric(stats[0], stats[1], False))
found["pytorch_fid"] = calculate_frechet_distance(stats[0]["mu"], stats[0]["sigma"], stats[1]["mu"], stats[1]["sigma"])
found.update(kid_features_to_metric(fake.double(), real.double(), kid_subsets=10, kid_subset_size=100, rng_seed=4, verbose=False,
    kid_kernel="poly", kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1, kid_kernel_rbf_sigma=10.0))
found.update(prc_features_to_metric(fake.double(), real.double(), prc_neighborhood=3, prc_batch_size=64, save_cpu_ram=False,
    verbose=False))
found.update(isc_features_to_metric(torch.from_numpy(data["logits"]), splits=10, shuffle=False))
print(json.dumps({name: float(value) for name, value in found.items()}))
"""


@pytest.fixture(scope="module")
def features():
    draws = np.random.RandomState(9)
    mixing = draws.normal(size=[24, 24]) / 5
    return {
        "real": (draws.normal(size=[500, 24]) @ mixing + 0.5).astype(np.float32),
        "fake": (draws.normal(size=[400, 24]) * 0.9 @ mixing + 0.6).astype(np.float32),
        "logits": draws.normal(0, 2, [300, 15]),
    }


@pytest.fixture(scope="module")
def theirs(torch_python, features, tmp_path_factory):
    path = tmp_path_factory.mktemp("oracles") / "features.npz"
    np.savez(str(path), **features)
    printed = subprocess.run([torch_python, "-c", ORACLES, str(path)], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(printed.decode().splitlines()[-1])


def test_fid(features, theirs):
    # both programs take the unbiased covariance on both sides
    ours = frechet_distance(statistics_of(features["real"], True), statistics_of(features["fake"], True))
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    assert ours == pytest.approx(theirs["pytorch_fid"], rel=1e-6)


def test_kid(features, theirs):
    ours = kernel_distance(features["real"], features["fake"], np.random.RandomState(4), num_subsets=10, max_subset_size=100)
    assert ours == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)


def test_precision_and_recall(features, theirs):
    ours = precision_and_recall(features["real"], features["fake"])
    assert ours == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-7)  # theirs are float32


def test_inception_score(features, theirs):
    exponentials = np.exp(features["logits"])
    mean, std = inception_score(exponentials / exponentials.sum(axis=1, keepdims=True))
    assert mean == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
    assert std == pytest.approx(theirs["inception_score_std"], rel=1e-9)
