"""From the modules of the PyTorch programs to the settings of a TensorFlow pickle: what is read, and what must be as it is here.

The attributes of the modules are the truth; the arguments that they were made with fill the rest. What a module was made with and
what a layer computes with is read or checked, or the network is refused; nothing is passed over.
"""

from typing import Any, Dict, Mapping, Optional

import numpy as np

from ..byte_source import Refused
from ..networks.settings import UnsupportedNetwork, check_settings
from .network_data import Unsupported, plain_value, some_of
from .torch_pickle import Module, checked_dict

STYLEGAN2 = "a network of stylegan2-ada-pytorch, or of stylegan3 with `--cfg=stylegan2`"

# Arguments that a network may have been made with, by group (the first group is the network's own).
_SHAPE = {
    "c_dim": "read from the module",
    "img_resolution": "read from the module",
    "img_channels": "read from the module",
    "channel_base": "read",
    "channel_max": "read",
    "num_fp16_res": "read",
    "conv_clamp": "read from the layers",
    "architecture": "read from the blocks",
    "init_res": "read from the module, compared with the constant",
}
_LAYERS = {
    "activation": "checked in every layer",
    "resample_filter": "read from the blocks, checked in every layer",
    "fp16_channels_last": "how the numbers lie in memory",
    "fused_modconv_default": "the same sums in another order",
}
_MAPPING = {
    "num_layers": "read from the module",
    "embed_features": "read from the shape of its layer",
    "layer_features": "read from the shapes of the layers",
    "activation": "checked in every layer",
    "lr_multiplier": "read from a layer, checked in every layer",
    "w_avg_beta": "read from the module",
}
_SYNTHESIS = dict(_SHAPE, **_LAYERS, use_noise="checked in every layer")
GENERATOR_ARGUMENTS = {
    "": dict(_SYNTHESIS, z_dim="read from the module", w_dim="read from the module"),
    "mapping_kwargs": _MAPPING,
    "synthesis_kwargs": _SYNTHESIS,
}
DISCRIMINATOR_ARGUMENTS = {
    "": dict(_SHAPE, cmap_dim="read from the shapes of the layers"),
    "mapping_kwargs": _MAPPING,
    "block_kwargs": dict(_LAYERS, freeze_layers="which layers are trained, a matter of the run"),
    "epilogue_kwargs": {
        "mbstd_group_size": "read from the module",
        "mbstd_num_channels": "read from the module",
        "activation": "checked in every layer",
    },
}


def generator_settings(module: Module, tensors: Mapping[str, np.ndarray]) -> Dict[str, Any]:
    """Return the settings of a generator's module, by the names of static_kwargs.

    Args:
        module: Of the generator.
        tensors: name → array of `Module.tensors`, in torch's layouts (convolutions [out, in, kh, kw]).

    Raises:
        Unsupported: It computes something else than StyleGAN2 does.
        Refused: A setting is missing or impossible.
    """
    _check_arguments(module, GENERATOR_ARGUMENTS)
    mapping, synthesis = _descend(module, "mapping"), _descend(module, "synthesis")
    const, start = tensors["synthesis.b4.const"], _attribute(module, "init_res", [4, 4])
    if const.ndim == 3 and list(const.shape[1:]) != start:
        raise Unsupported(
            "its constant has {}x{} pixels (height x width), where its settings (init_res) say {}".format(
                *const.shape[1:], start
            ),
            "a square network, or a rectangle whose file says so with init_res",
        )
    kwargs = _shared_settings(module, "synthesis_kwargs", synthesis, _descend(synthesis, "b4", "conv1"), "skip")
    kwargs["mapping_layers"] = _integer(mapping, "num_layers")
    latent_size, dlatent_size = _integer(module, "z_dim"), _integer(module, "w_dim")
    _set_unless(kwargs, "latent_size", latent_size, 512)
    _set_unless(kwargs, "dlatent_size", dlatent_size, 512)
    if "mapping.embed.weight" in tensors:
        _set_unless(kwargs, "label_fmaps", _outputs(tensors, "mapping.embed.weight"), latent_size)
    if kwargs["mapping_layers"] > 1:
        _set_unless(kwargs, "mapping_fmaps", _outputs(tensors, "mapping.fc0.weight"), dlatent_size)
    if kwargs["mapping_layers"]:
        _set_unless(kwargs, "mapping_lrmul", _lrmul(mapping), 0.01)
    _set_unless(kwargs, "w_avg_beta", plain_or_refused(mapping.state.get("w_avg_beta", 0.995)), 0.995)
    _set_kernel(kwargs, tensors, "synthesis.b8.resample_filter")
    _checked(kwargs, True)
    _check_layers(module, kwargs, "synthesis.")
    return kwargs


