"""The phases of a training step with one of the comparison methods in them."""
from ...draws import normal, substream, uniform
from ...networks.discriminator import discriminate
from ...networks.mapping import broadcast, mix
from ...tf import tf
from .. import losses
from ..steps import Phases, scores_of, to_float
from . import adropout, auxrot, bcr, pagan, spectralnorm, wgangp, zcr

METHODS = ("bcr", "zcr", "pagan", "wgangp", "auxrot", "spectralnorm", "adropout")
WITHOUT_PATH_LENGTH = ("bcr", "zcr", "auxrot", "wgangp")  # their losses in the original have no path-length term


class ComparisonPhases(Phases):
    """Phases whose losses or discriminator follow a comparison method; fakes and reals pass D separately.

    Args:
        state: TrainState. D needs the variables of `pagan.weight_name` or the states of `spectralnorm` for those methods.
        settings: StepSettings; for the methods of WITHOUT_PATH_LENGTH with pl_weight 0, for wgangp without d_reg_interval.
        method: One of METHODS.
    """

    def __init__(self, state, settings, method):
        assert method in METHODS, "no comparison method {!r}".format(method)
        self.method = method
        super().__init__(state, settings)

    # -- the discriminator ---------------------------------------------------------------------------------------------

    def _outputs(self, images, labels, p, seed):
        """Return D's outputs [N, S] for images that are augmented already."""
        D, options = self.state.D, {}
        variables, sign = D.variables, 1.0
        if self.method == "spectralnorm":
            variables = spectralnorm.normalised(variables)
        elif self.method == "pagan":
            bits = pagan.bits(seed, images.shape[0], p)
            variables, sign = pagan.with_bits(variables, D.config.resolution, bits), pagan.signs(bits)
        elif self.method == "adropout":
            options["after_layer"] = adropout.noisy_layer(seed, p)
        return discriminate(variables, D.config, images, labels, D.num_fp16_res, **options) * sign

    def _score(self, images, labels, p, seed):
        return self._outputs(images, labels, p, seed)[:, :1]

    def _rotation_loss(self, images, labels, p, seed, weight):
        outputs = self._outputs(auxrot.turned(images), tf.tile(labels, [auxrot.TURNS, 1]), p, seed)
        return tf.reduce_mean(auxrot.rotation_loss(outputs, weight))

    def _generate_jittered(self, seed, labels):
        """Return images of nearby latents, with the style mixing and the noise of `_generate`."""
        G, n = self.state.G, int(labels.shape[0])
        layers = G.config.num_layers
        w = broadcast(G.map(zcr.jittered(normal(seed, "z", [n, G.config.latent_size]), seed), labels), layers)
        if self.settings.style_mixing_prob:
            other = broadcast(G.map(normal(seed, "z_mix", [n, G.config.latent_size]), labels), layers)
            cutoff = 1 + tf.cast(uniform(seed, "mix_cutoff", []) * (layers - 1), tf.int32)
            w = mix(w, other, tf.where(uniform(seed, "mix", []) < self.settings.style_mixing_prob, cutoff, layers))
        return G.synthesize(w, substream(seed, "noise"))

    # -- the phases ----------------------------------------------------------------------------------------------------

    def _G_main(self, seed, labels, p):
        w, synthesize = self._generate(seed, labels)
        images = synthesize(w)
        shown = self._augment(images, p, seed)
        scores = self._score(shown, labels, p, seed)
        loss = wgangp.generator_loss(scores) if self.method == "wgangp" else losses.generator_logistic(scores)
        total = tf.reduce_mean(loss)
        if self.method == "zcr":
            total += tf.reduce_mean(zcr.generator_term(images, self._generate_jittered(seed, labels)))
        if self.method == "auxrot":
            total += self._rotation_loss(shown, labels, p, seed, auxrot.GENERATOR_WEIGHT)
        return total, scores_of(scores) + [total]

    def _D_main(self, seed, labels, reals, real_labels, p):
        w, synthesize = self._generate(seed, labels)
        fakes, reals, real_seed = synthesize(w), to_float(reals), substream(seed, "real")
        shown_fakes, shown_reals = self._augment(fakes, p, seed), self._augment(reals, p, real_seed)
        fake_scores = self._score(shown_fakes, labels, p, seed)
        real_scores = self._score(shown_reals, real_labels, p, real_seed)
        if self.method == "wgangp":
            total = tf.reduce_mean(wgangp.discriminator_loss(fake_scores, real_scores))
            factors = wgangp.mixing_factors(seed, fakes.shape[0])
            judge = lambda images: self._score(images, real_labels, p, seed)  # noqa: E731
            total += tf.reduce_mean(wgangp.gradient_penalty(judge, reals, tf.stop_gradient(fakes), factors))
        else:
            total = tf.reduce_mean(losses.discriminator_logistic(fake_scores, real_scores))
        if self.method == "bcr":
            for images, its_labels, scores, its_seed, weight in (
                (shown_fakes, labels, fake_scores, seed, bcr.FAKE_WEIGHT),
                (shown_reals, real_labels, real_scores, real_seed, bcr.REAL_WEIGHT),
            ):
                again = self._score(bcr.shifted(images, substream(its_seed, "bcr")), its_labels, p, its_seed)
                total += tf.reduce_mean(bcr.penalty(scores, again, weight))
        if self.method == "zcr":
            # With the draws of the augmentation unchanged, so that D sees the difference of the latents alone.
            others = self._augment(self._generate_jittered(seed, labels), p, seed)
            total += tf.reduce_mean(zcr.discriminator_term(fake_scores, self._score(others, labels, p, seed)))
        if self.method == "auxrot":
            total += self._rotation_loss(shown_reals, real_labels, p, real_seed, auxrot.DISCRIMINATOR_WEIGHT)
        return total, scores_of(fake_scores) + scores_of(real_scores) + [total]

    def _D_reg(self, seed, reals, real_labels, p):
        def judge(images):
            return self._score(self._augment(images, p, seed), real_labels, p, seed), None

        penalty, scores, _ = losses.r1_penalty(judge, to_float(reals))
        regulariser = tf.reduce_mean(penalty) * (self.settings.r1_gamma * 0.5)
        return (regulariser * (self.settings.d_reg_interval or 1), scores_of(scores) + [tf.reduce_mean(penalty), regulariser])

    def _validate(self, seed, images, labels, p):
        return tf.stack(scores_of(self._score(self._augment(to_float(images), p, seed), labels, p, seed)))
