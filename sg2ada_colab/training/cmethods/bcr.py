"""Balanced consistency regularisation (bCR; Zhao et al. 2020): D shall score an image and its shifted copy alike."""
from ...augment.config import AugmentConfig
from ...augment.pipeline import augment
from ...tf import tf

REAL_WEIGHT = FAKE_WEIGHT = 10.0
SHIFTS = AugmentConfig(xint=1.0, xint_max=1 / 32)  # applied to every image, on top of what ADA has done to it


def shifted(images, seed):
    """Return the images float32 [N, R, R, C], each moved by up to 1/32 of its size in whole pixels."""
    return augment(images, 1.0, SHIFTS, seed)


def penalty(scores, scores_of_shifted, weight):
    """Return weight · (D(x) − D(T(x)))², to be added to D's loss: [N, 1]."""
    return weight * tf.square(scores - scores_of_shifted)
