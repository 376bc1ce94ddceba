"""A trained generator: latents from seeds, w, truncation, style mixing and synthesis; what every verb of this room works with."""

import functools
from typing import TYPE_CHECKING, Any, Callable, Collection, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import UserError
from ..files import FilePath
from ..networks.generator import map_latents, synthesize, to_uint8
from ..networks.latents import seed_latents
from ..networks.shared_programs import device_weights, shared_program
from ..networks.variables import generator_specs
from ..tf import gpus, tf
from .clusters import SAMPLES, cluster_centres, nearest_centres
from .labels import ChosenClass
from .named_network import NamedNetwork
from .noise import noise_arrays

if TYPE_CHECKING:
    from ..formats.network_data import NetworkData, NetworkSnapshot
    from .directions import Direction
    from .find_network import FoundNetwork
    from .perceptual import Distance
    from .projector import Projection


# Pictures of 256x256, or as many pixels, from which a program compiled by XLA is ready sooner than operations run one by one.
COMPILE_FROM, COMPILE_FROM_ON_GPU = 16, 5000
ONE_BY_ONE = 3  # times that operations run one by one take longer than a program, on a processor
TRACE_FROM = 3  # single pictures from which a graph is traced, for half a second, so that Python does not call each operation
NOISE = "synthesis/noise"
MAP_BATCH = 1000