def discriminator_settings(module: Module, tensors: Mapping[str, np.ndarray]) -> Dict[str, Any]:
    """Return the settings of a discriminator's module, by the names of static_kwargs; raises as `generator_settings` does."""
    _check_arguments(module, DISCRIMINATOR_ARGUMENTS)
    kwargs = _shared_settings(module, "", module, _descend(module, "b4", "conv"), "resnet")
    statistics = _descend(module, "b4").children().get("mbstd")
    kwargs["mbstd_group_size"] = plain_or_refused(statistics.state.get("group_size")) if statistics else None
    _set_unless(kwargs, "mbstd_num_features", _integer(statistics, "num_channels") if statistics else 0, 1)
    mapping = module.children().get("mapping")
    if mapping is not None and kwargs["label_size"] and _integer(mapping, "num_layers"):
        kwargs["mapping_layers"] = _integer(mapping, "num_layers")
        kwargs["mapping_lrmul"] = _lrmul(mapping)
    width, stage_0 = _outputs(tensors, "b4.fc.weight"), min(int(kwargs["fmap_base"]), kwargs["fmap_max"])
    if width != stage_0:
        raise Unsupported(
            "its D is {} channels wide at the end, where a TensorFlow network of fmap_base {} and fmap_max {} has {}; such "
            "small networks have no TensorFlow form".format(width, kwargs["fmap_base"], kwargs["fmap_max"], stage_0),
            "a network whose channel_base is at least four times its channel_max",
        )
    if "mapping.embed.weight" in tensors:
        _set_unless(kwargs, "mapping_fmaps", _outputs(tensors, "mapping.embed.weight"), width)
    _set_kernel(kwargs, tensors, "b{}.resample_filter".format(kwargs["resolution"]))
    _checked(kwargs, False)
    _check_layers(module, kwargs, "")
    return kwargs


def _shared_settings(module, group, blocks, clamped, default_architecture):
    """Return what G and D have in common; `blocks` holds the blocks of all resolutions, `clamped` is a layer with the clamp."""
    kwargs = {
        "num_channels": _integer(module, "img_channels"),
        "resolution": _integer(module, "img_resolution"),
        "label_size": _integer(module, "c_dim"),
        "fmap_base": _halved(_argument(module, group, "channel_base", 32768)),
        "fmap_max": _argument(module, group, "channel_max", 512),
        "num_fp16_res": _argument(module, group, "num_fp16_res", None),
        "conv_clamp": plain_or_refused(clamped.state.get("conv_clamp")),
    }
    if kwargs["num_fp16_res"] is None:  # the default differs between the programs; the blocks know
        kwargs["num_fp16_res"] = sum(block.state.get("use_fp16") is True for block in blocks.children().values())
    _set_unless(kwargs, "init_res", _attribute(module, "init_res", [4, 4]), [4, 4])
    _checked(kwargs, group != "")
    top = "b{}".format(kwargs["resolution"])
    _set_unless(kwargs, "architecture", _descend(blocks, top).state.get("architecture"), default_architecture)
    return kwargs


# Single settings.


def _integer(module, name):
    value = module.state.get(name)
    if type(value) is not int or not 0 <= value <= 1 << 20:
        raise Refused(f"its setting {name} is missing or impossible")
    return value


def _attribute(module, name, default):
    return plain_or_refused(module.state.get(name, default))


def _argument(module, group, name, default):
    """Return an argument that a module was made with, given flat or within a group such as `synthesis_kwargs`."""
    arguments = checked_dict(module.state.get("_init_kwargs", {}))
    nested = arguments.get(group) or {}
    return plain_or_refused(checked_dict(nested).get(name, arguments.get(name, default)))


def plain_or_refused(value: Any) -> Any:
    """Return a setting as `plain_value` does; raise Refused in place of its ValueError."""
    try:
        return plain_value(value)
    except ValueError as error:
        raise Refused(str(error)) from None


def _descend(module, *path):
    for name in path:
        module = module.children().get(name)
        if module is None:
            raise Unsupported("it lacks the module {}, as a fork's network may".format(".".join(path)), STYLEGAN2)
    return module


def _outputs(tensors, name):
    """Return how many outputs a layer has, by the first side of its weight."""
    if name not in tensors or not tensors[name].ndim:
        raise Unsupported(f"it lacks the tensor {name}, as a fork's network may", STYLEGAN2)
    return int(tensors[name].shape[0])


def _halved(channel_base):
    if type(channel_base) not in (int, float) or not 0 < channel_base < 1 << 24:
        raise Refused("its setting channel_base is impossible")
    return channel_base // 2 if channel_base == int(channel_base) and channel_base % 2 == 0 else channel_base / 2


def _checked(kwargs, is_generator):
    try:
        check_settings(kwargs, is_generator)
    except UnsupportedNetwork as error:
        raise Unsupported(error.sentence, error.expected, error.next_step) from None


def _set_unless(kwargs, name, value, default):
    if value != default:
        kwargs[name] = value


def _lrmul(mapping):
    """Return the learning-rate multiplier of a mapping network; its layers remember it as the gain of their bias."""
    return plain_or_refused(_descend(mapping, "fc0").state.get("bias_gain"))


def _set_kernel(kwargs, tensors, name):
    """Set resample_kernel where the filter is not the usual [1,3,3,1]; the file holds its normalised outer product."""
    taps = _taps(tensors.get(name), name)
    if taps.shape != (4,) or np.max(np.abs(taps - np.array([1, 3, 3, 1]) / 8)) > 1e-6:
        kwargs["resample_kernel"] = [float(tap) for tap in taps]


