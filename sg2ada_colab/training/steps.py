"""The compiled phases of a training step: G main, G regularisation, D main, D regularisation, moving average.

Each phase is a pure function of the networks' variables, its inputs and a seed, which returns its loss and what it reports. It
works on one round of `minibatch_gpu` images; several rounds accumulate.
"""

from typing import Callable, List, Optional

from ..augment.config import AugmentConfig
from ..augment.pipeline import augment
from ..compile.warm_up import Program
from ..config.settings import AugmentSettings
from ..config.train_config import TrainConfig
from ..draws import SEED_DTYPE, normal, substream, uniform
from ..networks.generator import broadcast, mix
from ..tf import compiled, tf
from . import losses
from .agreement import checksum
from .optimizer import gradient_scale, update_average
from .phase import OptimizerStep, Phase, PhaseSettings, TrainingPhase, scores_of
from .ranks import ALONE, Ranks
from .running import RunningValues
from .shared_phase import SharedPhase
from .state import TrainState, flat


def augmentation(settings: AugmentSettings) -> Optional[Callable]:
    """Return a function (images, p, seed) → images for the pipe of a config's augmentation; None: images stay as they are."""
    if settings.pipe is None or (settings.heuristic is None and settings.initial_p == 0):
        return None
    pipe = AugmentConfig(**settings.pipe)
    return lambda images, p, seed: augment(images, p, pipe, seed)


def to_float(images_uint8: tf.Tensor) -> tf.Tensor:
    """Return images in [-1,1] from uint8 ones."""
    return tf.cast(images_uint8, tf.float32) * (2.0 / 255.0) - 1.0


