"""What a run will cost, before it starts: parameters exactly, disk nearly, time and GPU memory roughly."""

from typing import Dict, Iterator, NamedTuple

import numpy as np

from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..networks.layout import image_layers, synthesis_layers
from ..networks.variables import discriminator_specs, generator_specs
from ..words import rough_duration
from .train_config import TrainConfig

FLOAT32_BYTES, FLOAT16_BYTES = 4, 2
GIB, MIB = 2**30, 2**20

# Arithmetic of a training step, in forward passes of each network for one image. A backward pass costs two, a pass to the
# inputs only one; path length (every 4th minibatch, half of it) and R1 (every 16th) differentiate twice.
G_PASSES = 3 + 1 + 6 * 0.5 / 4  # G step, fakes for the D step, path length
D_PASSES = 2 + 6 + 6 / 16  # scores for the G step, reals and fakes in the D step, R1

# Effective rate of each device in this arithmetic, 10^12 operations a second, and where it comes from.
RATES = {
    "H100": (266.3, "measured, 1.50 s/kimg at 256x256 without augmentation"),
    "A100": (31.9, "NVIDIA's PyTorch code, 12.5 s/kimg at 256x256"),
    "L4": (12.4, "not measured: the A100's by peak float16 rate"),
    "G4": (51.5, "not measured: the A100's by peak float16 rate"),
    "V100": (19.2, "NVIDIA's PyTorch code, 20.8 s/kimg at 256x256"),
    "T4": (10.0, "not measured: the V100's by peak float16 rate"),
    "2 CPU cores": (0.402, "measured, 35 s/kimg at 32x32 with 128 channels"),
}
# Processors also wait for memory: bytes of an image's activations a second. Fitted to 35 s/kimg at 32² and 71 at 128², both with
# up to 128 channels and without augmentation; at 256² with two channels there it gives 31 where 65 were measured.
CPU_ACTIVATION_RATE = 3.2e8
# Live copies of the activations at the peak of a step, and what convolutions also need. With these the rule gives NVIDIA's
# published 6.2, 4.5, 6.8 and 7.2 GB (auto at 128, 256, 512, 1024) to within a third, and 10.7 GiB where an H100 was measured to
# need 8.3 (paper256, 64 images at once).
ACTIVATION_COPIES = 2.0
WORKSPACE_BYTES = 1.4e9
CARD_SIZES_GB = (15, 24, 40, 80)  # T4, L4, A100, A100 or H100: what is left of 16, 24, 40, 80
CARD_SHARE = 0.85  # of a card's memory that the rule may fill: it is off by up to a third, mostly upwards
MESSAGE_COPIES = 3  # of a network's gradients where processes share the rounds: the message, what is summed, the sum
STEP_S = 0.01  # least time of a pass over one share of a minibatch, whatever the device; assumed, not measured
PNG_SHARE = 0.6  # of a grid's raw size


class Estimate(NamedTuple):
    """The cost of a run."""

    G_parameters: int
    D_parameters: int
    weight_bytes: int  # G, Gs, D, their gradients and Adam's moments; exact
    activation_bytes: float  # rough
    memory_bytes: float  # of the GPU; rough
    snapshot_bytes: int  # a network pickle; exact but for its framing
    state_bytes: int  # the training state beside it
    snapshots_kept: int  # at the end of the run
    disk_bytes: float  # of the run's folder at its end
    operations_per_kimg: float
    seconds_per_kimg: Dict[str, float]  # device, of which there is one for each process → rough time
    processes: int  # that train together
    kimg: int  # left to train
    float32: bool  # no float16 anywhere
    batch_gpu: Dict[int, int]  # GB of a card → the most images at once (--batch-gpu) that should fit it, 0 for none

    def lines(self) -> Iterator[str]:
        """Return the estimate as lines of text."""
        yield f"Parameters:        G {self.G_parameters:,}, D {self.D_parameters:,}"
        yield (
            f"GPU memory:        about {self.memory_bytes / GIB:.1f} GiB, of which "
            f"{self.weight_bytes / GIB:.2f} weights and optimiser"
        )
        fits = ["{} GB: {}".format(size, count or "none") for size, count in self.batch_gpu.items()]
        yield "Largest batch-gpu: by the card's memory: " + ", ".join(fits)
        yield (
            f"Disk:              about {self.disk_bytes / GIB:.1f} GiB at the end: "
            f"{self.snapshots_kept} snapshots of {self.snapshot_bytes / MIB:.0f} + {self.state_bytes / MIB:.0f} MiB "
            "and the image grids"
        )
        yield "Time, roughly:     {:.3g} TFLOP per kimg; the device decides{}{}:".format(
            self.operations_per_kimg / 1e12,
            " (GPUs: in float16; float32 takes longer)" if self.float32 else "",
            f" ({self.processes} GPUs together, without the time of their messages)" if self.processes > 1 else "",
        )
        for device, seconds in self.seconds_per_kimg.items():
            whole = rough_duration(seconds * self.kimg)
            yield f"  {device:<11s}      {seconds:>8.2f} s/kimg {whole:>14s} in all   ({RATES[device][1]})"


