"""Fréchet distance of two Gaussians fitted to features (Heusel et al. 2017, section 3), in plain NumPy."""

import numpy as np

from .statistics import FeatureStatistics


def frechet_distance(reals: FeatureStatistics, fakes: FeatureStatistics) -> float:
    """Return |mu_f - mu_r|^2 + tr(C_f + C_r - 2 (C_f C_r)^(1/2)) of two FeatureStatistics.

    The trace of the root is the sum of the roots of the eigenvalues of C_r^(1/2) C_f C_r^(1/2), which is symmetric and positive
    semi-definite, so the result stays finite with fewer vectors than dimensions, where a matrix square root fails.
    """
    eigenvalues, vectors = np.linalg.eigh(reals.covariance)
    root = (vectors * np.sqrt(np.maximum(eigenvalues, 0.0))) @ vectors.T
    sandwich = root @ fakes.covariance @ root
    root_trace = np.sqrt(np.maximum(np.linalg.eigvalsh((sandwich + sandwich.T) / 2), 0.0)).sum()
    difference = fakes.mean - reals.mean
    return float(difference @ difference + np.trace(reals.covariance) + np.trace(fakes.covariance) - 2.0 * root_trace)
