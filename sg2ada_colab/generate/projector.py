"""Find the w of a picture by gradient descent, as the projector of StyleGAN2 does (Karras et al. 2020, appendix D)."""

import math
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from ..errors import UserError
from ..networks.generator import synthesize
from ..tf import compiled, gpus, tf
from ..training.optimizer import LazyAdam
from .labels import ChosenClass
from .perceptual import Distance, seen

W_SAMPLES, W_SEED = 10000, 123
SPACES = ("w", "w+")
W_NOISE = 0.05  # as in NVIDIA's projectors
STEPS_AT_ONCE = 100
SMALLEST_NOISE_PX = 8  # noise is compared with itself at sizes from this


@dataclass(frozen=True)
class ProjectOptions:
    """How a picture is projected; the defaults are those of NVIDIA's projectors."""

    steps: int = 1000
    seed: int = 303  # of the noise that is begun with and that is added to w
    space: str = "w"  # "w": one vector for all layers; "w+": one for each, which comes closer and edits worse
    learning_rate: float = 0.1
    rate_rampdown: float = 0.25  # share of the steps at the end in which the rate falls to 0
    rate_rampup: float = 0.05  # share of the steps at the beginning in which it rises
    # Noise added to w, times the spread of w. It helps with photographs, of which there is no exact w. Pictures that the network
    # made itself are found closer without, 0.
    w_noise: float = W_NOISE
    w_noise_until: float = 0.75  # share of the steps after which none is added
    noise_weight: float = 1e5  # of the regularisation of the noise images
    optimise_noise: bool = True  # False leaves the noise that is stored in the network

    def check(self) -> None:
        """Raise a UserError for numbers that cannot be used."""
        if self.space not in SPACES:
            raise UserError(f"There is no space {self.space!r}.", " or ".join(SPACES), "write --space=w+")
        if not (type(self.steps) is int and 1 <= self.steps <= 100000):
            raise UserError(f"The number of steps is {self.steps}.", "a whole number from 1 to 100,000", "write --num-steps=1000")
        if not (type(self.seed) is int and 0 <= self.seed < 2**32):
            raise UserError(f"The seed is {self.seed}.", "a whole number from 0 to 4,294,967,295", "write --seed=303")
        if not 0 <= self.w_noise <= 1:  # what is not a number is neither
            raise UserError(f"The noise added to w is {self.w_noise}.", "a number from 0 to 1", f"write --w-noise={W_NOISE}")

    def rate(self, t: float) -> float:
        """Return the learning rate at t, 0 to 1: a cosine at the end, a line at the beginning."""
        ramp = min(1.0, (1.0 - t) / self.rate_rampdown)
        return self.learning_rate * (0.5 - 0.5 * math.cos(ramp * math.pi)) * min(1.0, t / self.rate_rampup)

    def noise_factor(self, t: float) -> float:
        """Return the strength of the noise added to w at t, in units of the spread of w."""
        return self.w_noise * max(0.0, 1.0 - t / self.w_noise_until) ** 2


class Projection(NamedTuple):
    """What was found."""

    w: np.ndarray  # float32 [1, num_layers, dlatent_size]
    distance: float  # of its picture with the network's own noise
    distance_of_mean: float  # of the picture of the mean w, likewise
    noise: dict  # name → [1,1,H,W], the noise that was optimised with it
    path: np.ndarray  # float32 [steps, 1 or num_layers, dlatent_size], w after each step
    losses: np.ndarray  # [steps, 2]: distance and loss before each step


def w_statistics(generator: Any, label: Optional[np.ndarray] = None) -> Tuple[np.ndarray, float]:
    """Return (mean of w [D], its spread): that of 10,000 w; the spread is the root mean square distance from the mean.

    Args:
        label: [1, label_size]; None is the zero vector.
    """
    z = np.random.RandomState(W_SEED).randn(W_SAMPLES, generator.config.latent_size)
    w = generator.map_once(z, None if label is None else np.repeat(label, W_SAMPLES, axis=0))
    mean = w.mean(axis=0, dtype=np.float64)
    return mean.astype(np.float32), float(np.sqrt(np.sum((w - mean) ** 2) / W_SAMPLES))


def noise_regularisation(noises: Iterable[tf.Tensor]) -> tf.Tensor:
    """Return the squared autocorrelation of noise images [1,1,H,W] at one pixel, summed over sizes down to 8 px: a scalar."""
    parts = []
    for noise in noises:
        image = tf.reshape(noise, [1] + noise.shape.as_list()[2:] + [1])
        while True:
            for axis in (1, 2):
                parts.append(tf.square(tf.reduce_mean(image * tf.roll(image, shift=1, axis=axis))))
            if int(image.shape[1]) <= SMALLEST_NOISE_PX or int(image.shape[2]) <= SMALLEST_NOISE_PX:
                break
            image = tf.nn.avg_pool2d(image, 2, 2, "VALID")
    return tf.add_n(parts)


def normalized(noise: tf.Tensor) -> tf.Tensor:
    """Return a noise image [1,1,H,W] with mean 0 and mean square 1."""
    noise = noise - tf.reduce_mean(noise)
    return noise * tf.math.rsqrt(tf.reduce_mean(tf.square(noise)))


