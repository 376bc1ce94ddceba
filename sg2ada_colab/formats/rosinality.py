"""The `.pt` files of rosinality's stylegan2-pytorch, which encoders and editing programs take: read and written without torch."""

import re
import struct
import zipfile
from collections import OrderedDict
from typing import Any, BinaryIO, List, Mapping

import numpy as np

from ..errors import UserError
from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..networks.layout import synthesis_layers
from ..unpickler import Built, Global
from .network_data import NetworkData, NetworkSnapshot, Unsupported, some_of
from .new_discriminator import NO_D, copied_generator, new_discriminator
from .rosinality_names import KINDS, discriminator_rows, filters, generator_rows
from .torch_file import Tensor

A_CHECKPOINT = "a checkpoint of rosinality's stylegan2-pytorch with g_ema (StyleGAN2, RGB, without labels)"
LRMUL, FMAP_MAX, FMAP_BASES = 0.01, 512, (8192, 16384)
W_SAMPLES = 10000
CLAMP = "Its layers in float16 are clamped at {:g}; the other program does not clamp, so single pixels may differ."


class _Namespace(Built):
    """The training options of a checkpoint; they are not used."""

    def build(self, state):
        del state


EXTRA_GLOBALS = {"argparse Namespace": Global(new=lambda *_: _Namespace())}


# Reading.


def is_checkpoint(content: Any) -> bool:
    """Return whether the content of a torch.save file is one of these."""
    return isinstance(content, dict) and isinstance(content.get("g_ema"), dict)


def snapshot_of_checkpoint(content: Mapping[str, Any]) -> NetworkSnapshot:
    """Return the NetworkSnapshot of a checkpoint; raise Unsupported where its networks have no form here."""
    notes: List[str] = []
    average = content.get("latent_avg")
    average = average.array() if isinstance(average, Tensor) else None
    Gs = _generator("Gs", _arrays(content["g_ema"]), average, notes)
    if isinstance(content.get("g"), dict):
        G = _generator("G", _arrays(content["g"]), Gs.variables["dlatent_avg"], [])
    else:
        G = copied_generator(Gs)
    if isinstance(content.get("d"), dict):
        D = _discriminator(_arrays(content["d"]), Gs.config)
    else:
        D = new_discriminator(Gs.config)
        notes.append(NO_D)
    return NetworkSnapshot(G, D, Gs, source="rosinality", notes=notes)


def _arrays(state):
    return {name: np.asarray(value.array(), np.float32) for name, value in state.items() if isinstance(value, Tensor)}


def _generator(name, tensors, average, notes):
    _refuse_swagan(tensors)
    if "style.1.weight" not in tensors or "input.input" not in tensors:
        raise Unsupported("its g_ema is not the generator of stylegan2-pytorch", A_CHECKPOINT)
    blocks = len({key.split(".")[1] for key in tensors if key.startswith("to_rgbs.")})
    resolution, width = 4 * 2**blocks, int(tensors["style.1.weight"].shape[0])
    at_64 = tensors.get("convs.6.conv.weight")  # 256·m channels
    base = 16384 if at_64 is None or at_64.ndim != 5 else 32 * int(at_64.shape[1])
    layers = len([key for key in tensors if re.match(r"style\.\d+\.weight$", key)])
    config = GeneratorConfig(resolution=resolution, latent_size=width, dlatent_size=width, mapping_layers=layers, fmap_base=base)
    rows = generator_rows(config)
    if not any(key.startswith("noises.") for key in tensors):  # before January 2020
        draws = np.random.RandomState(0)
        for layer in synthesis_layers(config):
            if layer.noise is not None:
                tensors[f"noises.noise_{layer.noise}"] = np.float32(draws.randn(1, 1, layer.height, layer.width))
        notes.append("The file holds no noise: it is drawn.")
    network = NetworkData(name, config.to_kwargs(), {})
    values = _values(network, tensors, rows, filters(config, True))
    if average is None:
        average = _mean_w(values, config)
        notes.append("The file holds no latent_avg: it is the mean of w over 10,000 seeds.")
    values["dlatent_avg"] = np.array(average, np.float32).reshape(-1)
    network.variables = OrderedDict((spec.name, values[spec.name]) for spec in network.specs())
    return network


