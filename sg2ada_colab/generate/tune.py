"""Pivotal tuning (Roich et al. 2021): fit the generator to a picture around its projected w."""

from collections import OrderedDict
from typing import Any, Callable, Optional, Tuple

import numpy as np

from ..errors import UserError
from ..formats.network_data import NetworkData
from ..networks.generator import synthesize
from ..tf import compiled, gpus, tf
from ..training.optimizer import LazyAdam
from .generator import TrainedGenerator
from .perceptual import Distance, seen

STEPS, PIXEL_WEIGHT = 350, 1.0
# The paper's learning rate is that of networks 512 channels wide. Weights are used divided by the root of their number of inputs,
# so one step changes the answer of a narrow layer less, and a network of 64 channels moves hardly at all.
RATE, RATE_CHANNELS, MOST_RATE = 3e-4, 512, 5e-3


def learning_rate(generator: TrainedGenerator) -> float:
    """Return the learning rate for a network: the paper's for 512 channels, in inverse proportion for fewer."""
    widest = max(spec.shape[-1] for spec in generator.specs if len(spec.shape) == 4 and spec.name.endswith("/weight"))
    return min(MOST_RATE, RATE * max(1.0, RATE_CHANNELS / widest))


def tune(
    generator: TrainedGenerator,
    target: np.ndarray,
    w: np.ndarray,
    distance: Distance,
    steps: int = STEPS,
    on_step: Optional[Callable[[int], Any]] = None,
    rate: Optional[float] = None,
) -> Tuple[TrainedGenerator, float, float]:
    """Return (TrainedGenerator that is tuned, distance before, distance after).

    All weights of the synthesis are trained on the distance and the mean square difference of pixels in -1..1, of RGBA over black
    and over white; the mapping, the average of w and the stored noise stay, so that w means what it meant.

    Args:
        generator: TrainedGenerator; it stays as it is.
        target: uint8 [H,W,C].
        w: float32 [1, num_layers, dlatent_size], the pivot.
        distance: Distance, see `perceptual`.
        on_step: Function of the number of steps that are done.
        rate: Learning rate; None: see `learning_rate`.

    Raises:
        UserError: The number of steps cannot be used, or the numbers are not finite any more.
    """
    if not (type(steps) is int and 1 <= steps <= 100000):
        raise UserError(f"The number of tuning steps is {steps}.", "a whole number from 1 to 100,000", "write --pti-steps=350")
    names = [spec.name for spec in generator.specs if spec.trainable and spec.name.startswith("synthesis/")]
    trained = OrderedDict((name, tf.Variable(generator.network.variables[name])) for name in names)
    adam = LazyAdam(trained, rate or learning_rate(generator), beta1=0.9, beta2=0.999)
    pivot, wanted = tf.constant(w, tf.float32), seen(tf.constant(target[np.newaxis], tf.float32))

    def apart(*embedded):
        images = seen((synthesize(dict(generator.weights, **trained), generator.config, pivot, None, 0) + 1.0) * 127.5)
        return distance.between(distance.embed(images), list(embedded)), images

    def step(wanted, *embedded):
        with tf.GradientTape() as tape:
            far, images = apart(*embedded)
            loss = far + PIXEL_WEIGHT * tf.reduce_mean(tf.square((images - wanted) / 127.5))
        adam.apply(tape.gradient(loss, list(trained.values())))
        return far

    embedded = distance.embed(wanted)
    run = compiled(step, bool(gpus()) and generator.xla is not False, "step of tuning")
    before: Any = None
    for _ in range(steps):
        far = run(wanted, *embedded)
        before = far if before is None else before
        if on_step:
            on_step(1)
    after = float(apart(*embedded)[0])
    values = {name: variable.numpy() for name, variable in trained.items()}
    if not (np.isfinite(after) and all(np.isfinite(value).all() for value in values.values())):
        raise UserError("The tuning gave numbers that are not finite.", "finite numbers", "take fewer --pti-steps")
    return _with_variables(generator, values), float(before), after


def _with_variables(generator, values):
    """Return the TrainedGenerator of a network of which some variables have other values."""
    network = generator.network
    variables = OrderedDict((name, values.get(name, value)) for name, value in network.variables.items())
    tuned = NetworkData("Gs", dict(network.kwargs), variables)
    return TrainedGenerator(tuned, title=f"{generator.title}, tuned", xla=generator.xla)
