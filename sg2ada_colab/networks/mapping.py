"""The mapping network, truncation and style mixing (StyleGAN section 2, StyleGAN2 appendix B)."""

from ..tf import tf
from .layers import dense, normalize_2nd_moment


def map_latents(variables, config, z, labels):
    """Return w [N, dlatent_size] from z [N, latent_size] and labels [N, label_size]."""
    x = normalize_2nd_moment(z)
    if config.label_size:
        x = tf.concat([x, normalize_2nd_moment(dense(labels, variables, "mapping/LabelEmbed"))], axis=1)
    for layer in range(config.mapping_layers):
        x = dense(x, variables, "mapping/Dense{}".format(layer), config.mapping_lrmul, act="lrelu")
    return x


def broadcast(w, num_layers):
    """Return w [N,D] repeated for every layer: [N,L,D]."""
    return tf.tile(w[:, None, :], [1, num_layers, 1])


def truncate(w, dlatent_avg, psi, cutoff=None):
    """Pull w [N,L,D] towards the average: a + ψ·(w − a), on the first `cutoff` layers (None: all)."""
    truncated = dlatent_avg + psi * (w - dlatent_avg)
    if cutoff is None:
        return truncated
    return tf.concat([truncated[:, :cutoff], w[:, cutoff:]], axis=1)


def mix(w, other, cutoff):
    """Return w [N,L,D] whose layers from `cutoff` (int32 scalar) on come from `other`."""
    first = tf.range(int(w.shape[1]))[None, :, None] < cutoff
    return tf.where(tf.broadcast_to(first, w.shape), w, other)
