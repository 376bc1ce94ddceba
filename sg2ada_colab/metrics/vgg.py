"""VGG16 (Simonyan and Zisserman 2014) for precision and recall, and the distance LPIPS on it (Zhang et al. 2018)."""

from typing import Any, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..errors import UserError
from ..files import FilePath
from ..tf import tf
from .resize import resize_antialiased
from .weight_files import WeightsFile

SIZE_PX = 224
DIMENSIONS = 4096
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in 0..1
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # the same in -1..1, as LPIPS rounds them
STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))  # positions of the convolutions in the PyTorch module

VGG16 = WeightsFile(
    title="VGG16",
    file_name="vgg16-397923af.pth",
    sha256="397923af",  # the beginning of it, which the file's name carries
    address="https://download.pytorch.org/models/vgg16-397923af.pth",
    obtain="put vgg16-397923af.pth (528 MB) into the cache folder, or name it with --features",
)
LPIPS_LAYERS = WeightsFile(
    title="the layers of LPIPS on VGG16",
    file_name="lpips-vgg.pth",
    sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    package="lpips",
    package_path="weights/v0.1/vgg.pth",
    obtain="run: pip install --no-deps lpips",
)


def refuse_network_pickle(path: Optional[FilePath]) -> None:
    """Raise UserError where `path` names NVIDIA's vgg16.pkl or vgg16_zhang_perceptual.pkl.

    How such a network prepares its images stands in the program inside the file, which is not run.
    """
    if str(path or "").endswith(".pkl"):
        raise UserError(
            f"{path} is a network pickle, whose preparation of images only the program inside it knows",
            f"the weights of VGG16 as PyTorch publishes them, {VGG16.file_name}",
            "name that file with --features, or leave --features out; its values differ slightly from those of NVIDIA's file",
        )


def convolution_weights(arrays: Mapping[str, np.ndarray]) -> List[Tuple[np.ndarray, np.ndarray]]:
    """Return [(kernel, bias), ...] of the 13 convolutions, float32 arrays, from the PyTorch state dict."""
    names = [f"features.{position}" for stage in STAGES for position in stage]
    return [(arrays[name + ".weight"].transpose(2, 3, 1, 0), arrays[name + ".bias"]) for name in names]


def dense_weights(arrays: Mapping[str, np.ndarray]) -> List[Tuple[np.ndarray, np.ndarray]]:
    """Return [(kernel, bias), ...] of the first two dense layers; the first reads what is left of the image as [H, W, C]."""
    first, second = arrays["classifier.0.weight"], arrays["classifier.3.weight"]
    channels = len(arrays[f"features.{STAGES[-1][-1]}.bias"])
    side = int(round(np.sqrt(first.shape[1] / channels)))
    first = first.reshape(-1, channels, side, side).transpose(2, 3, 1, 0).reshape(-1, len(first))
    return [(first, arrays["classifier.0.bias"]), (second.T, arrays["classifier.3.bias"])]


def vgg16_stages(x: Any, convolutions: Iterable[Any]) -> List[Any]:
    """Return the activations at the end of each of the five stages, for prepared images [N, H, W, 3]."""
    outputs: List[Any] = []
    remaining = iter(convolutions)
    for stage in STAGES:
        x = x if not outputs else tf.nn.max_pool2d(x, 2, 2, "VALID")
        for _ in stage:
            kernel, bias = next(remaining)
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME") + bias)
        outputs.append(x)
    return outputs


def vgg16_features(images: Any, convolutions: Iterable[Any], dense: Iterable[Any]) -> Any:
    """Return float32 [N, 4096], the second dense layer after its ReLU, of images [N, H, W, 3] in 0..255.

    Images are resized to 224 by an antialiased linear filter and normalised by ImageNet's mean and deviation.
    """
    x = (resize_antialiased(images, SIZE_PX) / 255.0 - MEAN) / DEVIATION
    x = tf.nn.max_pool2d(vgg16_stages(x, convolutions)[-1], 2, 2, "VALID")
    x = tf.reshape(x, [-1, int(np.prod(x.shape[1:].as_list()))])
    for kernel, bias in dense:
        x = tf.nn.relu(tf.matmul(x, kernel) + bias)
    return x


def lpips_distance(pairs: Any, convolutions: Sequence[Any], layer_weights: Sequence[Any]) -> Any:
    """Return the LPIPS distance float32 [N, 1] of pairs [N, 2, H, W, 3] in 0..255.

    Args:
        layer_weights: Five float32 arrays, a weight a channel.
    """
    stages = [lpips_stages(pairs[:, side], convolutions) for side in (0, 1)]
    distance = 0.0
    for first, second, weights in zip(stages[0], stages[1], layer_weights):
        difference = tf.square(first - second)
        distance += tf.reduce_mean(tf.reduce_sum(difference * weights, axis=3), axis=[1, 2])
    return tf.reshape(distance, [-1, 1])


def lpips_stages(images: Any, convolutions: Iterable[Any]) -> List[Any]:
    """Return what LPIPS compares of images [N, H, W, 3] in 0..255: the activations of the five stages, of unit length."""
    return [unit_length(x) for x in vgg16_stages((images / 127.5 - 1.0 - SHIFT) / SCALE, convolutions)]


def unit_length(x: Any) -> Any:
    """Scale the channels at each pixel of x [N, H, W, C] to unit length."""
    return x / (tf.sqrt(tf.reduce_sum(tf.square(x), axis=3, keepdims=True)) + 1e-10)
