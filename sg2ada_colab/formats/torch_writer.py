"""Snapshots in the form of the PyTorch programs, written without torch; a rectangle says where it begins, as eps696's fork does.

The pickle carries a source text of ours, torch_networks.pysrc, that PyTorch runs when it opens the file: pictures are made by it.
Training goes on only in a program whose own networks have the shape, which is a square in NVIDIA's.
"""

import pickle
import struct
from collections import OrderedDict
from typing import Any, BinaryIO, Dict, List, Mapping

import numpy as np

from ..errors import UserError
from ..networks.settings import BOX_KERNEL
from .embedded_source import torch_source
from .network_data import NetworkData, NetworkSnapshot
from .pickle_writer import PROTOCOL_3, PickleWriter, Reduced
from .torch_layout import torch_sources

BUFFERS = ("noise_const", "w_avg", "resample_filter")  # what is not trained
# The first objects in what torch.save wrote before 1.6, in which each tensor's numbers lie: magic number, version, machine.
MAGIC, VERSION = 119547037146038801333356, 1001
MACHINE = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
LINEAR = ("embed", "affine", "out", "skip", "torgb")  # layers without an activation
CLASSES = {
    "mapping": "MappingNetwork", "synthesis": "SynthesisNetwork", "torgb": "ToRGBLayer", "mbstd": "MinibatchStdLayer",
    "embed": "FullyConnectedLayer", "affine": "FullyConnectedLayer", "fc": "FullyConnectedLayer", "out": "FullyConnectedLayer",
    "fromrgb": "Conv2dLayer", "conv": "Conv2dLayer", "skip": "Conv2dLayer",
}  # fmt: skip


def write_torch_pickle(file: BinaryIO, snapshot: NetworkSnapshot) -> None:
    """Write a snapshot as the PyTorch programs pickle it: G, D and G_ema.

    Args:
        file: Binary file that stays open.
        snapshot: NetworkSnapshot.

    Raises:
        UserError: D has no such form.
    """
    _check(snapshot.D.config)
    writer = _TorchWriter(file)
    writer.raw(PROTOCOL_3)
    names = (("G", snapshot.G), ("D", snapshot.D), ("G_ema", snapshot.Gs))
    content: Dict[str, Any] = OrderedDict([("training_set_kwargs", None)])
    content.update((name, _network(network)) for name, network in names)
    writer.value(dict(content, augment_pipe=None))
    writer.raw(b".")


def _check(D):
    wrong = [
        words
        for words, has in (
            ("fewer channels at 4x4 than in its last layers", D.nf(0) != D.nf(1)),
            (f"{D.score_max} outputs", D.score_max != 1),
            ("the weight of progressive augmentation", D.use_pagan),
            ("spectral normalisation", D.use_spectral_norm),
            ("adaptive dropout", D.adaptive_dropout),
        )
        if has
    ]
    if wrong:
        raise UserError(f"The discriminator cannot be written for the PyTorch programs: it has {' and '.join(wrong)}.",
                        "a network trained without a comparison method, and --cbase at least four times --cmax",
                        "write a .pkl without --pytorch, or .safetensors")  # fmt: skip


class _TorchWriter(PickleWriter):
    """Writes arrays as tensors of torch, one copy at a time."""

    def value(self, value: Any) -> None:
        super().value(_tensor(value) if isinstance(value, np.ndarray) else value)


