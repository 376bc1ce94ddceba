"""From what a person says of the class to label vectors."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.labels import label_vectors

EYE = np.eye(3)


@pytest.mark.parametrize(
    "chosen, count, expected",
    [
        (1, 2, EYE[[1, 1]]),
        (np.int64(2), 1, EYE[[2]]),
        ([0, 2], 2, EYE[[0, 2]]),
        ([1, 2, 0], 3, EYE[[1, 2, 0]]),  # as many integers as pictures are class numbers
        ([0.0, 0.5, 0.5], 3, [[0, 0.5, 0.5]] * 3),
        ([0, 1, 0], 1, [[0, 1, 0]]),
        (EYE[[2, 2]], 2, EYE[[2, 2]]),
        ("none", 2, np.zeros([2, 3])),
    ],
)
def test_classes(chosen, count, expected):
    vectors = label_vectors(chosen, count, 3)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.asarray(expected, np.float32))


@pytest.mark.parametrize("chosen", [3, -1, 1.5, "dog", [0.5, 0.5], [[1, 0, 0]], [1, 7], float("nan")])
def test_a_class_that_is_not_there(chosen):
    with pytest.raises(UserError, match="cats has no class") as error:
        label_vectors(chosen, 2, 3, "cats")
    assert error.value.expected == "a class number from 0 to 2, or a vector of 3 numbers"


def test_a_network_with_classes_wants_one():
    with pytest.raises(UserError, match="cats makes 3 classes, and none is chosen") as error:
        label_vectors(None, 1, 3, "cats")
    assert "--class=0" in error.value.next_step


def test_a_network_without_classes():
    for nothing in (None, "none", []):
        assert label_vectors(nothing, 4, 0).shape == (4, 0)
    with pytest.raises(UserError, match="cats was trained without classes, and class 1 is asked for"):
        label_vectors(1, 1, 0, "cats")
