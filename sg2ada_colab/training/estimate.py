"""What a run will cost, before it starts: parameters exactly, disk nearly, time and GPU memory roughly."""

from typing import NamedTuple

import numpy as np

from ..networks.variables import DiscriminatorConfig, GeneratorConfig, discriminator_specs, generator_specs

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
    "V100": (19.2, "NVIDIA's PyTorch code, 20.8 s/kimg at 256x256"),
    "T4": (10.0, "not measured: the V100's by peak float16 rate"),
    "2 CPU cores": (0.1918, "measured, 35 s/kimg at 32x32 with 128 channels"),
}
# Live copies of the activations at the peak of a step, and what convolutions need besides. With these the rule gives NVIDIA's
# published 6.2, 4.5, 6.8 and 7.2 GB (auto at 128, 256, 512, 1024) to within a third, and 10.7 GiB where an H100 was measured to
# need 8.3 (paper256, 64 images at once).
ACTIVATION_COPIES = 2.0
WORKSPACE_BYTES = 1.4e9
CARD_SIZES_GB = (15, 24, 40, 80)  # T4, L4, A100, A100 or H100: what is left of 16, 24, 40, 80
CARD_SHARE = 0.85  # of a card's memory that the rule may fill: it is off by up to a third, mostly upwards
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
    seconds_per_kimg: dict  # device → rough time
    kimg: int  # left to train
    float32: bool  # no float16 anywhere
    batch_gpu: dict  # GB of a card → the most images at once (--batch-gpu) that should fit it, 0 for none

    def lines(self):
        """Return the estimate as lines of text."""
        yield "Parameters:        G {:,}, D {:,}".format(self.G_parameters, self.D_parameters)
        yield "GPU memory:        about {:.1f} GiB, of which {:.2f} weights and optimiser".format(
            self.memory_bytes / GIB, self.weight_bytes / GIB
        )
        fits = ["{} GB: {}".format(size, count or "none") for size, count in self.batch_gpu.items()]
        yield "Largest batch-gpu: by the card's memory: " + ", ".join(fits)
        yield "Disk:              about {:.1f} GiB at the end: {} snapshots of {:.0f} + {:.0f} MiB and the image grids".format(
            self.disk_bytes / GIB, self.snapshots_kept, self.snapshot_bytes / MIB, self.state_bytes / MIB
        )
        yield "Time, roughly:     {:.3g} TFLOP per kimg; the device decides{}:".format(
            self.operations_per_kimg / 1e12, " (GPUs: in float16; float32 takes longer)" if self.float32 else ""
        )
        for device, seconds in self.seconds_per_kimg.items():
            yield "  {:<11s}      {:>8.2f} s/kimg {:>14s} in all   ({})".format(
                device, seconds, duration(seconds * self.kimg), RATES[device][1]
            )


def duration(seconds):
    """Return a length of time as "12 min", "3.5 h" or "2.1 days"."""
    if seconds < 5400:
        return "{:.0f} min".format(max(seconds / 60, 1))
    if seconds < 48 * 3600:
        return "{:.1f} h".format(seconds / 3600)
    return "{:.1f} days".format(seconds / 86400)


def estimate(config):
    """Return the `Estimate` of a `TrainConfig`; imports no TensorFlow."""
    G = GeneratorConfig.from_kwargs(config.generator_kwargs)
    D = DiscriminatorConfig.from_kwargs(config.discriminator_kwargs)
    G_specs, D_specs = generator_specs(G), discriminator_specs(D, config.freeze_layers)
    G_all, D_all = _count(G_specs), _count(D_specs)
    G_trained, D_trained = _count(G_specs, trainable=True), _count(D_specs, trainable=True)
    moments = 2 if config.beta1 else 1  # without β1 the first moment is the gradient
    gradients = 2 if config.rounds > 1 else 1  # of this round, and the sum of all
    weight_bytes = FLOAT32_BYTES * (2 * G_all + D_all + (moments + gradients) * (G_trained + D_trained))
    activation_bytes = config.minibatch_gpu * _image_bytes(G, D)
    snapshot_bytes = FLOAT32_BYTES * (2 * G_all + D_all)
    state_bytes = FLOAT32_BYTES * moments * (G_trained + D_trained)
    kimg = config.total_kimg - config.start_kimg
    operations = 1000 * 2 * (G_PASSES * _G_multiplications(G) + D_PASSES * _D_multiplications(D))
    least_s = STEP_S * 1000 / config.minibatch_gpu
    kept = _snapshots_kept(config, kimg)
    return Estimate(
        G_parameters=G_trained,
        D_parameters=D_trained,
        weight_bytes=weight_bytes,
        activation_bytes=activation_bytes,
        memory_bytes=weight_bytes + activation_bytes + WORKSPACE_BYTES,
        snapshot_bytes=snapshot_bytes,
        state_bytes=state_bytes,
        snapshots_kept=kept,
        disk_bytes=kept * (snapshot_bytes + state_bytes) + _grid_bytes(config, kimg),
        operations_per_kimg=operations,
        seconds_per_kimg={device: max(operations / (rate * 1e12), least_s) for device, (rate, _) in RATES.items()},
        kimg=kimg,
        float32=config.generator_kwargs["num_fp16_res"] == 0,
        batch_gpu={size: largest_batch_gpu(config, size * 1e9) for size in CARD_SIZES_GB},
    )