def _tensor(array):
    array = np.require(array, "<f4", "C")
    head = b"".join(pickle.dumps(one, 2) for one in (MAGIC, VERSION, MACHINE))
    # A persistent id names the numbers, and the list after it those that follow.
    head += b"\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuJ" + struct.pack("<i", array.size)
    head += b"NtQ." + pickle.dumps(["0"], 2) + struct.pack("<q", array.size)
    sides = tuple(int(side) for side in array.shape)
    steps = tuple(int(step) // 4 for step in array.strides)
    storage = Reduced("torch.storage _load_from_bytes", (head + array.tobytes(),))
    return Reduced("torch._utils _rebuild_tensor_v2", (storage, 0, sides, steps, False, _ordered()))


def _ordered():
    return Reduced("collections OrderedDict", ())


def _network(network: NetworkData) -> Reduced:
    """Return the object of a generator or a discriminator."""
    tensors = {name: layout.write(network.variables[ours]) for ours, (name, layout) in torch_sources(network).items()}
    attributes = _attributes(network)
    paths = {name.rpartition(".")[0] for name in tensors} | set(attributes)
    for path in list(paths):
        while path:
            path = path.rpartition(".")[0]
            paths.add(path)
    return _module("", sorted(paths, key=_place), tensors, attributes, network)


def _place(path: str) -> List[Any]:
    """Return a key that puts b8 before b16."""
    return [(part.rstrip("0123456789"), int("0" + part[len(part.rstrip("0123456789")) :])) for part in path.split(".")]


def _module(path, paths, tensors, attributes, network):
    own = {name.rpartition(".")[2]: value for name, value in tensors.items() if name.rpartition(".")[0] == path}
    leaf = path.rpartition(".")[2]
    state = dict({"training": False}, **attributes.get(path, {}))
    state.update(_of_layer(path, own, network))
    if state.pop("resamples", False):
        own["resample_filter"] = _filter(network.config)
    children = {one.rpartition(".")[2]: one for one in paths if one and one.rpartition(".")[0] == path}
    state["_parameters"] = {
        name: Reduced("torch._utils _rebuild_parameter", (value, False, _ordered()))
        for name, value in own.items()
        if name not in BUFFERS
    }
    if leaf == "skip":
        state["_parameters"]["bias"] = None
    state["_buffers"] = {name: value for name, value in own.items() if name in BUFFERS}
    state["_modules"] = {name: _module(child, paths, tensors, attributes, network) for name, child in children.items()}
    state.update(_backward_hooks=_ordered(), _forward_hooks=_ordered(), _forward_pre_hooks=_ordered())
    state.setdefault("_init_args", ())
    state.setdefault("_init_kwargs", {})
    meta = {"type": "class", "version": 6, "module_src": torch_source(), "class_name": _class(path, network), "state": state}
    return Reduced("torch_utils.persistence _reconstruct_persistent_obj", (meta,))


def _class(path, network):
    """Return the name of a module's class in our source text."""
    leaf = path.rpartition(".")[2]
    if not path:
        return "Generator" if network.is_generator else "Discriminator"
    if leaf[:1] == "b" and leaf[1:].isdigit():
        return "SynthesisBlock" if network.is_generator else "DiscriminatorEpilogue" if leaf == "b4" else "DiscriminatorBlock"
    if leaf in ("conv0", "conv1"):
        return "SynthesisLayer" if network.is_generator else "Conv2dLayer"
    return CLASSES[leaf.rstrip("0123456789")]


def _filter(config):
    taps = np.array(config.resample_kernel or BOX_KERNEL, np.float64)
    kernel = np.outer(taps, taps)
    return np.float32(kernel / kernel.sum())


# What modules keep beside their tensors, by the place of the module.


def _of_layer(path: str, own: Mapping[str, np.ndarray], network: NetworkData) -> Dict[str, Any]:
    """Return the attributes of a layer that has a weight."""
    if "weight" not in own:
        return {"resamples": path.rpartition(".")[2][:1] == "b"}
    leaf, weight, config = path.rpartition(".")[2], own["weight"], network.config
    lrmul = float(config.mapping_lrmul) if path.startswith("mapping.fc") else 1.0
    linear = leaf in LINEAR
    found: Dict[str, Any] = {
        "activation": "linear" if linear else "lrelu",
        "weight_gain": lrmul / float(np.sqrt(weight.size / weight.shape[0])),
    }
    if weight.ndim == 2:
        return dict(found, bias_gain=lrmul)
    changes = leaf in (("conv0", "skip") if network.is_generator else ("conv1", "skip"))
    found.update(
        act_gain=1.0 if linear else float(np.sqrt(2)), padding=int(weight.shape[2]) // 2, resamples=leaf != "torgb",
        conv_clamp=None if leaf == "skip" else config.conv_clamp, up=2 if changes and network.is_generator else 1,
        down=2 if changes and not network.is_generator else 1,
    )  # fmt: skip
    return dict(found, use_noise=True, init_res=list(config.init_res)) if "noise_const" in own else found


def _attributes(network):
    """Return {place of a module: its attributes} of the modules that hold layers."""
    config = network.config
    shared = {
        "c_dim": config.label_size, "img_resolution": config.resolution, "img_channels": config.num_channels,
        "init_res": list(config.init_res),
    }  # fmt: skip
    widths = {"channel_base": 2 * config.fmap_base, "channel_max": config.fmap_max, "num_fp16_res": config.num_fp16_res,
              "conv_clamp": config.conv_clamp, "architecture": config.architecture,
              "resample_filter": list(config.resample_kernel or BOX_KERNEL)}  # fmt: skip
    known = {name: shared[name] for name in shared if name != "init_res" or not config.is_square}
    of_kind = _generator_attributes if network.is_generator else _discriminator_attributes
    found, blocks = of_kind(config, shared, widths, known)
    for block in config.blocks():
        found.setdefault(f"{blocks}b{block}", {}).update(
            resolution=block, architecture=config.architecture, init_res=list(config.init_res),
            use_fp16=config.fp16_at(block, config.num_fp16_res), img_channels=config.num_channels,
        )  # fmt: skip
    return found


def _generator_attributes(config, shared, widths, known):
    sizes = {"z_dim": config.latent_size, "w_dim": config.dlatent_size, "num_ws": config.num_layers}
    made_with = dict(
        known, z_dim=config.latent_size, w_dim=config.dlatent_size,
        mapping_kwargs={"num_layers": config.mapping_layers}, synthesis_kwargs=widths,
    )  # fmt: skip
    output = [1, config.num_channels, config.height, config.width]
    mapping = dict(sizes, c_dim=config.label_size, num_layers=config.mapping_layers, w_avg_beta=config.w_avg_beta)
    blocks = {"block_resolutions": config.blocks(), "fmap_base": widths["channel_base"], "w_dim": config.dlatent_size}
    found = {
        "": dict(shared, **sizes, res=config.resolution, output_shape=output, _init_kwargs=made_with),
        "mapping": mapping,
        "synthesis": dict(shared, **blocks, num_ws=config.num_layers),
    }
    for block in config.blocks():
        has_rgb = config.architecture == "skip" or block == config.resolution
        found[f"synthesis.b{block}"] = {"num_conv": 1 if block == 4 else 2, "num_torgb": int(has_rgb)}
    return found, "synthesis."


def _discriminator_attributes(config, shared, widths, known):
    statistics = {"mbstd_group_size": config.mbstd_group_size, "mbstd_num_channels": config.mbstd_num_features}
    above = [block for block in reversed(config.blocks()) if block > 4]
    width = config.label_width if config.label_size else 0
    found = {
        "": dict(shared, block_resolutions=above, _init_kwargs=dict(known, epilogue_kwargs=statistics, **_without_taps(widths))),
        "b4": {"cmap_dim": width},
    }
    if config.mbstd_num_features:
        found["b4.mbstd"] = {"group_size": config.mbstd_group_size, "num_channels": config.mbstd_num_features}
    if config.label_size:
        sizes = {"z_dim": 0, "c_dim": config.label_size, "w_dim": width, "num_ws": None, "w_avg_beta": None}
        found["mapping"] = dict(sizes, num_layers=config.mapping_layers)
    return found, ""


def _without_taps(widths):
    """Return D's arguments: the filter is one of its blocks'."""
    others = {name: value for name, value in widths.items() if name != "resample_filter"}
    return dict(others, block_kwargs={"resample_filter": widths["resample_filter"]})
