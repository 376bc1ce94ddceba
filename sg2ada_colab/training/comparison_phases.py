"""The phases of a training step with one of the comparison methods in them: a table says what each method changes."""

from typing import Callable, NamedTuple

from ..config.train_config import TrainConfig
from ..draws import substream
from ..networks.discriminator import discriminate
from ..tf import tf
from . import comparison_losses as terms
from . import losses
from .phase import scores_of
from .ranks import ALONE, Ranks
from .state import TrainState
from .steps import Phases, to_float


class Judged(NamedTuple):
    """Fakes or reals of a round, and what D says of them."""

    images: tf.Tensor  # float32 [N, R, R, C]
    shown: tf.Tensor  # the same, augmented
    labels: tf.Tensor
    scores: tf.Tensor  # [N, 1]
    seed: tf.Tensor  # of the draws for these images


def _plain_outputs(phases, images, labels, p, seed):
    D = phases.state.D
    return discriminate(D.variables, D.config, images, labels, D.num_fp16_res), 1.0


class Method(NamedTuple):
    """What a comparison method changes."""

    outputs: Callable = _plain_outputs  # (phases, images, labels, p, seed) → D's outputs [N, S], and the sign of "real" in them
    generator_loss: Callable = losses.generator_logistic  # of the fakes' scores, elementwise
    discriminator_loss: Callable = losses.discriminator_logistic  # of the fakes' and the reals' scores, elementwise
    generator_terms: Callable = lambda phases, fakes, p: ()  # yields scalars that are added to G's loss
    discriminator_terms: Callable = lambda phases, fakes, reals, p: ()  # yields scalars that are added to D's loss
    has_path_length: bool = True  # whether its loss in the original has a path-length term