def largest_batch_gpu(config, memory_bytes):
    """Return the most images at once, a share of the config's minibatch, that should fit a card's memory; 0 if none does."""
    G = GeneratorConfig.from_kwargs(config.generator_kwargs)
    D = DiscriminatorConfig.from_kwargs(config.discriminator_kwargs)
    trained = _count(generator_specs(G), trainable=True) + _count(discriminator_specs(D, config.freeze_layers), trainable=True)
    kept = FLOAT32_BYTES * (2 * _count(generator_specs(G)) + _count(discriminator_specs(D, config.freeze_layers)))
    moments = 2 if config.beta1 else 1
    count = config.minibatch_size
    while count:
        gradients = 1 if count == config.minibatch_size else 2
        weights = kept + FLOAT32_BYTES * (moments + gradients) * trained
        if weights + count * _image_bytes(G, D) + WORKSPACE_BYTES <= CARD_SHARE * memory_bytes:
            return count
        count = count // 2 if count % 2 == 0 else 0
    return 0


def _image_bytes(G, D):
    """Return the bytes of the activations of one image at the peak of a step."""
    return ACTIVATION_COPIES * (_G_activation_bytes(G) + _D_activation_bytes(D))


def _count(specs, trainable=False):
    return int(sum(np.prod(spec.shape, dtype=np.int64) for spec in specs if spec.trainable or not trainable))


def _resolutions(network):
    return [2**log2 for log2 in range(2, network.resolution_log2 + 1)]


def _bytes_at(network, resolution):
    return FLOAT16_BYTES if network.fp16_at(resolution, network.num_fp16_res) else FLOAT32_BYTES


def _G_multiplications(G):
    """Return the multiplications of one forward pass for one image, of the convolutions only."""
    total = 0
    for r in _resolutions(G):
        nf, below = G.channels(r), G.channels(max(r // 2, 4))
        up = 9 * below * nf * (r // 2) ** 2 if r > 4 else 0  # a transposed convolution works at its input's size
        rgb = nf * G.num_channels * r**2 if G.architecture == "skip" or r == G.resolution else 0
        total += up + 9 * nf * nf * r**2 + rgb
    return total


def _D_multiplications(D):
    total = D.num_channels * D.channels(D.resolution) * D.resolution**2
    for r in _resolutions(D)[1:]:
        nf, below = D.channels(r), D.channels(r // 2)
        skip = nf * below * (r // 2) ** 2 if D.architecture == "resnet" else 0
        total += 9 * nf * nf * r**2 + 9 * nf * below * (r // 2) ** 2 + skip
    return total + 9 * D.channels(4) ** 2 * 16 + 16 * D.channels(4) * D.nf(0)


def _G_activation_bytes(G):
    """Return the bytes of every convolution's output for one image."""
    return sum((1 if r == 4 else 2) * G.channels(r) * r**2 * _bytes_at(G, r) for r in _resolutions(G))


def _D_activation_bytes(D):
    total = D.channels(D.resolution) * D.resolution**2 * _bytes_at(D, D.resolution)
    for r in _resolutions(D)[1:]:
        lower = D.channels(r // 2) * (r // 2) ** 2 * (2 if D.architecture == "resnet" else 1)
        total += (D.channels(r) * r**2 + lower) * _bytes_at(D, r)
    return total


def _snapshots_kept(config, kimg):
    """Return how many snapshots there are at the end of the run."""
    if config.keep_last is None:
        return int(kimg / (config.network_snapshot_ticks * config.kimg_per_tick)) + 2  # the first and the last
    spaced = kimg // config.keep_every_kimg if config.keep_every_kimg else 0
    return int(config.keep_last + spaced + config.keep_best)


def _grid_bytes(config, kimg):
    columns, rows = (int(np.clip(side // config.resolution, 7 if side == 7680 else 4, 32)) for side in (7680, 4320))
    grids = 2 + kimg / (config.image_snapshot_ticks * config.kimg_per_tick)
    return grids * PNG_SHARE * columns * rows * config.resolution**2 * config.channels
