"""Directions of w: against an eigenvalue problem and plain NumPy, signs and lengths, groups of seeds, layers."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.directions import closed_form_directions, direction_between, move, pca_directions
from sg2ada_colab.generate.generator import TrainedGenerator
from tests.oracles.small_snapshots import small_snapshot


@pytest.fixture(scope="module")
def generator():
    return TrainedGenerator(small_snapshot(3, dlatent_size=4).Gs, xla=False)


@pytest.fixture(scope="module")
def samples(generator):
    w = generator.map(np.random.RandomState(0).randn(10000, 5))[:, 0].astype(np.float64)
    return w - w.mean(axis=0)


@pytest.mark.parametrize("layers", [None, [1, 2], [0, 4]])
def test_closed_form_directions_are_eigenvectors_of_the_affines(generator, samples, layers):
    """SeFa's own statement: the eigenvectors of AᵀA with the largest eigenvalues."""
    names = {0: "4x4/Conv", 1: "8x8/Conv0_up", 2: "8x8/Conv1", 3: "16x16/Conv0_up", 4: "16x16/Conv1"}
    taken = [name for number, name in names.items() if layers is None or number in layers]
    total = sum(
        matrix @ matrix.T
        for matrix in (np.float64(generator.network.variables[f"synthesis/{name}/mod_weight"]) for name in taken)
    )
    values, vectors = np.linalg.eigh(total)
    found = closed_form_directions(generator, 3, layers)
    for number, one in enumerate(found):
        expected = vectors[:, -1 - number]
        unit = one.vector / np.linalg.norm(one.vector)
        assert abs(unit @ expected) > 1 - 1e-6
        assert one.vector[np.abs(one.vector).argmax()] > 0
        assert np.linalg.norm(one.vector) == pytest.approx((samples @ expected).std(), rel=1e-5)
        assert one.name == f"weights{number}" and one.layers == (None if layers is None else tuple(layers))


def test_principal_components_are_those_of_the_singular_values(generator, samples):
    _, values, vectors = np.linalg.svd(samples, full_matrices=False)
    for number, one in enumerate(pca_directions(generator, 4)):
        length = values[number] / np.sqrt(len(samples))
        assert np.linalg.norm(one.vector) == pytest.approx(length, rel=1e-5)
        assert abs(one.vector @ vectors[number]) == pytest.approx(length, rel=1e-5)


def test_a_direction_between_groups_leads_from_one_mean_to_the_other(generator):
    made = direction_between(generator, [1, 2], [5], "brighter", layers=[2, 0])
    start, end = generator.w([5])[:, 0], generator.w([1, 2])[:, 0].mean(axis=0)
    assert np.abs(start + made.vector - end).max() < 1e-5
    assert made.name == "brighter" and made.layers == (0, 2) and made.origin == "2 seeds rather than 1"
    with pytest.raises(UserError, match="The seeds 5 are in both groups"):
        direction_between(generator, [1, 5], [5], "x")
    with pytest.raises(UserError, match="cannot be the name of a direction"):
        direction_between(generator, [1], [5], "../x")


def test_moving_changes_the_chosen_layers_only(generator):
    made, w = direction_between(generator, [1], [5], "x", layers=[0, 2]), generator.w([7, 8])
    moved = move(w, made, [2.0, -1.0])
    for layer in range(w.shape[1]):
        expected = w[:, layer] + (np.float32([[2], [-1]]) * made.vector if layer in (0, 2) else 0)
        assert np.array_equal(moved[:, layer], expected)
    assert np.array_equal(move(w, made, 1.0, layers=[5])[:, 5], w[:, 5] + made.vector)
    assert np.array_equal(move(w, made, 0.0), w)


def test_a_network_with_classes_needs_one():
    with pytest.raises(UserError, match="makes 3 classes, and none is chosen"):
        pca_directions(TrainedGenerator(small_snapshot(label_size=3).Gs, xla=False))


@pytest.mark.parametrize(
    "count, layers, words", [(0, None, "0 directions"), (5, None, "5 directions"), (1, [5], "is the style of a convolution")]
)
def test_bad_input(generator, count, layers, words):
    with pytest.raises(UserError, match=words):
        closed_form_directions(generator, count, layers)
