"""The compiled phases of a training step: G main, G regularisation, D main, D regularisation, moving average.

Each phase is a pure function of the networks' variables, its inputs and a seed; which of them XLA compiles is decided in
`build_phases` and nowhere else. Every phase works on one round of `minibatch_gpu` images; several rounds accumulate.
"""

import dataclasses
from typing import Callable, Optional

from ..draws import SEED_DTYPE, normal, substream, uniform
from ..networks.mapping import broadcast, mix
from ..tf import compiled, tf
from . import losses
from .optimizer import Accumulator, gradient_scale, gradients_or_zeros, update_average
from .warm_up import Program

# What a phase reports: one float32 vector, so that a whole minibatch needs one transfer. Names of each phase's entries:
REPORTS = {
    "G_main": ("Loss/scores/fake", "Loss/signs/fake", "Loss/squares/fake", "Loss/G/loss"),
    "G_reg": ("Loss/pl_penalty", "Loss/G/reg"),
    "D_main": (
        "Loss/scores/fake",
        "Loss/signs/fake",
        "Loss/squares/fake",
        "Loss/scores/real",
        "Loss/signs/real",
        "Loss/squares/real",
        "Loss/D/loss",
    ),
    "D_reg": ("Loss/scores/real", "Loss/signs/real", "Loss/squares/real", "Loss/r1_penalty", "Loss/D/reg"),
    "D_valid": ("Loss/scores/valid", "Loss/signs/valid", "Loss/squares/valid"),
}
TRAINING_PHASES = ("G_main", "G_reg", "D_main", "D_reg")


@dataclasses.dataclass(frozen=True)
class StepSettings:
    """What the phases need to know besides the networks."""

    batch: int  # images a round (minibatch_gpu)
    rounds: int  # rounds a minibatch
    r1_gamma: float
    pl_weight: float = losses.PL_WEIGHT
    pl_batch_shrink: int = 2  # path length uses batch // this
    style_mixing_prob: Optional[float] = 0.9
    w_avg_beta: Optional[float] = 0.995
    g_reg_interval: Optional[int] = 4  # minibatches between path-length steps; None: none
    d_reg_interval: Optional[int] = 16  # minibatches between R1 steps
    augment: Optional[Callable] = None  # (images, p, seed) → images; None: no augmentation
    xla: bool = True


def scores_of(scores):
    """Return mean, mean sign and mean square of scores, as reported."""
    return [tf.reduce_mean(scores), tf.reduce_mean(tf.sign(scores)), tf.reduce_mean(tf.square(scores))]


def to_float(images_uint8):
    """Return images in [-1,1] from uint8 ones."""
    return tf.cast(images_uint8, tf.float32) * (2.0 / 255.0) - 1.0


