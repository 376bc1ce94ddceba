"""The labels that fakes are drawn with: those of the training set."""

from typing import Optional

import numpy as np

from ..errors import UserError


def checked_labels(labels: Optional[np.ndarray], label_size: int) -> np.ndarray:
    """Return the labels to draw from, float32 [N, label_size].

    Raises:
        UserError: They have another size than the network's.
    """
    if labels is None or (label_size == 0 and np.size(labels) == 0):
        return np.eye(label_size, dtype=np.float32) if label_size else np.zeros([1, 0], np.float32)
    labels = np.asarray(labels, np.float32)
    if label_size == 0:
        return np.zeros([1, 0], np.float32)
    if labels.shape[1] != label_size:
        raise UserError(
            f"the network takes labels of {label_size} numbers, the dataset has labels of {labels.shape[1]}",
            "labels of the same size",
            "name with --metricdata the dataset that the network was trained on",
        )
    return labels
