"""Adaptive dropout: D's activations times log-normal noise whose strength is adapted as that of ADA is (ADA paper, section 4)."""
from ...draws import normal
from ...tf import tf


def noisy_layer(seed, strength):
    """Return a function (activations, layer name) → activations · exp(strength · N(0,1)).

    Args:
        seed: int32 [2]; every layer draws from its own sub-stream.
        strength: Scalar; 0 changes nothing.
    """

    def layer(x, name):
        noise = normal(seed, "adropout/" + name, x.shape.as_list())
        return x * tf.cast(tf.exp(noise * strength), x.dtype)

    return layer