def _discriminator(tensors, g_config):
    _refuse_swagan(tensors)
    config = DiscriminatorConfig(resolution=g_config.resolution, fmap_base=g_config.fmap_base, mbstd_group_size=4)
    network = NetworkData("D", config.to_kwargs(), {})
    values = _values(network, tensors, discriminator_rows(config), filters(config, False))
    network.variables = OrderedDict((spec.name, values[spec.name]) for spec in network.specs())
    return network


def _refuse_swagan(tensors):
    if any(part in key.split(".") for key in tensors for part in ("iwt", "dwt", "from_rgbs")):
        raise Unsupported("it is a SWAGAN network (wavelets)", A_CHECKPOINT)


def _values(network, tensors, rows, kernels):
    """Return name → array in our layouts; every tensor must be one that the settings ask for."""
    known = {theirs for _, theirs, _ in rows} | set(kernels)
    missing, extra = [theirs for _, theirs, _ in rows if theirs not in tensors], [key for key in tensors if key not in known]
    parts = ["it lacks " + some_of(missing)] if missing else []
    parts += ["it has " + some_of(extra)] if extra else []
    if parts:
        raise Unsupported(f"its {network.name} has other layers than stylegan2-pytorch: " + "; ".join(parts), A_CHECKPOINT)
    for name, kernel in kernels.items():
        if name in tensors and not (tensors[name].shape == (4, 4) and np.allclose(tensors[name], kernel, atol=1e-6)):
            raise Unsupported(f"its filter {name} is not [1, 3, 3, 1]", A_CHECKPOINT)
    shapes, values = {spec.name: spec.shape for spec in network.specs()}, {}
    for ours, theirs, kind in rows:
        try:
            values[ours] = np.require(KINDS[kind][1](tensors[theirs]), np.float32, ["C", "A", "W", "O"])
        except (ValueError, IndexError):
            values[ours] = np.zeros(0)
        if values[ours].shape != shapes[ours]:
            raise Unsupported(f"its tensor {theirs} of shape {tensors[theirs].shape} does not make {ours} {shapes[ours]}",
                              A_CHECKPOINT)  # fmt: skip
    return values


def _mean_w(values, config):
    """Return the mean of w over 10,000 seeds (StyleGAN section 2, in NumPy)."""
    x = np.random.RandomState(0).randn(W_SAMPLES, config.latent_size).astype(np.float32)
    x /= np.sqrt(np.mean(np.square(x), axis=1, keepdims=True) + 1e-8)
    for layer in range(config.mapping_layers):
        weight, bias = (values[f"mapping/Dense{layer}/{leaf}"] for leaf in ("weight", "bias"))
        x = x @ (weight * np.float32(LRMUL / np.sqrt(len(weight)))) + bias * np.float32(LRMUL)
        x = np.maximum(x, 0.2 * x) * np.float32(np.sqrt(2))
    return x.mean(axis=0, dtype=np.float64)


# Writing.