class TrainedGenerator(NamedNetwork):
    """The moving average Gs of a trained network, ready to make pictures. Arrays in and out are NumPy's, float32, images NHWC.

    Programs are shared by all networks of one architecture, so another snapshot of a run is ready at once. Arrays of
    other shapes, and what the network cannot make, are a UserError.

    Args:
        network: NetworkData of Gs.
        digest: SHA-256 (hex) that names the network, or a function that returns it; None: of its weights.
        title: What to call it in messages.
        xla: True compiles with XLA, False never does; None compiles when many pictures are asked for.
        snapshot: NetworkSnapshot that Gs is of, for what needs G and D, too; None: there is Gs alone.
    """

    def __init__(
        self,
        network: "NetworkData",
        digest: Union[str, Callable[[], str], None] = None,
        title: str = "the network",
        xla: Optional[bool] = None,
        snapshot: Optional["NetworkSnapshot"] = None,
    ) -> None:
        super().__init__(network, digest, title, lambda: self)
        self.xla, self._snapshot = xla, snapshot
        self.specs = generator_specs(self.config)
        self.num_fp16_res = self.config.num_fp16_res if gpus() else 0
        self.weights = device_weights(network.variables, self.specs)
        self.w_avg = np.asarray(network.variables["dlatent_avg"], np.float32)
        self._compiling, self._singles = bool(xla), 0
        self._centres: Dict[Tuple[int, bytes], np.ndarray] = {}

    @classmethod
    def of_file(cls, found: "FoundNetwork", xla: Optional[bool] = None) -> "TrainedGenerator":
        """Return the generator of a FoundNetwork."""
        return cls(found.snapshot.Gs, found.digest, found.title, xla, found.snapshot)

    @property
    def batch_size(self) -> int:
        """How many images to make at once: fewer of the large ones."""
        at_256, most = (32, 128) if gpus() else (8, 32)
        return int(np.clip(at_256 * 256**2 // (self.config.height * self.config.width), 1, most))

    @property
    def batches_at_once(self) -> int:
        """How many batches to begin before the first is there: a GPU computes one while others are begun and fetched."""
        return 3 if gpus() else 1

    def expect(self, count: int) -> "TrainedGenerator":
        """Say that `count` pictures will be asked for in all: where `xla` is None, many are worth compiling for; returns self."""
        least = COMPILE_FROM_ON_GPU if gpus() else COMPILE_FROM
        if self.xla is None and count * self.config.height * self.config.width >= least * 256**2:
            self._compiling = True
        return self

    def latents(self, seeds: Iterable[int]) -> np.ndarray:
        """Return z [N, latent_size], one row a seed, as NVIDIA's programs draw them."""
        return seed_latents(seeds, self.config.latent_size)

    def map(
        self,
        z: np.ndarray,
        labels: Optional[np.ndarray] = None,
        psi: float = 1.0,
        cutoff: Optional[int] = None,
        centres: Optional[np.ndarray] = None,
    ) -> np.ndarray:
        """Return w [N, num_layers, dlatent_size] from z [N, latent_size], truncated.

        Args:
            labels: [N, label_size]; None is the zero vector.
            psi, cutoff, centres: As in `truncate`.
        """
        w = np.repeat(self.map_once(z, labels)[:, np.newaxis], self.num_layers, axis=1)
        return self.truncate(w, psi, cutoff, centres)

    def map_once(self, z: np.ndarray, labels: Optional[np.ndarray] = None) -> np.ndarray:
        """Return w [N, dlatent_size] from z [N, latent_size], one row for all layers; see `map`."""
        z = np.asarray(z, np.float32)
        if labels is None:
            labels = np.zeros([len(z), self.config.label_size], np.float32)
        starts = range(0, len(z), MAP_BATCH)
        parts = [self._map(z[start : start + MAP_BATCH], labels[start : start + MAP_BATCH]) for start in starts]
        return np.concatenate(parts) if parts else np.zeros([0, self.config.dlatent_size], np.float32)

    def _map(self, z, labels):
        return map_latents(self.weights, self.config, tf.constant(z), tf.constant(np.asarray(labels, np.float32))).numpy()

    def w(
        self,
        seeds: Sequence[int],
        class_: ChosenClass = None,
        psi: float = 1.0,
        cutoff: Optional[int] = None,
        centres: Optional[np.ndarray] = None,
    ) -> np.ndarray:
        """Return w [N, num_layers, dlatent_size] of seeds; see `labels` for `class_` and `truncate` for the rest."""
        return self.map(self.latents(seeds), self.labels(class_, len(seeds)), psi, cutoff, centres)

    def truncate(
        self, w: np.ndarray, psi: float, cutoff: Optional[int] = None, centres: Optional[np.ndarray] = None
    ) -> np.ndarray:
        """Return w [N,L,D] pulled towards the average of w: a + ψ·(w − a) (StyleGAN appendix B).

        Args:
            psi: 1 leaves w alone, 0 is the average image.
            cutoff: Number of layers it applies to; None is all.
            centres: [K, D] from `centres`; a is then the one nearest to w (Mokady et al. 2022).
        """
        if psi == 1:
            return w
        average = self.w_avg if centres is None else nearest_centres(w[:, 0], centres)[:, np.newaxis]
        truncated = (average + np.float32(psi) * (w - average)).astype(np.float32)
        if cutoff is not None:
            truncated[:, cutoff:] = w[:, cutoff:]
        return truncated

    def centres(self, count: int, class_: ChosenClass = None) -> np.ndarray:
        """Return `count` cluster centres [count, D] of w, always the same ones, for multimodal truncation."""
        label = self.labels(class_)
        key = count, label.tobytes()
        if key not in self._centres:
            z = np.random.RandomState(0).randn(SAMPLES, self.config.latent_size)
            self._centres[key] = cluster_centres(self.map_once(z, np.repeat(label, SAMPLES, axis=0)), count)
        return self._centres[key]

    @staticmethod
    def mix(w: np.ndarray, other: np.ndarray, layers: Iterable[int]) -> np.ndarray:
        """Return w [N,L,D] whose `layers`, a list of numbers, come from `other` (style mixing, StyleGAN section 3.1)."""
        mixed = np.array(w)
        mixed[:, list(layers)] = np.asarray(other)[:, list(layers)]
        return mixed

    def synthesize(
        self, w: np.ndarray, noise: Union[str, Dict[str, np.ndarray]] = "const", seeds: Optional[Sequence[int]] = None
    ) -> np.ndarray:
        """Return images float32 [N,H,W,C], about [-1,1], from w [N, num_layers, dlatent_size].

        Args:
            noise: "const" (stored in the network), "random", "none" or "tf", see `noise`; or a dict name → [n,1,H,W].
            seeds: One a picture, for "random" and "tf"; None: 0, 1, …
        """
        return self._in_batches(_float_images, w, noise, seeds)

    def pictures(
        self, w: np.ndarray, noise: Union[str, Dict[str, np.ndarray]] = "const", seeds: Optional[Sequence[int]] = None
    ) -> np.ndarray:
        """Return images uint8 [N,H,W,C] from w; see `synthesize`."""
        return self._in_batches(_uint8_images, w, noise, seeds)

    def images(
        self,
        seeds: Sequence[int],
        class_: ChosenClass = None,
        psi: float = 1.0,
        cutoff: Optional[int] = None,
        centres: Optional[np.ndarray] = None,
        noise: Union[str, Dict[str, np.ndarray]] = "const",
    ) -> np.ndarray:
        """Return images uint8 [N,H,W,C] of seeds: `w` and `pictures` in one call."""
        return self.pictures(self.w(seeds, class_, psi, cutoff, centres), noise, seeds)

    def _in_batches(self, function, w, noise, seeds):
        w = self._checked(w)
        seeds = list(range(len(w))) if seeds is None else list(seeds)
        size, parts = self.expect(len(w)).batch_size, []
        for start in range(0, len(w), size):
            parts.append(self.launch(w[start : start + size], noise, seeds[start : start + size], function)())
        return np.concatenate(parts)

    def launch(
        self,
        w: Any,
        noise: Union[str, Dict[str, np.ndarray]] = "const",
        seeds: Optional[Sequence[int]] = None,
        function: Optional[Callable[..., Any]] = None,
    ) -> Callable[[], np.ndarray]:
        """Start making the images of at most `batch_size` w; on a GPU this returns before they are there.

        Args:
            w: float32 [N, num_layers, dlatent_size], an array or a tensor. What is copied to a GPU, or from it, waits for all
                that the GPU was given before: a tensor that lies there does not.

        Returns:
            Function that waits and returns uint8 [N,H,W,C]; it raises a UserError for a network that gives no finite numbers.
        """
        function, count = function or _uint8_images, len(w)
        own: Any = seeds  # modes that draw noise need them
        drawn = noise if isinstance(noise, dict) else noise_arrays(noise, self.stored_noise(), own, self.config.latent_size)
        # A compiled program takes complete batches, so that on a processor a few pictures are made sooner without it.
        compiling = self._compiling and (bool(self.xla or gpus()) or ONE_BY_ONE * count >= self.batch_size)
        missing = self.batch_size - count if compiling else 0
        weights = dict(self.weights)
        for name, value in drawn.items():
            shared = noise == "none" or len(value) != count
            weights[name] = tf.constant(value if shared else _filled(value, missing))
        packed = self._program(function, compiling, count)(weights, _filled_tensor(w, missing))
        shape = [-1, self.config.height, self.config.width, self.config.num_channels]

        def wait():
            values = packed.numpy()
            if not values[-1]:
                raise UserError(f"{self.title} gives numbers that are not finite.", "a network that makes images",
                                "its training diverged: take an earlier snapshot")  # fmt: skip
            return values[:-1].reshape(shape)[:count]

        return wait

    def _program(self, function, compiling, count):
        """Return (weights, w) → packed images: compiled, as a graph, or operation by operation where few are asked for."""
        self._singles += count == 1
        if compiling or (count == 1 and self._singles >= TRACE_FROM):
            return shared_program(function, (self.config, self.num_fp16_res), compiling)
        return functools.partial(function, (self.config, self.num_fp16_res))

    def placed(self, w: np.ndarray) -> Any:
        """Return w as `launch` takes it without waiting: a tensor on the GPU, or the array itself without one."""
        if not gpus():
            return w
        with tf.device("/GPU:0"):
            return tf.identity(tf.constant(w))

    @property
    def snapshot(self) -> "NetworkSnapshot":
        """NetworkSnapshot with G, D and Gs.

        Raises:
            UserError: There is Gs alone.
        """
        if self._snapshot is None:
            raise UserError(
                f"{self.title} was read without its discriminator.",
                "a network that was loaded with its discriminator",
                "take sg2ada_colab.load(…)",
            )
        return self._snapshot

    def save(self, path: FilePath) -> None:
        """Write the network to a file that ends in .pkl, .pt or .safetensors; raise UserError for another ending."""
        from ..formats.convert import write_snapshot

        write_snapshot(path, self.snapshot)

    def directions(
        self, count: int = 10, method: str = "weights", layers: Optional[Collection[int]] = None, class_: ChosenClass = None
    ) -> List["Direction"]:
        """Return Directions that change one thing each, by the method "weights" or "pca"; `directions.move` goes along them."""
        from .directions import find_directions

        return find_directions(self, method, count, layers, class_)

    def project(
        self,
        photo: Union[FilePath, np.ndarray],
        steps: int = 1000,
        space: str = "w",
        seed: int = 303,
        distance: Union[str, "Distance"] = "auto",
        enlarge: bool = False,
        on_step: Optional[Callable[[int], Any]] = None,
    ) -> "Projection":
        """Find the w of a photograph, by its path, or of a picture uint8 [H,W,C] of the network's size.

        Args:
            steps, space, seed: As in `projector.ProjectOptions`.
            distance: "auto", "lpips", "efflite0", see `perceptual`, or a Distance.
            enlarge: Take a photograph that is smaller than the network's pictures, too.
            on_step: Function of the number of steps that are done.

        Returns:
            `projector.Projection`; its `w` is what `pictures` takes.
        """
        from .perceptual import open_distance
        from .projector import ProjectOptions, Projector
        from .target import read_target

        pixels = photo if isinstance(photo, np.ndarray) else read_target(str(photo), self, enlarge).pixels
        distance = open_distance(distance) if isinstance(distance, str) else distance
        return Projector(self, distance, ProjectOptions(steps, seed, space)).project(pixels, on_step=on_step)

    def blend(self, higher: "TrainedGenerator", split: int, width: float = 0.0, mapping: str = "lower") -> "TrainedGenerator":
        """Return the TrainedGenerator with this network's coarse layers and, from `split` px, those of `higher`; see `blend`."""
        from .blend import blend

        return self._made(blend(self.snapshot, higher.snapshot, split, width, mapping, (self.title, higher.title)), "blended")

    def average(self, *others: "TrainedGenerator") -> "TrainedGenerator":
        """Return the TrainedGenerator of the mean of this network and others, old to new; see `average`."""
        from .average import average

        networks = (self,) + others
        return self._made(average([one.snapshot for one in networks], [one.title for one in networks]), "averaged")

    def publish(self, folder: FilePath, **answers: str) -> List[str]:
        """Write a folder to give the network away; `answers` are the fields of `publish.Answers`; returns its files' names."""
        from .publish import Answers, publish

        return publish(self, self.snapshot, Answers(**answers), folder)

    def _made(self, snapshot, how):
        return TrainedGenerator(snapshot.Gs, title=f"{self.title}, {how}", xla=self.xla, snapshot=snapshot)

    def stored_noise(self) -> Dict[str, np.ndarray]:
        """Return the network's noise, dict name → array [1,1,H,W], in the order of the layers."""
        return {spec.name: self.network.variables[spec.name] for spec in self.specs if spec.name.startswith(NOISE)}

    def _checked(self, w):
        w = np.asarray(w, np.float32)
        if w.ndim != 3 or w.shape[1:] != (self.num_layers, self.config.dlatent_size):
            raise UserError(
                f"w has the shape {list(w.shape)}.",
                f"[N, {self.num_layers}, {self.config.dlatent_size}] for {self.title}",
                "take a w that was made with a network of these sizes",
            )
        return w


def _filled(values, missing):
    """Return rows with `missing` copies of the last one behind them."""
    return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing else values


def _filled_tensor(w, missing):
    """Return rows, an array or a tensor, as a tensor with `missing` copies of the last one behind them."""
    if isinstance(w, np.ndarray):
        return tf.constant(_filled(w, missing))
    return tf.concat([w, tf.tile(w[-1:], [missing, 1, 1])], axis=0) if missing else w


def _float_images(settings, weights, w):
    return _packed(*_images_and_check(settings, weights, w))


def _uint8_images(settings, weights, w):
    images, finite = _images_and_check(settings, weights, w)
    return _packed(to_uint8(images), finite)


def _images_and_check(settings, weights, w):
    images = tf.cast(synthesize(weights, settings[0], w, None, settings[1]), tf.float32)
    return images, tf.reduce_all(tf.math.is_finite(images))


def _packed(images, finite):
    """Return images in a row with whether they are finite behind them: a GPU hands them out in one copy."""
    return tf.concat([tf.reshape(images, [-1]), tf.cast([finite], images.dtype)], axis=0)