class Projector:
    """Projects pictures with one network; its program is traced, and compiled on a GPU, once.

    RGBA pictures are compared over black and over white, see `perceptual.seen`.

    Args:
        generator: TrainedGenerator.
        distance: Distance, see `perceptual`.
        options: ProjectOptions.
        class_: Of the mean that is begun with, see `TrainedGenerator.labels`; a network with classes needs none.
    """

    def __init__(
        self, generator: Any, distance: Distance, options: ProjectOptions = ProjectOptions(), class_: ChosenClass = None
    ) -> None:  # noqa: B008 - frozen
        options.check()
        self.generator, self.distance, self.options = generator, distance, options
        self.w_avg, self.w_std = w_statistics(generator, None if class_ is None else generator.labels(class_))
        rows = generator.num_layers if options.space == "w+" else 1
        self.w = tf.Variable(np.tile(self.w_avg, [rows, 1]))
        self.noises = {}
        if options.optimise_noise:
            self.noises = {name: tf.Variable(np.float32(value)) for name, value in generator.stored_noise().items()}
        self.rate = tf.Variable(0.0, trainable=False)
        self.adam = LazyAdam(dict({"w": self.w}, **self.noises), learning_rate=0.0, beta1=0.9, beta2=0.999)
        self.adam.learning_rate = self.rate
        xla = bool(gpus()) and generator.xla is not False
        self._take = compiled(self._take_step, xla, "step of a projection")
        # One by one, a GPU would look for the best algorithm of each convolution before this one picture's features are there.
        self._embed = compiled(self._embedded, xla, "features of a picture") if xla else self._embedded

    def project(
        self,
        target: np.ndarray,
        noise_start: Optional[Mapping[str, np.ndarray]] = None,
        w_noise: Optional[np.ndarray] = None,
        on_step: Optional[Callable[[int], Any]] = None,
    ) -> Projection:
        """Return the Projection of a picture.

        Args:
            target: uint8 [H,W,C] of the network's size and channels.
            noise_start: dict name → [1,1,H,W] to begin with; None draws it from the seed.
            w_noise: float32 [steps, 1 or num_layers, D], N(0,1); None draws it from the seed.
            on_step: Function of the number of steps that are done.

        Raises:
            UserError: The numbers are not finite any more.
        """
        draws = np.random.RandomState(self.options.seed)
        embedded = self._begin(target, draws, noise_start)
        losses: Any = []
        path: Any = []
        for start in range(0, self.options.steps, STEPS_AT_ONCE):
            for drawn, rate in zip(*self._schedule(start, draws, w_noise)):
                self.rate.assign(rate)
                losses.append(self._take(drawn, *embedded))
                path.append(tf.identity(self.w))
                if on_step:
                    on_step(1)
        path, losses = tf.stack(path).numpy(), tf.stack([tf.stack(pair) for pair in losses]).numpy().astype(np.float64)
        w = np.repeat(path[-1:], self.generator.num_layers // path.shape[1], axis=1)
        if not (np.isfinite(w).all() and np.isfinite(losses).all()):
            raise UserError("The projection gave numbers that are not finite.", "finite numbers", "try another --seed")
        noise = {name: value.numpy() for name, value in self.noises.items()}
        before, after = (self._measured(one, embedded) for one in (self.w_avg[np.newaxis], path[-1]))
        return Projection(w, after, before, noise, path, losses)

    def _schedule(self, start, draws, w_noise):
        """Return ([noise added to w], [learning rate]) of the steps from `start` on, tensors on the device that computes.

        Each copy to a GPU waits for all that it was given before, so there is one for many steps.
        """
        options = self.options
        steps = range(start, min(start + STEPS_AT_ONCE, options.steps))
        shape = [len(steps)] + self.w.shape.as_list()
        drawn = draws.randn(*shape) if w_noise is None else np.broadcast_to(w_noise[start : start + len(steps)], shape)
        factors = [self.w_std * options.noise_factor(step / options.steps) for step in steps]
        added = tf.constant(np.float32(drawn * np.reshape(factors, [-1, 1, 1])))
        rates = tf.constant([options.rate(step / options.steps) for step in steps], tf.float32)
        return tf.unstack(added), tf.unstack(rates)

    def _begin(self, target, draws, noise_start):
        """Set the state to the beginning; return the embedded target, a list of tensors."""
        self.w.assign(np.tile(self.w_avg, [int(self.w.shape[0]), 1]))
        for name, variable in self.noises.items():
            variable.assign(draws.randn(*variable.shape.as_list()) if noise_start is None else noise_start[name])
        for name, variable in self.adam.state().items():
            variable.assign([self.adam.beta1, self.adam.beta2] if name == "powers" else np.zeros(variable.shape.as_list()))
        return self._embed(tf.constant(target[np.newaxis], tf.float32))

    def _take_step(self, w_noise, *embedded):
        """Take one step; return (distance, loss) before it."""
        with tf.GradientTape() as tape:
            w = tf.broadcast_to(self.w + w_noise, [self.generator.num_layers, self.generator.config.dlatent_size])
            distance = self._distance_of(dict(self.generator.weights, **self.noises), w[tf.newaxis], *embedded)
            loss = distance
            if self.noises:
                loss += self.options.noise_weight * noise_regularisation(list(self.noises.values()))
        self.adam.apply(tape.gradient(loss, list(self.adam.trainable.values())))
        for variable in self.noises.values():
            variable.assign(normalized(variable))
        return distance, loss

    def _distance_of(self, weights, w, *embedded):
        images = synthesize(weights, self.generator.config, w, None, 0)  # float16 has too few digits for these gradients
        return self.distance.between(self._embedded((images + 1.0) * 127.5), list(embedded))

    def _embedded(self, pictures):
        return self.distance.embed(seen(pictures))

    def _measured(self, w, embedded):
        """Return the distance of the picture of w [1 or rows, D] with the network's own noise, with which a file of w is shown.

        It is what a step says before it is taken, so that nothing else is traced; the step itself leads nowhere.
        """
        self.w.assign(np.broadcast_to(w, self.w.shape.as_list()))
        for name, variable in self.noises.items():
            variable.assign(self.generator.network.variables[name])
        return float(self._take(tf.zeros_like(self.w), *embedded)[0])