def _taps(values, name):
    if values is None or values.ndim not in (1, 2):
        raise Unsupported(f"it lacks the filter {name}, as a fork's network may", STYLEGAN2)
    return (values.sum(axis=1) if values.ndim == 2 else values).astype(np.float64)


# Checks of everything that a network was made with.


def _check_arguments(module, groups):
    """Raise Unsupported where a network was made with an argument that NVIDIA's programs do not have."""
    arguments = checked_dict(module.state.get("_init_kwargs", {}))
    unknown = [name for name, value in arguments.items() if name not in groups and name not in groups[""] and value is not None]
    for group in groups:
        members = checked_dict(arguments.get(group) or {}) if group else {}
        unknown += [f"{group}.{name}" for name, value in members.items() if name not in groups[group] and value is not None]
    if unknown:
        raise Unsupported("it is a fork's network, made with arguments that are not known: " + some_of(unknown), STYLEGAN2)


def _check_layers(module, kwargs, blocks):
    """Raise Unsupported where a layer computes with something else than the layers of StyleGAN2 do; `blocks` is their prefix."""
    kernel = np.array(kwargs.get("resample_kernel", [1, 3, 3, 1]), np.float64)
    for path, layer in _layers_of(module):
        for name, wanted in _expected(path, layer, kwargs, module, blocks).items():
            value = layer.state.get(name, wanted)
            if not _agrees(value, wanted):
                raise Unsupported(_difference(path, name, value), f"{name} as {wanted}, as StyleGAN2 has it there")
        if path.startswith(blocks + "b") and path.split(".")[-1] not in ("conv1", "torgb") or layer.state.get("down", 1) != 1:
            own = checked_dict(layer.state.get("_buffers", {})).get("resample_filter")
            if isinstance(own, np.ndarray):
                taps = _taps(own, path + ".resample_filter")
                if taps.shape != kernel.shape or np.max(np.abs(taps - kernel / kernel.sum())) > 1e-6:
                    raise Unsupported(f"its layer {path} resamples with another filter than the others", STYLEGAN2)


def _layers_of(module, prefix=""):
    for name, child in module.children().items():
        yield prefix + name, child
        yield from _layers_of(child, f"{prefix}{name}.")


def _expected(path, layer, kwargs, module, blocks):
    """Return what the attributes of a layer must be where it has them, by its place in the network."""
    leaf = path.split(".")[-1]
    if leaf.startswith("b") and leaf[1:].isdigit():
        return {"architecture": kwargs.get("architecture", "skip" if blocks else "resnet")}
    if leaf not in ("embed", "affine", "out", "fc", "conv0", "conv1", "conv", "fromrgb", "torgb", "skip") and leaf[:2] != "fc":
        return {}
    linear = leaf in ("embed", "affine", "out", "skip", "torgb")
    wanted = {"activation": "linear" if linear else "lrelu", "act_gain": 1.0 if linear else np.sqrt(2), "use_noise": True}
    lrmul = 1.0
    if path.startswith("mapping.fc"):
        lrmul = kwargs.get("mapping_lrmul", 0.01 if blocks else 0.1)
    if leaf in ("conv0", "conv1", "conv", "fromrgb", "torgb", "skip"):
        resamples = leaf in (("conv0", "skip") if blocks else ("conv1", "skip"))
        wanted.update(up=2 if resamples and blocks else 1, down=2 if resamples and not blocks else 1)
        wanted.update(conv_clamp=None if leaf == "skip" else kwargs["conv_clamp"])
    else:
        wanted.update(bias_gain=lrmul)
    weight = module_tensor(layer, "weight")
    if weight is not None and weight.size:
        wanted.update(weight_gain=lrmul / np.sqrt(weight.size / weight.shape[0]) if weight.ndim else None)
        if weight.ndim == 4:
            wanted.update(padding=weight.shape[-1] // 2)
    return wanted


def module_tensor(layer: Module, name: str) -> Optional[np.ndarray]:
    """Return the parameter or buffer of a layer's own as an array, in torch's layout; None where it has none of this name."""
    for kind in ("_parameters", "_buffers"):
        value = checked_dict(layer.state.get(kind, {})).get(name)
        if isinstance(value, np.ndarray):
            return value
    return None


def _agrees(value, wanted):
    number = type(wanted) in (int, float) or isinstance(wanted, np.floating)
    if number and (isinstance(value, np.number) or type(value) in (int, float)):
        return abs(float(value) - wanted) <= 1e-5 * abs(wanted)
    return value is wanted or (type(value) is type(wanted) and value == wanted)


def _difference(path, name, value):
    shown = repr(value)[:50]
    if name == "activation":
        return f"its layers use the activation {shown} ({path})"
    if name == "use_noise":
        return f"its generator has no noise inputs ({path}.use_noise is {shown})"
    return f"its layer {path} computes with {name} {shown}, as a fork's network may"