def write_checkpoint(file: BinaryIO, snapshot: NetworkSnapshot) -> None:
    """Write g_ema, latent_avg and g, and d where that has a form there; notes on what differs go to the snapshot.

    Args:
        file: Binary file that stays open.
        snapshot: NetworkSnapshot.

    Raises:
        UserError: The generator has no form there.
    """
    wrong = _what_does_not_fit(snapshot.Gs.config)
    if wrong:
        raise UserError(f"The network cannot be written for rosinality's stylegan2-pytorch: {'; '.join(wrong)}.",
                        "RGB, without labels, skip architecture, at most 512 channels, z and w of one width",
                        "write a .pkl or .safetensors")  # fmt: skip
    if snapshot.Gs.config.conv_clamp is not None and snapshot.Gs.config.num_fp16_res:
        snapshot.notes.append(CLAMP.format(snapshot.Gs.config.conv_clamp))
    rows, kernels = generator_rows(snapshot.Gs.config), filters(snapshot.Gs.config, True)
    content = OrderedDict(g_ema=_state(snapshot.Gs, rows, kernels), g=_state(snapshot.G, rows, kernels))
    if _d_fits(snapshot.D.config, snapshot.Gs.config):
        content["d"] = _state(snapshot.D, discriminator_rows(snapshot.D.config), filters(snapshot.D.config, False))
    else:
        settings = ", ".join(f"{name}={value}" for name, value in snapshot.D.kwargs.items())
        snapshot.notes.append("D has no form there and is left out: " + settings)
    content["latent_avg"] = snapshot.Gs.variables["dlatent_avg"]
    _write_archive(file, content)


def _d_fits(config, g_config):
    plain = not (config.use_pagan or config.use_spectral_norm or config.mapping_layers or config.adaptive_dropout)
    groups = (config.mbstd_group_size, config.mbstd_num_features, config.score_max) == (4, 1, 1)
    widths = (config.fmap_base, config.fmap_max) == (g_config.fmap_base, FMAP_MAX)
    return plain and groups and widths and config.architecture == "resnet" and config.resample_kernel == (1, 3, 3, 1)


def _what_does_not_fit(config):
    checks = [
        (config.label_size == 0, f"it has {config.label_size} labels"),
        (config.num_channels == 3, f"it has {config.num_channels} channels of colour"),
        (config.is_square, f"it begins at {config.init_res[1]}x{config.init_res[0]} pixels (width x height)"),
        (config.architecture == "skip", f"its architecture is {config.architecture}"),
        (config.fmap_max == FMAP_MAX, f"it has at most {config.fmap_max} channels"),
        (config.resolution <= 32 and config.fmap_base >= 8192 or config.fmap_base in FMAP_BASES,
         f"its channels follow fmap_base {config.fmap_base}"),
        (config.latent_size == config.dlatent_size, f"z has {config.latent_size} numbers and w {config.dlatent_size}"),
        (config.mapping_fmaps in (None, config.dlatent_size), f"its mapping is {config.mapping_fmaps} wide"),
        (config.mapping_lrmul == LRMUL, f"its mapping's multiplier is {config.mapping_lrmul}"),
        (tuple(config.resample_kernel or ()) == (1, 3, 3, 1), f"its filter is {config.resample_kernel}"),
    ]  # fmt: skip
    return [words for fits, words in checks if not fits]


def _state(network, rows, kernels):
    state = OrderedDict((theirs, KINDS[kind][0](network.variables[ours])) for ours, theirs, kind in rows)
    state.update(kernels)
    return state


def _write_archive(file, content):
    """Write nested dicts of arrays as torch.save does: a pickle, and the numbers of each tensor as a member of their own."""
    storages: List[np.ndarray] = []
    pickle = b"\x80\x02" + _pickled(content, storages) + b"."
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/byteorder", b"little")
        for key, array in enumerate(storages):
            archive.writestr(f"archive/data/{key}", array.tobytes())
        archive.writestr("archive/version", b"3\n")


def _pickled(value, storages):
    if isinstance(value, dict):
        items = b"".join(_text(key) + _pickled(one, storages) for key, one in value.items())
        return b"ccollections\nOrderedDict\n)R(" + items + b"u"
    array = np.require(value, "<f4", "C")
    storages.append(array)
    name = (b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text(str(len(storages) - 1)) + _text("cpu")
            + _number(array.size) + b"tQ")  # fmt: skip
    strides = [step // 4 for step in array.strides]
    sides = b"".join(b"(" + b"".join(map(_number, numbers)) + b"t" for numbers in (array.shape, strides))
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + name + _number(0) + sides + b"\x89ccollections\nOrderedDict\n)RtR"


def _text(text):
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def _number(value):
    return b"J" + struct.pack("<i", value)
