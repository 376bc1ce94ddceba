"""Spectral normalisation of D's 3×3 convolutions (Miyato et al. 2018), one power iteration an evaluation."""
from collections import OrderedDict

from ...networks.layers import equalized
from ...tf import tf

STATE_SUFFIX = "_sn"  # of the name of the left singular vector's estimate, [1, outputs]


def state_names(variables):
    """Return {name of a 3×3 weight: name of its state} for D's variables, which hold the states."""
    pairs = {name: name + STATE_SUFFIX for name in variables if name.endswith("/weight")}
    return OrderedDict((name, state) for name, state in pairs.items() if state in variables)


def _unit(x):
    return x * tf.math.rsqrt(tf.reduce_sum(tf.square(x)) + 1e-12)


def largest_singular_value(weight, state):
    """Return (σ of a weight seen as a matrix [inputs, outputs], the new state); gradients flow through the weight alone.

    Args:
        weight: float32 [3, 3, I, O], as it is used.
        state: float32 [1, O].
    """
    matrix = tf.reshape(weight, [-1, weight.shape[-1]])
    fixed = tf.stop_gradient(matrix)
    inputs = _unit(tf.matmul(state, fixed, transpose_b=True))
    outputs = _unit(tf.matmul(inputs, fixed))
    sigma = tf.reduce_sum(tf.matmul(inputs, matrix) * outputs)
    return sigma, outputs


def normalised(variables, update=True):
    """Return D's variables with every 3×3 weight divided by its largest singular value; `update` keeps the iterated states."""
    changed = OrderedDict(variables)
    for name, state in state_names(variables).items():
        sigma, outputs = largest_singular_value(equalized(variables[name]), variables[state])
        changed[name] = variables[name] / sigma
        if update:
            variables[state].assign(outputs)
    return changed