class Phases:
    """The phases of one run.

    Args:
        state: TrainState with G, D, Gs, their optimisers and the path-length mean.
        config: TrainConfig, of which they take the losses, the rounds, the intervals of the regularisation and the augmentation.
        ranks: The processes that share the rounds.

    Attributes:
        generator: The TrainingPhases of G, in the order of a round.
        discriminator: Those of D; all of a round are shown the same reals.
        validation: Phase in which D judges images that it is not trained on; every process calls it.
        running: RunningValues that the phases move.
        update_average: Compiled function of the decay that moves Gs.
        checksum: Compiled function that returns the `checksum` of all variables of the state, which several processes compare.
    """

    has_path_length = True  # whether the losses have a path-length term

    def __init__(self, state: TrainState, config: TrainConfig, ranks: Ranks = ALONE) -> None:
        self.state, self.config, self.ranks = state, config, ranks
        assert ranks.count == 1 or config.schedule.shared_rounds, "several processes share rounds"
        self.running, self._augment = self._running_values(), augmentation(config.augment)
        at_once, xla, optimizer = config.schedule.minibatch_gpu, config.engine.xla, config.optimizer
        pl_interval = optimizer.G_reg_interval if config.losses.pl_weight and self.has_path_length else None
        pl_batch = max(at_once // config.losses.pl_minibatch_shrink, 1)
        r1_interval = optimizer.D_reg_interval if config.losses.r1_gamma else None
        self.generator = [
            self._training_phase("G_main", "G", "Train", self._G_main, 1, at_once),
            self._training_phase("G_reg", "G", "Reg", self._G_reg, pl_interval, pl_batch),
        ]
        self.discriminator = [
            self._training_phase("D_main", "D", "Train", self._D_main, 1, at_once),
            self._training_phase("D_reg", "D", "Reg", self._D_reg, r1_interval, 0),
        ]
        self.validation = Phase(PhaseSettings("D_valid", "D", 1, 0, xla=xla), self._D_valid)
        self.update_average = compiled(lambda beta: update_average(state.G, state.Gs, beta), xla)
        self.checksum = compiled(lambda: checksum(flat(state.variables())), xla)

    @property
    def own_rounds(self) -> range:
        """Numbers of the rounds of a minibatch that this process runs."""
        share = self.config.schedule.rounds // self.ranks.count
        return range(self.ranks.index * share, (self.ranks.index + 1) * share)

    def __getitem__(self, name: str) -> Phase:
        """Return the phase of a name."""
        return {phase.name: phase for phase in self.generator + self.discriminator + [self.validation]}[name]

    def programs(self) -> List[Program]:
        """Return what a minibatch calls, as Programs for `warm_up`, the ones that take longest to compile first."""
        phases = sorted(self.generator + self.discriminator, key=lambda phase: phase.kind == "Train")
        phases = [phase for phase in phases if phase.interval]
        found = [Program(phase.name, phase.program, self._inputs(phase)) for phase in phases]
        for phase in phases:
            if isinstance(phase, SharedPhase):
                found.append(Program(phase.name + "_message", phase.message_program, phase.message_inputs()))
                found.append(Program(phase.name + "_apply", phase.apply_program, (tf.zeros([phase.message_size]),)))
            elif phase.apply_program:
                found.append(Program(phase.name + "_apply", phase.apply_program, ()))
        found.append(Program("average", self.update_average, (tf.constant(0.5),)))
        return found + ([Program("checksum", self.checksum, ())] if self.ranks.count > 1 else [])

    def variables(self) -> List[tf.Variable]:
        """Return every variable that the programs change, other than those of the state."""
        phases = self.generator + self.discriminator
        return [total for phase in phases if phase.accumulator is not None for total in phase.accumulator.sums]

    def _training_phase(
        self, name: str, network: str, kind: str, function: Callable, interval: Optional[int], batch: int
    ) -> TrainingPhase:
        state, schedule, xla = self.state, self.config.schedule, self.config.engine.xla
        trainable, optimizer = (state.G.trainable, state.G_opt) if network == "G" else (state.D.trainable, state.D_opt)
        scale = gradient_scale(schedule.minibatch_gpu, bool(state.G.num_fp16_res or state.D.num_fp16_res))
        settings = PhaseSettings(name, network, interval, batch, schedule.rounds, xla)
        step = OptimizerStep(kind, trainable, optimizer, scale)
        if schedule.shared_rounds:
            return SharedPhase(settings, function, step, self.ranks, self.running)
        return TrainingPhase(settings, function, step)

    def _running_values(self) -> RunningValues:
        running, beta = RunningValues(), self.state.G.config.w_avg_beta
        if beta is not None:
            running.add("dlatent_avg", self.state.G.variables["dlatent_avg"], lambda mean, seen: seen + beta * (mean - seen))
        running.add("pl_mean", self.state.pl_mean, losses.path_length_mean)
        if self.state.lecam_means is not None:
            running.add("lecam_means", self.state.lecam_means, losses.lecam_means)
        return running

    def _inputs(self, phase: Phase) -> tuple:
        """Return inputs of the shapes that a phase is run with."""
        G, n = self.state.G.config, self.config.schedule.minibatch_gpu
        fakes = (tf.zeros([phase.batch, G.label_size]),) if phase.batch else ()
        reals = (tf.zeros([n, G.height, G.width, G.num_channels], tf.uint8), tf.zeros([n, G.label_size]))
        return (tf.zeros([2], SEED_DTYPE),) + fakes + (reals if phase.network == "D" else ()) + (tf.constant(0.0),)

    # -- the four phases -----------------------------------------------------------------------------------------------

    def _generate(self, seed, labels, jitter=None, average=True):
        """Draw latents, map them, update the running average of w, mix styles: w [n,L,D] and a synthesis function.

        Args:
            jitter: Function of the latents that moves them a little; then the running average stays.
            average: Whether the running average follows.
        """
        G, n = self.state.G, int(labels.shape[0])
        z = normal(seed, "z", [n, G.config.latent_size])
        z = jitter(z) if jitter is not None else z
        if G.config.style_mixing_prob:  # both at once: half as many operations
            z_mix = normal(seed, "z_mix", [n, G.config.latent_size])
            w, other = tf.split(G.map(tf.concat([z, z_mix], axis=0), tf.concat([labels, labels], axis=0)), 2)
        else:
            w = G.map(z, labels)
        if G.config.w_avg_beta is not None and average and jitter is None:
            self.running.move("dlatent_avg", lambda: tf.stop_gradient(tf.reduce_mean(w, axis=0)))
        w = broadcast(w, G.config.num_layers)
        if G.config.style_mixing_prob:
            other = broadcast(other, G.config.num_layers)
            layers = G.config.num_layers
            cutoff = 1 + tf.cast(uniform(seed, "mix_cutoff", []) * (layers - 1), tf.int32)
            mixed = uniform(seed, "mix", []) < G.config.style_mixing_prob
            w = mix(w, other, tf.where(mixed, cutoff, layers))
        noise_seed = substream(seed, "noise")
        return w, lambda w: G.synthesize(w, noise_seed)

    def augment(self, images: tf.Tensor, p: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return images as D sees them."""
        return images if self._augment is None else self._augment(images, p, substream(seed, "augment"))

    def _G_main(self, seed, labels, p):
        w, synthesize = self._generate(seed, labels)
        scores = self.state.D(self.augment(synthesize(w), p, seed), labels)
        loss = losses.generator_logistic(scores)
        return tf.reduce_mean(loss), dict(scores_of("fake", scores), **{"Loss/G/loss": tf.reduce_mean(loss)})

    def _G_reg(self, seed, labels, p):
        w, synthesize = self._generate(seed, labels)
        config = self.state.G.config
        noise = normal(seed, "pl", [int(labels.shape[0]), config.height, config.width, config.num_channels])
        lengths = losses.path_lengths(synthesize, w, noise)
        penalty, mean = losses.path_length_penalty(lengths, self.state.pl_mean)
        self.running.move("pl_mean", lambda: tf.reduce_mean(lengths), mean)
        regulariser = tf.reduce_mean(penalty) * self.config.losses.pl_weight
        loss = regulariser * self.config.optimizer.G_reg_interval
        return loss, {"Loss/pl_penalty": tf.reduce_mean(penalty), "Loss/G/reg": regulariser}

    def _D_main(self, seed, labels, reals, real_labels, p):
        w, synthesize = self._generate(seed, labels)
        shown_as_real = self._with_pseudo_reals(seed, to_float(reals), real_labels, p)
        fake_scores, real_scores = self._judge_both(synthesize(w), labels, shown_as_real, real_labels, p, seed)
        loss = losses.discriminator_logistic(fake_scores, real_scores)
        mean = tf.reduce_mean(loss)
        reports = dict(scores_of("fake", fake_scores), **scores_of("real", real_scores))
        reports["Loss/D/loss"] = mean
        if self.config.losses.lecam_weight:
            penalty, means = losses.lecam_penalty(fake_scores, real_scores, self.state.lecam_means)
            self.running.move("lecam_means", lambda: losses.mean_scores(fake_scores, real_scores), means)
            mean += penalty * self.config.losses.lecam_weight
            reports["Loss/lecam_penalty"] = penalty
        return mean, reports

    def _with_pseudo_reals(self, seed, reals, labels, p):
        """Return the reals [n,H,W,C], each replaced by a fake of its label with probability p (APA, Jiang et al. 2021).

        The scores that the controller is given as those of reals are those of what is shown as real, fakes among it: so p
        comes down where fakes prevail. R1 sees real images alone.
        """
        if not self.config.augment.pseudo:
            return reals
        seed = substream(seed, "pseudo")
        w, synthesize = self._generate(seed, labels, average=False)
        fakes = tf.stop_gradient(synthesize(w))
        replaced = tf.cast(uniform(seed, "replaced", [int(labels.shape[0]), 1, 1, 1]) < p, tf.float32)
        return reals * (1.0 - replaced) + fakes * replaced

    def _judge_both(self, fakes, labels, reals, real_labels, p, seed):
        """Return the scores of fakes and reals from one pass of D over both.

        The two are interleaved so that every group of the minibatch statistics holds images of one kind only, the same
        ones as in two passes: group j of n images is {j, j + n/G, j + 2n/G, …}.
        """
        n = self.config.schedule.minibatch_gpu
        group = min(self.state.D.config.mbstd_group_size or n, n)

        def weave(a, b):
            rest = a.shape.as_list()[1:]
            parts = [tf.reshape(x, [group, n // group] + rest) for x in (a, b)]
            return tf.reshape(tf.concat(parts, axis=1), [2 * n] + rest)

        images = self.augment(weave(fakes, reals), p, seed)
        scores = self.state.D(images, weave(labels, real_labels), group)
        scores = tf.reshape(scores, [group, 2 * (n // group), int(scores.shape[1])])
        return [tf.reshape(part, [n, int(scores.shape[2])]) for part in tf.split(scores, 2, axis=1)]

    def _D_reg(self, seed, reals, real_labels, p):
        def judge(images):
            return self.state.D(self.augment(images, p, seed), real_labels), None

        penalty, scores, _ = losses.r1_penalty(judge, to_float(reals))
        gamma = self.config.losses.r1_gamma
        assert gamma is not None, "without R1 this phase never runs"
        regulariser = tf.reduce_mean(penalty) * (gamma * 0.5)
        loss = regulariser * self.config.optimizer.D_reg_interval
        reports = scores_of("real", scores)
        return loss, dict(reports, **{"Loss/r1_penalty": tf.reduce_mean(penalty), "Loss/D/reg": regulariser})

    def _D_valid(self, seed, images, labels, p):
        return scores_of("valid", self.state.D(self.augment(to_float(images), p, seed), labels))