class ComparisonPhases(Phases):
    """Phases whose losses or discriminator follow a comparison method; fakes and reals pass D separately.

    Args:
        state: TrainState. D needs the variables of `bits_weight_name` or the singular vectors for those methods.
        config: TrainConfig, whose losses name the method, a key of METHODS, and the weights of its terms.
        ranks: The processes that share the rounds.
    """

    def __init__(self, state: TrainState, config: TrainConfig, ranks: Ranks = ALONE) -> None:
        self.method, self.method_kwargs = METHODS[config.losses.method or ""], config.losses.method_kwargs
        self.has_path_length = self.method.has_path_length
        super().__init__(state, config, ranks)
        for name in terms.singular_vector_names(state.D.variables).values():
            self.running.add(name, state.D.variables[name], lambda vector, seen: seen)

    def outputs(self, images: tf.Tensor, labels: tf.Tensor, p: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return D's outputs [N, S] for images that are augmented already; the first is the score of realness."""
        outputs, sign = self.method.outputs(self, images, labels, p, seed)
        return outputs * sign

    def score(self, images: tf.Tensor, labels: tf.Tensor, p: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return D's scores [N, 1] of images that are augmented already."""
        return self.outputs(images, labels, p, seed)[:, :1]

    def generate_jittered(self, seed: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Return images of nearby latents, with the style mixing and the noise of the step's fakes."""
        w, synthesize = self._generate(seed, labels, jitter=lambda z: terms.jittered(z, seed))
        return synthesize(w)

    def _G_main(self, seed, labels, p):
        w, synthesize = self._generate(seed, labels)
        images = synthesize(w)
        shown = self.augment(images, p, seed)
        fakes = Judged(images, shown, labels, self.score(shown, labels, p, seed), seed)
        total = tf.reduce_mean(self.method.generator_loss(fakes.scores))
        for term in self.method.generator_terms(self, fakes, p):
            total += term
        return total, dict(scores_of("fake", fakes.scores), **{"Loss/G/loss": total})

    def _D_main(self, seed, labels, reals, real_labels, p):
        w, synthesize = self._generate(seed, labels)
        fakes, reals, real_seed = synthesize(w), to_float(reals), substream(seed, "real")
        shown_fakes, shown_reals = self.augment(fakes, p, seed), self.augment(reals, p, real_seed)
        judged_fakes = Judged(fakes, shown_fakes, labels, self.score(shown_fakes, labels, p, seed), seed)
        judged_reals = Judged(reals, shown_reals, real_labels, self.score(shown_reals, real_labels, p, real_seed), real_seed)
        total = tf.reduce_mean(self.method.discriminator_loss(judged_fakes.scores, judged_reals.scores))
        for term in self.method.discriminator_terms(self, judged_fakes, judged_reals, p):
            total += term
        reports = dict(scores_of("fake", judged_fakes.scores), **scores_of("real", judged_reals.scores))
        return total, dict(reports, **{"Loss/D/loss": total})

    def _D_reg(self, seed, reals, real_labels, p):
        def judge(images):
            return self.score(self.augment(images, p, seed), real_labels, p, seed), None

        penalty, scores, _ = losses.r1_penalty(judge, to_float(reals))
        gamma = self.config.losses.r1_gamma
        assert gamma is not None, "without R1 this phase never runs"
        regulariser = tf.reduce_mean(penalty) * (gamma * 0.5)
        loss = regulariser * self.config.optimizer.D_reg_interval
        reports = scores_of("real", scores)
        return loss, dict(reports, **{"Loss/r1_penalty": tf.reduce_mean(penalty), "Loss/D/reg": regulariser})

    def _D_valid(self, seed, images, labels, p):
        return scores_of("valid", self.score(self.augment(to_float(images), p, seed), labels, p, seed))


# --- what the methods change


def _bcr_of_D(phases, fakes, reals, p):
    for one, weight in ((fakes, phases.method_kwargs["bcr_fake_weight"]), (reals, phases.method_kwargs["bcr_real_weight"])):
        shifted = terms.shifted(one.shown, phases.method_kwargs["bcr_augment"], substream(one.seed, "bcr"))
        again = phases.score(shifted, one.labels, p, one.seed)
        yield tf.reduce_mean(terms.shift_term(one.scores, again, weight))


def _zcr_of_G(phases, fakes, p):
    jittered = phases.generate_jittered(fakes.seed, fakes.labels)
    yield tf.reduce_mean(terms.jitter_term_of_G(fakes.images, jittered, phases.method_kwargs["zcr_gen_weight"]))


def _zcr_of_D(phases, fakes, reals, p):
    # With the draws of the augmentation unchanged, so that D sees the difference of the latents alone.
    others = phases.augment(phases.generate_jittered(fakes.seed, fakes.labels), p, fakes.seed)
    other_scores = phases.score(others, fakes.labels, p, fakes.seed)
    yield tf.reduce_mean(terms.jitter_term_of_D(fakes.scores, other_scores, phases.method_kwargs["zcr_dis_weight"]))


def _rotations(phases, judged, p, weight):
    turned, labels = terms.turned(judged.shown), tf.tile(judged.labels, [terms.TURNS, 1])
    outputs = phases.outputs(turned, labels, p, judged.seed)
    yield tf.reduce_mean(terms.rotation_term(outputs, weight))


def _auxrot_of_G(phases, fakes, p):
    return _rotations(phases, fakes, p, phases.method_kwargs["auxrot_alpha"])


def _auxrot_of_D(phases, fakes, reals, p):
    return _rotations(phases, reals, p, phases.method_kwargs["auxrot_beta"])


def _wgangp_of_D(phases, fakes, reals, p):
    factors = terms.mixing_factors(fakes.seed, fakes.images.shape[0])
    penalty = terms.gradient_penalty(
        lambda images: phases.score(images, reals.labels, p, fakes.seed), reals.images, tf.stop_gradient(fakes.images), factors
    )
    yield tf.reduce_mean(penalty)


def _outputs_with_bits(phases, images, labels, p, seed):
    D = phases.state.D
    bits = terms.parity_bits(seed, images.shape[0], p)
    variables, sign = terms.with_bits(D.variables, D.config.resolution, bits), terms.parity_signs(bits)
    return discriminate(variables, D.config, images, labels, D.num_fp16_res), sign


def _outputs_normalised(phases, images, labels, p, seed):
    D, running = phases.state.D, phases.running
    variables = terms.spectrally_normalised(running.latest(D.variables), lambda name, vector: running.move(name, lambda: vector))
    return discriminate(variables, D.config, images, labels, D.num_fp16_res), 1.0


def _outputs_with_dropout(phases, images, labels, p, seed):
    D = phases.state.D
    noisy = terms.noisy_layer(seed, p)
    return discriminate(D.variables, D.config, images, labels, D.num_fp16_res, after_layer=noisy), 1.0


METHODS = {
    "bcr": Method(discriminator_terms=_bcr_of_D, has_path_length=False),
    "zcr": Method(generator_terms=_zcr_of_G, discriminator_terms=_zcr_of_D, has_path_length=False),
    "auxrot": Method(generator_terms=_auxrot_of_G, discriminator_terms=_auxrot_of_D, has_path_length=False),
    "wgangp": Method(
        generator_loss=terms.generator_wasserstein,
        discriminator_loss=terms.discriminator_wasserstein,
        discriminator_terms=_wgangp_of_D,
        has_path_length=False,
    ),
    "pagan": Method(outputs=_outputs_with_bits),
    "spectralnorm": Method(outputs=_outputs_normalised),
    "adropout": Method(outputs=_outputs_with_dropout),
}
