"""Adam in TensorFlow's form with moments shared by main and lazy-regularisation steps, and the moving average of G."""

import functools
from collections import OrderedDict
from typing import Dict, List, Optional, Sequence, Union

import numpy as np

from ..networks.weights import Network
from ..tf import IS_TF1, for_gpu_compiler, tf

EPSILON = 1e-8
LARGE = 16384  # elements of a gradient that is reduced by itself

Variables = Dict[str, tf.Variable]


class LazyAdam:
    """Adam (Kingma & Ba 2015) whose step sizes allow for a regularisation step every `reg_interval` minibatches.

    With c = k/(k+1) for an interval k the learning rate becomes lr·c and the decays β^c (StyleGAN2 appendix B). Main and
    regularisation steps share the moments and the powers of the decays. A step with any non-finite gradient changes nothing.

    Args:
        trainable: Ordered dict name → tf.Variable.
        learning_rate, beta1, beta2: As configured, before the correction.
        reg_interval: k, or None for no lazy regularisation.
    """

    def __init__(
        self,
        trainable: Variables,
        learning_rate: float,
        beta1: float = 0.0,
        beta2: float = 0.99,
        reg_interval: Optional[int] = None,
    ) -> None:
        correction = reg_interval / (reg_interval + 1.0) if reg_interval else 1.0
        self.trainable = trainable
        self.learning_rate = learning_rate * correction
        self.beta1, self.beta2 = beta1**correction, beta2**correction
        self.powers = tf.Variable(np.array([self.beta1, self.beta2], np.float32), trainable=False)
        self.second = OrderedDict((name, tf.Variable(tf.zeros_like(v), trainable=False)) for name, v in trainable.items())
        # With β1 = 0 the first moment is the gradient itself and needs no memory.
        self.first = (
            OrderedDict((name, tf.Variable(tf.zeros_like(v), trainable=False)) for name, v in trainable.items()) if beta1 else {}
        )

    def apply(self, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
        """Take one step with a gradient for each variable (list, in order); return whether all of it was finite (bool tensor)."""
        finite = all_finite(gradients)
        rate = self.learning_rate * tf.sqrt(1.0 - self.powers[1]) / (1.0 - self.powers[0])
        # Once, not for each variable: to trace an operation takes a third of a millisecond.
        factors = (self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2, EPSILON)
        keep1, add1, keep2, add2, epsilon = (tf.constant(factor, tf.float32) for factor in factors)
        for (name, variable), gradient in zip(self.trainable.items(), gradients):
            second = keep2 * self.second[name] + add2 * tf.square(gradient)
            first = gradient
            if self.first:
                first = keep1 * self.first[name] + add1 * gradient
                _assign_if(self.first[name], first, finite)
            _assign_if(variable, variable - rate * first / (tf.sqrt(second) + epsilon), finite)
            _assign_if(self.second[name], second, finite)
        _assign_if(self.powers, self.powers * np.array([self.beta1, self.beta2], np.float32), finite)
        return finite

    def state(self) -> Variables:
        """Return the state variables: dict name → tf.Variable."""
        slots = {"second/" + name: v for name, v in self.second.items()}
        slots.update({"first/" + name: v for name, v in self.first.items()})
        return dict(slots, powers=self.powers)


class Accumulator:
    """Sums the gradients of several rounds of one minibatch; `rounds` is how many are added before `take`."""

    def __init__(self, trainable: Variables, rounds: int) -> None:
        self.rounds = rounds
        self.sums = [tf.Variable(tf.zeros_like(v), trainable=False) for v in trainable.values()]

    def add(self, gradients: Sequence[tf.Tensor]) -> None:
        for total, gradient in zip(self.sums, gradients):
            total.assign_add(gradient * (1.0 / self.rounds))

    def take(self) -> List[tf.Tensor]:
        """Return the mean over the rounds and start again from zero."""
        gradients = [tf.identity(total) for total in self.sums]
        with tf.control_dependencies(gradients):
            for total in self.sums:
                total.assign(tf.zeros_like(total))
        return gradients


def all_finite(gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return a bool tensor: every element of every gradient is finite."""
    if not for_gpu_compiler():
        return tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(g)) for g in gradients]))
    # To reduce each to a single value takes one more kernel, or two, and a hundred of them take longer than what they read. So
    # large ones of one shape are looked at together, matrices are reduced to a flag a row, filters to a flag an output channel,
    # as they lie in memory, and small ones not at all.
    parts: List[tf.Tensor] = []
    alike: Dict[tuple, List[tf.Tensor]] = OrderedDict()
    for gradient in gradients:
        finite = tf.math.is_finite(gradient)
        if np.prod(gradient.shape.as_list()) <= LARGE:
            parts.append(tf.reshape(finite, [-1]))
        else:
            alike.setdefault(tuple(gradient.shape.as_list()), []).append(finite)
    for shape, flags in alike.items():
        axes = list(range(len(shape)))
        parts.append(tf.reduce_all(functools.reduce(tf.logical_and, flags), axis=axes[1:] if len(axes) == 2 else axes[:-1]))
    # XLA would take the sum of what is joined apart again; what is negated in between it leaves as it is.
    return tf.logical_not(tf.reduce_any(tf.logical_not(tf.concat(parts, axis=0))))


def _assign_if(variable, value, condition):
    variable.assign(tf.where(condition if not IS_TF1 else tf.broadcast_to(condition, tf.shape(value)), value, variable))


def gradients_or_zeros(tape: tf.GradientTape, loss: tf.Tensor, trainable: Variables, scale: int = 1) -> List[tf.Tensor]:
    """Return the gradient of `loss` for every variable; zeros where it does not depend on one, as in the original.

    Args:
        tape: tf.GradientTape that saw `loss` computed.
        loss: Scalar.
        trainable: Ordered dict name → tf.Variable.
        scale: Power of two by which gradients are larger on their way, see `gradient_scale`; those returned are as without it.
    """
    gradients = tape.gradient(
        loss,
        list(trainable.values()),
        output_gradients=None if scale == 1 else tf.constant(scale, loss.dtype),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return gradients if scale == 1 else [gradient * (1.0 / scale) for gradient in gradients]


def gradient_scale(batch: int, in_half_precision: bool) -> int:
    """Return by how much to enlarge gradients of a mean over `batch` images on their way through a network.

    In float16 what is below 6e-8 is zero, and the gradient of a mean over 64 images is 1/64 of what each image gives: at 128×128
    five sixths of G's first gradient vanish. So it is computed as of the sum over the images, as large as in a batch of one, and
    divided in float32 (Micikevicius et al. 2018, "Mixed precision training", section 3.2). A power of two changes nothing but
    what would have vanished or lost bits. What overflows all the same is not finite, and such a step is skipped.

    Args:
        batch: Images a round.
        in_half_precision: Whether any layer computes in float16; 1 is returned if none does.
    """
    return 1 << (batch.bit_length() - 1) if in_half_precision else 1


def ema_beta(minibatch_size: int, nimg: int, ema_kimg: float, rampup: Optional[float]) -> float:
    """Return the decay of the moving average of G for one minibatch: 0.5^(minibatch / n), n = min(ema_kimg·1000, nimg·rampup).

    Args:
        nimg: Images seen before this group of four minibatches.
        rampup: Fraction of the run so far, or None for no ramp; with it the first group has β = 0, so Gs = G.
    """
    images = ema_kimg * 1000.0
    if rampup is not None:
        images = min(images, nimg * rampup)
    return 0.5 ** (minibatch_size / max(images, 1e-8))


def update_average(G: Network, Gs: Network, beta: Union[float, tf.Tensor]) -> None:
    """Move Gs towards G: trained variables by G + (Gs − G)·β, the others (noise, average w) as a copy."""
    for name, variable in Gs.variables.items():
        source = G.variables[name]
        if name in G.trainable:
            variable.assign(source + (variable - source) * beta)
        else:
            variable.assign(source)