class Phases:
    """The phases of one run as callables; each returns its report, named in REPORTS, as a float32 vector.

    Args:
        state: TrainState with G, D, Gs, their optimisers and the path-length mean.
        settings: StepSettings.
    """

    def __init__(self, state, settings):
        self.state, self.settings = state, settings
        self._gradient_scale = gradient_scale(settings.batch, bool(state.G.num_fp16_res or state.D.num_fp16_res))
        self.accumulators = {}
        if settings.rounds > 1:
            for name in TRAINING_PHASES:
                trainable = (state.G if name[0] == "G" else state.D).trainable
                self.accumulators[name] = Accumulator(trainable, settings.rounds)
        self._rounds = {name: compiled(self._phase(name, getattr(self, "_" + name)), settings.xla) for name in TRAINING_PHASES}
        self._applies = {name: compiled(self._apply(name), settings.xla) for name in self.accumulators}
        self.validate = compiled(self._validate, settings.xla)
        self.update_average = compiled(lambda beta: update_average(state.G, state.Gs, beta), settings.xla)

    def run(self, name, round_index, *inputs):
        """Run one round of a phase; after the last round its optimiser steps. Returns (report, finite or None)."""
        report, finite = self._rounds[name](*inputs)
        if self.accumulators:
            finite = self._applies[name]() if round_index == self.settings.rounds - 1 else None
        return report, finite

    def programs(self):
        """Return what a minibatch calls, as Programs for `warm_up`, the ones that take longest to compile first."""
        s, seed, p = self.settings, tf.zeros([2], SEED_DTYPE), tf.constant(0.0)
        G, label_size = self.state.G.config, self.state.G.config.label_size
        labels = tf.zeros([s.batch, label_size])
        reals = tf.zeros([s.batch, G.resolution, G.resolution, G.num_channels], tf.uint8)
        inputs = {
            "G_reg": (seed, tf.zeros([max(s.batch // s.pl_batch_shrink, 1), label_size]), p),
            "D_reg": (seed, reals, labels, p),
            "G_main": (seed, labels, p),
            "D_main": (seed, labels, reals, labels, p),
        }
        unused = {"G_reg": not (s.pl_weight and s.g_reg_interval), "D_reg": not s.d_reg_interval}
        names = [name for name in inputs if not unused.get(name)]
        found = [Program(name, self._rounds[name], inputs[name]) for name in names]
        found += [Program(name + "_apply", self._applies[name], ()) for name in names if name in self._applies]
        return found + [Program("average", self.update_average, (tf.constant(0.5),))]

    def variables(self):
        """Return every variable that the programs change, besides those of the state."""
        return [total for accumulator in self.accumulators.values() for total in accumulator.sums]

    def _optimizer(self, name):
        return self.state.G_opt if name[0] == "G" else self.state.D_opt

    def _phase(self, name, function):
        def phase(seed, *inputs):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                trainable = (self.state.G if name[0] == "G" else self.state.D).trainable
                tape.watch(list(trainable.values()))
                loss, report = function(tf.cast(seed, tf.int32), *inputs)
            gradients = gradients_or_zeros(tape, loss, trainable, self._gradient_scale)
            if self.accumulators:
                self.accumulators[name].add(gradients)
                return tf.stack(report), tf.constant(True)
            return tf.stack(report), self._optimizer(name).apply(gradients)

        return phase

    def _apply(self, name):
        return lambda: self._optimizer(name).apply(self.accumulators[name].take())

    # -- the four phases -----------------------------------------------------------------------------------------------

    def _generate(self, seed, labels):
        """Draw latents, map them, update the running average of w, mix styles: w [n,L,D] and a synthesis function."""
        G, n = self.state.G, int(labels.shape[0])
        z = normal(seed, "z", [n, G.config.latent_size])
        if self.settings.style_mixing_prob:  # both at once: half as many operations
            z_mix = normal(seed, "z_mix", [n, G.config.latent_size])
            w, other = tf.split(G.map(tf.concat([z, z_mix], axis=0), tf.concat([labels, labels], axis=0)), 2)
        else:
            w = G.map(z, labels)
        beta = self.settings.w_avg_beta
        if beta is not None:
            average, mean = G.variables["dlatent_avg"], tf.stop_gradient(tf.reduce_mean(w, axis=0))
            average.assign(mean + beta * (average - mean))
        w = broadcast(w, G.config.num_layers)
        if self.settings.style_mixing_prob:
            other = broadcast(other, G.config.num_layers)
            layers = G.config.num_layers
            cutoff = 1 + tf.cast(uniform(seed, "mix_cutoff", []) * (layers - 1), tf.int32)
            mixed = uniform(seed, "mix", []) < self.settings.style_mixing_prob
            w = mix(w, other, tf.where(mixed, cutoff, layers))
        noise_seed = substream(seed, "noise")
        return w, lambda w: G.synthesize(w, noise_seed)

    def _augment(self, images, p, seed):
        return images if self.settings.augment is None else self.settings.augment(images, p, substream(seed, "augment"))

    def _G_main(self, seed, labels, p):
        w, synthesize = self._generate(seed, labels)
        scores = self.state.D(self._augment(synthesize(w), p, seed), labels)
        loss = losses.generator_logistic(scores)
        return tf.reduce_mean(loss), scores_of(scores) + [tf.reduce_mean(loss)]

    def _G_reg(self, seed, labels, p):
        w, synthesize = self._generate(seed, labels)
        config = self.state.G.config
        noise = normal(seed, "pl", [int(labels.shape[0]), config.resolution, config.resolution, config.num_channels])
        lengths = losses.path_lengths(synthesize, w, noise)
        penalty, mean = losses.path_length_penalty(lengths, self.state.pl_mean)
        self.state.pl_mean.assign(mean)
        regulariser = tf.reduce_mean(penalty) * self.settings.pl_weight
        return regulariser * self.settings.g_reg_interval, [tf.reduce_mean(penalty), regulariser]

    def _D_main(self, seed, labels, reals, real_labels, p):
        w, synthesize = self._generate(seed, labels)
        fake_scores, real_scores = self._judge_both(synthesize(w), labels, to_float(reals), real_labels, p, seed)
        loss = losses.discriminator_logistic(fake_scores, real_scores)
        return tf.reduce_mean(loss), scores_of(fake_scores) + scores_of(real_scores) + [tf.reduce_mean(loss)]

    def _judge_both(self, fakes, labels, reals, real_labels, p, seed):
        """Return the scores of fakes and reals from one pass of D over both.

        The two are interleaved so that every group of the minibatch statistics holds images of one kind only, the same
        ones as in two passes: group j of n images is {j, j + n/G, j + 2n/G, …}.
        """
        n = self.settings.batch
        group = min(self.state.D.config.mbstd_group_size or n, n)

        def weave(a, b):
            rest = a.shape.as_list()[1:]
            parts = [tf.reshape(x, [group, n // group] + rest) for x in (a, b)]
            return tf.reshape(tf.concat(parts, axis=1), [2 * n] + rest)

        images = self._augment(weave(fakes, reals), p, seed)
        scores = self.state.D(images, weave(labels, real_labels), group)
        scores = tf.reshape(scores, [group, 2 * (n // group), int(scores.shape[1])])
        return [tf.reshape(part, [n, int(scores.shape[2])]) for part in tf.split(scores, 2, axis=1)]

    def _D_reg(self, seed, reals, real_labels, p):
        def judge(images):
            return self.state.D(self._augment(images, p, seed), real_labels), None

        penalty, scores, _ = losses.r1_penalty(judge, to_float(reals))
        regulariser = tf.reduce_mean(penalty) * (self.settings.r1_gamma * 0.5)
        return (regulariser * self.settings.d_reg_interval, scores_of(scores) + [tf.reduce_mean(penalty), regulariser])

    def _validate(self, seed, images, labels, p):
        seed = tf.cast(seed, tf.int32)
        return tf.stack(scores_of(self.state.D(self._augment(to_float(images), p, seed), labels)))