def estimate(config: TrainConfig, processes: int = 1) -> Estimate:
    """Return the `Estimate` of a `TrainConfig`; imports no TensorFlow.

    Args:
        config: TrainConfig.
        processes: That share the rounds of a minibatch, a card each. Memory is that of one of them.
    """
    networks, minibatch_gpu = _Networks(config), config.schedule.minibatch_gpu
    weight_bytes = networks.kept_bytes + networks.gradient_bytes(minibatch_gpu, processes)
    activation_bytes = minibatch_gpu * networks.activation_bytes()
    kimg = config.schedule.total_kimg - config.start.kimg
    operations = 1000 * networks.operations()
    kept = _snapshots_kept(config.snapshots, config.schedule.kimg_per_tick, kimg)
    return Estimate(
        G_parameters=networks.G_trained,
        D_parameters=networks.D_trained,
        weight_bytes=weight_bytes,
        activation_bytes=activation_bytes,
        memory_bytes=weight_bytes + activation_bytes + WORKSPACE_BYTES,
        snapshot_bytes=networks.snapshot_bytes,
        state_bytes=networks.state_bytes,
        snapshots_kept=kept,
        disk_bytes=kept * networks.kept_bytes + _grid_bytes(config, kimg),
        operations_per_kimg=operations,
        seconds_per_kimg=_seconds_per_kimg(operations, 1000 * networks.activation_bytes(), minibatch_gpu, processes),
        processes=processes,
        kimg=kimg,
        float32=config.G["num_fp16_res"] == 0,
        batch_gpu={size: largest_batch_gpu(config, size * 1e9, processes) for size in CARD_SIZES_GB},
    )


def largest_batch_gpu(config: TrainConfig, memory_bytes: float, processes: int = 1) -> int:
    """Return the most images at once, a share of the config's minibatch, that should fit a card's memory; 0 if none does.

    Args:
        config: TrainConfig.
        memory_bytes: Of a card.
        processes: As of `estimate`.
    """
    networks, size = _Networks(config), config.schedule.minibatch_size
    count = size // processes if size % processes == 0 else 0
    while count:
        weights = networks.kept_bytes + networks.gradient_bytes(count, processes)
        if weights + count * networks.activation_bytes() + WORKSPACE_BYTES <= CARD_SHARE * memory_bytes:
            return count
        count = count // 2 if count % 2 == 0 else 0
    return 0


