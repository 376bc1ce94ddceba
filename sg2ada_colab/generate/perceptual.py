"""How far two pictures are apart to the eye: LPIPS on VGG16 (Zhang et al. 2018), or the same idea on EfficientNet-Lite0."""

from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..errors import UserError
from ..files import FilePath
from ..formats.torch_file import read_torch_weights
from ..metrics import vgg
from ..metrics.efficientnet import SIZE_PX, efficientnet_stages, fold_weights
from ..metrics.features import EFFICIENTNET_LITE0
from ..metrics.resize import resize_antialiased
from ..metrics.weight_files import find_weights
from ..tf import tf

NAMES = ("auto", "lpips", "efflite0")
LARGEST_PX = 256  # NVIDIA's projectors compare pictures of this size
SMALLEST_PX = 96  # EfficientNet halves a picture five times
PIXELS = 0.1  # share of the plain difference: on flat areas features of unit length hardly tell one colour from another


def seen(images: tf.Tensor) -> tf.Tensor:
    """Return images as they are compared: RGBA float32 [N,H,W,4] in 0..255 as RGB [2N,H,W,3], over black and over white.

    Two backgrounds tell how opaque a pixel is and which colour it adds (Smith and Blinn 1996). Over a single one, what has its
    colour might as well be transparent. Colours under zero alpha count nothing. Alpha is clipped as it is in files; its gradient
    is that of alpha before, so that what is opaque can become transparent. Other images stay as they are.
    """
    if images.shape[3] != 4:
        return images
    alpha = images[..., 3:] / 255.0
    alpha += tf.stop_gradient(tf.clip_by_value(alpha, 0.0, 1.0) - alpha)
    over_black = images[..., :3] * alpha
    return tf.concat([over_black, over_black + 255.0 * (1.0 - alpha)], axis=0)


class Distance:
    """Base of distances: `embed` pictures once, then compare; each is differentiable.

    Attributes:
        name: Short name, for files.
        title: For people.
    """

    name = title = ""

    def embed(self, images: tf.Tensor) -> List[tf.Tensor]:
        """Return a list of tensors for images float32 [N,H,W,C], C = 1 or 3, in 0..255; RGBA see `seen`."""
        raise NotImplementedError

    def between(self, ours: Sequence[tf.Tensor], theirs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Return the distance, a scalar, of two results of `embed`, the mean over the pictures."""
        raise NotImplementedError


class LpipsDistance(Distance):
    """LPIPS; pictures whose shorter side is above 256 px are shrunk by the mean of squares of pixels, as in NVIDIA's projectors.

    Args:
        convolutions, layers: As `metrics.vgg` takes them.
    """

    name, title = "lpips", "LPIPS on VGG16"

    def __init__(self, convolutions: Sequence[Tuple[np.ndarray, np.ndarray]], layers: Sequence[np.ndarray]) -> None:
        self.convolutions = [tuple(tf.constant(array) for array in pair) for pair in convolutions]
        self.layers = [tf.constant(array) for array in layers]

    def embed(self, images: tf.Tensor) -> List[tf.Tensor]:
        return vgg.lpips_stages(_shrunk(_rgb(images)), self.convolutions)

    def between(self, ours: Sequence[tf.Tensor], theirs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Return the weighted square differences of the five stages, summed: LPIPS (Zhang et al. 2018, equation 1)."""
        parts = [tf.reduce_mean(tf.reduce_sum(tf.square(a - b) * weights, axis=3))
                 for a, b, weights in zip(ours, theirs, self.layers)]  # fmt: skip
        return tf.add_n(parts)


class EfficientNetDistance(Distance):
    """The mean squared difference of EfficientNet-Lite0's stages, of unit length at each pixel, and a little of the pixels'.

    It stands in for LPIPS: its values are of the same size, and are not comparable with LPIPS's.

    Args:
        weights: From `metrics.efficientnet.fold_weights`.
    """

    name, title = "efflite0", "EfficientNet-Lite0"

    def __init__(self, weights: Mapping[str, Tuple[np.ndarray, np.ndarray]]) -> None:
        self.weights = {name: tuple(tf.constant(array) for array in pair) for name, pair in weights.items()}

    def embed(self, images: tf.Tensor) -> List[tf.Tensor]:
        images = _shrunk(_rgb(images))
        height, width = int(images.shape[1]), int(images.shape[2])
        side = (height * width) ** 0.5  # of the square of the same area
        factor = min(max(side, SMALLEST_PX), SIZE_PX) / side
        enlarged = images if factor == 1 else resize_antialiased(images, (round(factor * height), round(factor * width)))
        return [images / 127.5] + [vgg.unit_length(x) for x in efficientnet_stages(enlarged, self.weights)]

    def between(self, ours: Sequence[tf.Tensor], theirs: Sequence[tf.Tensor]) -> tf.Tensor:
        pixels = PIXELS * tf.reduce_mean(tf.square(ours[0] - theirs[0]))
        stages = [tf.reduce_mean(tf.reduce_sum(tf.square(a - b), axis=3)) for a, b in zip(ours[1:], theirs[1:])]
        return pixels + tf.add_n(stages) / len(stages)


def _rgb(images):
    return tf.tile(images, [1, 1, 1, 3]) if images.shape[3] == 1 else images


def _shrunk(images):
    factor = min(int(images.shape[1]), int(images.shape[2])) // LARGEST_PX
    return tf.nn.avg_pool2d(images, factor, factor, "VALID") if factor > 1 else images


def open_distance(
    name: str = "auto", path: Optional[FilePath] = None, cache_dir: Optional[FilePath] = None, say: Callable[[str], Any] = print
) -> Distance:
    """Return the Distance of a name: "lpips", "efflite0", or "auto", which is LPIPS where its weights can be had.

    Args:
        path: Weights file or folder; None looks in the cache folder and in installed packages, and downloads VGG16 where the
            layers of LPIPS are there.
        say: Function that is told why it is not LPIPS.

    Raises:
        UserError: There is no such distance, or its weights are nowhere.
    """
    if name not in NAMES:
        raise UserError(f"There is no distance {name!r}.", "one of " + ", ".join(NAMES), "write --distance=auto")
    if name in ("auto", "lpips"):
        try:
            return _open_lpips(path, cache_dir)
        except UserError as error:
            if name == "lpips":
                raise
            say(f"Pictures are compared by EfficientNet-Lite0, not by LPIPS as usual: {error.what}.")
    source = find_weights(EFFICIENTNET_LITE0, None, cache_dir)
    return EfficientNetDistance(fold_weights(read_torch_weights(source)))


def _open_lpips(path, cache_dir):
    vgg.refuse_network_pickle(path)
    layers = read_torch_weights(find_weights(vgg.LPIPS_LAYERS, path, cache_dir))
    arrays = read_torch_weights(find_weights(vgg.VGG16, path, cache_dir))
    weights = [layers[f"lin{index}.model.1.weight"].reshape(-1) for index in range(len(vgg.STAGES))]
    return LpipsDistance(vgg.convolution_weights(arrays), weights)