class _Networks:
    """What the networks of a run cost: numbers that they keep, and arithmetic.

    Attributes:
        G_trained, D_trained: How many numbers are trained.
        snapshot_bytes: Of G, Gs and D.
        state_bytes: Of Adam's moments.
        kept_bytes: Of both.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.schedule = config.schedule
        self.G, self.D = GeneratorConfig.from_kwargs(config.G), DiscriminatorConfig.from_kwargs(config.D)
        G_specs, D_specs = generator_specs(self.G), discriminator_specs(self.D, config.optimizer.freeze_layers)
        self.G_trained, self.D_trained = _count(G_specs, trainable=True), _count(D_specs, trainable=True)
        moments = 2 if config.optimizer.beta1 else 1  # without β1 the first moment is the gradient
        self.snapshot_bytes = FLOAT32_BYTES * (2 * _count(G_specs) + _count(D_specs))
        self.state_bytes = FLOAT32_BYTES * moments * (self.G_trained + self.D_trained)
        self.kept_bytes = self.snapshot_bytes + self.state_bytes

    def gradient_bytes(self, at_once: int, processes: int) -> int:
        """Return the bytes of all gradients that a process holds: of a round, their sum over its rounds, what it sends."""
        sets = 2 if self.schedule.minibatch_size > at_once * processes else 1
        sent = MESSAGE_COPIES * max(self.G_trained, self.D_trained) if processes > 1 or self.schedule.shared_rounds else 0
        return FLOAT32_BYTES * (sets * (self.G_trained + self.D_trained) + sent)

    def activation_bytes(self) -> float:
        """Return the bytes of the activations of one image at the peak of a step."""
        return ACTIVATION_COPIES * (_G_activation_bytes(self.G) + _D_activation_bytes(self.D))

    def operations(self) -> float:
        """Return the operations, additions and multiplications, that training on one image takes."""
        return 2 * (G_PASSES * _G_multiplications(self.G) + D_PASSES * _D_multiplications(self.D))


def _seconds_per_kimg(operations, activation_bytes, minibatch_gpu, processes):
    """Return dict device → rough seconds for a thousand images, which take so many operations and bytes."""
    found, least_s = {}, STEP_S * 1000 / minibatch_gpu
    for device, (rate, _) in RATES.items():
        if "CPU" in device:  # processes share the cores
            found[device] = max(operations / (rate * 1e12) + activation_bytes / CPU_ACTIVATION_RATE, least_s)
        else:
            found[device] = max(operations / (rate * 1e12), least_s) / processes
    return found


def _count(specs, trainable=False):
    return int(sum(np.prod(spec.shape, dtype=np.int64) for spec in specs if spec.trainable or not trainable))


def _bytes_of(network, layer):
    """Return the bytes of a layer's output for one image."""
    number = FLOAT16_BYTES if network.fp16_at(layer.block, network.num_fp16_res) else FLOAT32_BYTES
    return layer.height * layer.width * layer.outputs * number


def _multiplications(layer):
    """Return the multiplications of a layer for one image."""
    pixels = layer.height * layer.width // (4 if layer.kind == "up" else 1)  # a transposed convolution: its input's size
    return layer.kernel**2 * layer.inputs * layer.outputs * pixels


def _G_multiplications(G):
    """Return the multiplications of one forward pass for one image, of the convolutions that a style modulates."""
    return sum(_multiplications(layer) for layer in synthesis_layers(G) if layer.style is not None)


def _D_multiplications(D):
    """Return the same of D's layers from the image to the score."""
    return sum(_multiplications(layer) for layer in image_layers(D))


def _G_activation_bytes(G):
    """Return the bytes of every 3x3 convolution's output for one image."""
    return sum(_bytes_of(G, layer) for layer in synthesis_layers(G) if layer.noise is not None)


def _D_activation_bytes(D):
    """Return the bytes of the output of every layer above the last block for one image."""
    return sum(_bytes_of(D, layer) for layer in image_layers(D) if layer.block > 4)


def _snapshots_kept(snapshots, kimg_per_tick, kimg):
    """Return how many snapshots there are at the end of the run."""
    if snapshots.keep_last is None:
        return int(kimg / (snapshots.network_ticks * kimg_per_tick)) + 2  # the first and the last
    spaced = kimg // snapshots.keep_every_kimg if snapshots.keep_every_kimg else 0
    return int(snapshots.keep_last + spaced + snapshots.keep_best)


def _grid_bytes(config, kimg):
    shape = config.shape
    columns, rows = int(np.clip(7680 // shape.width, 7, 32)), int(np.clip(4320 // shape.height, 4, 32))
    grids = 2 + kimg / (config.snapshots.image_ticks * config.schedule.kimg_per_tick)
    return grids * PNG_SHARE * columns * rows * shape.height * shape.width * config.channels
