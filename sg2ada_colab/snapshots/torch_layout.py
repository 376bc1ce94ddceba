"""From the PyTorch programs' modules to TensorFlow settings, names and layouts."""

import re

import numpy as np

from ..errors import UserError
from ..networks.variables import DiscriminatorConfig, GeneratorConfig, discriminator_specs, generator_specs
from .network_data import NetworkData, NetworkSnapshot, check_settings, plain_value
from .torch_pickle import Module, checked_dict
from .unpickler import Refused

G_LAYERS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb", "Skip": "skip"}
D_LAYERS = {"FromRGB": "fromrgb", "Conv0": "conv0", "Conv1_down": "conv1", "Skip": "skip", "Conv": "conv", "Dense0": "fc"}
D_MAPPING_NOTE = (
    "D has {} mapping layers on its labels, as the PyTorch programs build conditional discriminators; TensorFlow's have none. "
    "They are kept (mapping_layers={}, mapping_lrmul={}), so the scores are those of the original program."
)


def snapshot_of_modules(content):
    """Return the NetworkSnapshot for the dictionary of a PyTorch pickle.

    Args:
        content: Dict with Modules "G", "D", "G_ema", which are taken out of it, and by custom "training_set_kwargs" and
            "augment_pipe".

    Raises:
        Refused: A network is missing or not StyleGAN2's.
    """
    missing = [key for key in ("G", "D", "G_ema") if not isinstance(content.get(key), Module)]
    if missing:
        raise Refused("it holds no network {}".format(", ".join(missing)))
    # Each network's tensors are let go of before the next is copied, which bounds the memory.
    G, Gs = (_generator(name, content.pop(key)) for name, key in (("G", "G"), ("Gs", "G_ema")))
    D, details, notes = _discriminator(content.pop("D")), {}, []
    layers = D.kwargs.get("mapping_layers", 0)
    if layers:
        notes.append(D_MAPPING_NOTE.format(layers, layers, D.kwargs["mapping_lrmul"]))
    try:
        details["training set"] = plain_value(content.get("training_set_kwargs"))
    except ValueError:
        notes.append("The settings of its training set are in an unknown form and were left out.")
    if isinstance(content.get("augment_pipe"), Module):
        p = content["augment_pipe"].tensors().get("p")
        if p is not None and p.size == 1:
            details["augmentation p"] = float(p.reshape(()))
    return NetworkSnapshot(G, D, Gs, source="pytorch", details=details, notes=notes)


def _generator(name, module):
    tensors = module.tensors()
    if "synthesis.input.freqs" in tensors:
        raise Refused("it is a StyleGAN3 network (alias-free); of stylegan3 only `--cfg=stylegan2` snapshots can be used")
    if "synthesis.b4.const" not in tensors:
        raise Refused("its {} is not a StyleGAN2 generator".format(name))
    kwargs = _generator_kwargs(module, tensors)
    return NetworkData(name, kwargs, _variables(_specs(GeneratorConfig, generator_specs, kwargs), tensors, _generator_source))


def _discriminator(module):
    tensors = module.tensors()
    if "b4.fc.weight" not in tensors:
        raise Refused("its D is not a StyleGAN2 discriminator")
    kwargs = _discriminator_kwargs(module, tensors)
    specs = _specs(DiscriminatorConfig, discriminator_specs, kwargs)
    return NetworkData("D", kwargs, _variables(specs, tensors, _discriminator_source))


def _specs(config, specs_of, kwargs):
    """Return the variables that settings ask for; settings that cannot be built are the file's fault here."""
    try:
        check_settings(kwargs)
        return specs_of(config.from_kwargs(kwargs))
    except (UserError, TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise Refused("its settings cannot be used ({})".format(getattr(error, "what", error))) from error


# Settings. The attributes of the modules are the truth; the arguments they were made with fill the rest.


def _integer(module, name):
    value = module.state.get(name)
    if type(value) is not int or not 0 <= value <= 1 << 20:
        raise Refused("its setting {} is missing or impossible".format(name))
    return value


def _argument(module, group, name, default):
    """Return an argument that a module was made with, given flat or within a group such as `synthesis_kwargs`."""
    arguments = checked_dict(module.state.get("_init_kwargs", {}))
    nested = arguments.get(group) or {}
    return plain_or_refused(checked_dict(nested).get(name, arguments.get(name, default)))


def plain_or_refused(value):
    try:
        return plain_value(value)
    except ValueError as error:
        raise Refused(str(error)) from None


def _descend(module, *path):
    for name in path:
        module = module.children().get(name)
        if module is None:
            raise Refused("it lacks the module {}".format(".".join(path)))
    return module


def _halved(channel_base):
    if type(channel_base) not in (int, float) or not 0 < channel_base < 1 << 24:
        raise Refused("its setting channel_base is impossible")
    return channel_base // 2 if channel_base == int(channel_base) and channel_base % 2 == 0 else channel_base / 2


def _shared_kwargs(module, group, blocks, clamped, default_architecture):
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
    _checked(kwargs)
    top = "b{}".format(kwargs["resolution"])
    _set_unless(kwargs, "architecture", _descend(blocks, top).state.get("architecture"), default_architecture)
    if clamped.state.get("activation") != "lrelu":
        raise Refused("its layers use an activation other than lrelu")
    return kwargs


def _generator_kwargs(module, tensors):
    mapping, synthesis = _descend(module, "mapping"), _descend(module, "synthesis")
    first = _descend(synthesis, "b4", "conv1")
    kwargs = _shared_kwargs(module, "synthesis_kwargs", synthesis, first, "skip")
    if first.state.get("use_noise") is False:
        raise Refused("its generator uses no noise inputs, which is not supported")
    kwargs["mapping_layers"] = _integer(mapping, "num_layers")
    latent_size, dlatent_size = _integer(module, "z_dim"), _integer(module, "w_dim")
    _set_unless(kwargs, "latent_size", latent_size, 512)
    _set_unless(kwargs, "dlatent_size", dlatent_size, 512)
    if "mapping.embed.weight" in tensors:
        _set_unless(kwargs, "label_fmaps", int(tensors["mapping.embed.weight"].shape[0]), latent_size)
    if kwargs["mapping_layers"] > 1:
        _set_unless(kwargs, "mapping_fmaps", int(_tensor(tensors, "mapping.fc0.weight").shape[0]), dlatent_size)
    if kwargs["mapping_layers"]:
        _set_unless(kwargs, "mapping_lrmul", _lrmul(mapping), 0.01)
    _set_unless(kwargs, "w_avg_beta", plain_or_refused(mapping.state.get("w_avg_beta", 0.995)), 0.995)
    _set_kernel(kwargs, tensors, "synthesis.b8.resample_filter")
    return kwargs


def _discriminator_kwargs(module, tensors):
    kwargs = _shared_kwargs(module, "", module, _descend(module, "b4", "conv"), "resnet")
    statistics = _descend(module, "b4").children().get("mbstd")
    kwargs["mbstd_group_size"] = plain_or_refused(statistics.state.get("group_size")) if statistics else None
    _set_unless(kwargs, "mbstd_num_features", _integer(statistics, "num_channels") if statistics else 0, 1)
    mapping = module.children().get("mapping")
    if mapping is not None and kwargs["label_size"] and _integer(mapping, "num_layers"):
        kwargs["mapping_layers"] = _integer(mapping, "num_layers")
        kwargs["mapping_lrmul"] = _lrmul(mapping)
    width, stage_0 = int(_tensor(tensors, "b4.fc.weight").shape[0]), min(int(kwargs["fmap_base"]), kwargs["fmap_max"])
    if width != stage_0:
        raise Refused(
            "its D is {} channels wide at the end, where a TensorFlow network of fmap_base {} and fmap_max {} has {}; such "
            "small networks have no TensorFlow form".format(width, kwargs["fmap_base"], kwargs["fmap_max"], stage_0)
        )
    if "mapping.embed.weight" in tensors:
        _set_unless(kwargs, "mapping_fmaps", int(tensors["mapping.embed.weight"].shape[0]), width)
    _set_kernel(kwargs, tensors, "b{}.resample_filter".format(kwargs["resolution"]))
    return kwargs


def _checked(kwargs):
    try:
        check_settings(kwargs)
    except ValueError as error:
        raise Refused(str(error)) from None


def _set_unless(kwargs, name, value, default):
    if value != default:
        kwargs[name] = value


def _lrmul(mapping):
    """Return the learning-rate multiplier of a mapping network; its layers remember it as the gain of their bias."""
    return plain_or_refused(_descend(mapping, "fc0").state.get("bias_gain"))


def _set_kernel(kwargs, tensors, name):
    """Set resample_kernel where the filter is not the usual [1,3,3,1]; the file holds its normalised outer product."""
    taps = _tensor(tensors, name)
    taps = (taps.sum(axis=1) if taps.ndim == 2 else taps).astype(np.float64)
    if taps.shape != (4,) or np.max(np.abs(taps - np.array([1, 3, 3, 1]) / 8)) > 1e-6:
        kwargs["resample_kernel"] = [float(tap) for tap in taps]


# Variables.


def _tensor(tensors, name):
    if name not in tensors:
        raise Refused("it lacks the tensor {}".format(name))
    return tensors[name]


def _variables(specs, tensors, source_of):
    """Return the TensorFlow variables of the specs, in their order, each checked for its shape."""
    variables = {}
    for spec in specs:
        name, transform = source_of(spec.name)
        tensor = _tensor(tensors, name)
        try:
            value = np.require(transform(tensor), np.float32, ["C", "A", "W", "O"])
        except (ValueError, IndexError):
            value = np.zeros(0)
        if value.shape != spec.shape:
            raise Refused("its tensor {} of shape {} does not make {} {}".format(name, tensor.shape, spec.name, spec.shape))
        variables[spec.name] = value
    return variables


def _same(tensor):
    return tensor


def _transposed(tensor):
    return tensor.T


def _kernel(tensor):
    """OIkk → kkIO."""
    return tensor.transpose(2, 3, 1, 0)


def _flipped_kernel(tensor):
    """Up-sampling layers: PyTorch correlates with the kernel that TensorFlow convolves with."""
    return _kernel(tensor)[::-1, ::-1]


def _generator_source(name):
    """Return (PyTorch name, transform) for a generator's variable."""
    if name == "dlatent_avg":
        return "mapping.w_avg", _same
    component, rest = name.split("/", 1)
    if component == "mapping":
        return _mapping_source(rest)
    noise = re.match(r"noise(\d+)$", rest)
    if noise:
        index = int(noise.group(1))
        layer = "conv0" if index % 2 else "conv1"
        return "synthesis.b{}.{}.noise_const".format(2 ** ((index + 5) // 2), layer), lambda tensor: tensor[None, None]
    block, layer, leaf = rest.split("/")
    prefix = "synthesis.b{}.".format(block.split("x")[0])
    if leaf == "const":
        return prefix + "const", lambda tensor: tensor[None]
    prefix += G_LAYERS[layer] + "."
    if leaf == "weight":
        return prefix + leaf, _flipped_kernel if layer in ("Conv0_up", "Skip") else _kernel
    if leaf == "mod_weight":
        return prefix + "affine.weight", _transposed
    if leaf == "mod_bias":  # PyTorch keeps the 1 that styles are centred on within the bias
        return prefix + "affine.bias", lambda tensor: tensor - tensor.dtype.type(1)
    return prefix + leaf, _same


def _mapping_source(rest):
    layer, leaf = rest.split("/")
    name = "embed" if layer == "LabelEmbed" else layer.replace("Dense", "fc").replace("Mapping", "fc")
    return "mapping.{}.{}".format(name, leaf), _transposed if leaf == "weight" else _same


def _discriminator_source(name):
    """Return (PyTorch name, transform) for a discriminator's variable."""
    parts = name.split("/")
    leaf = parts[-1]
    if parts[0] == "LabelEmbed" or parts[0].startswith("Mapping"):
        return _mapping_source(name)
    if parts[0] == "Output":
        return "b4.out." + leaf, _transposed if leaf == "weight" else _same
    target = "b{}.{}.{}".format(parts[0].split("x")[0], D_LAYERS[parts[1]], leaf)
    if leaf != "weight":
        return target, _same
    return target, _transposed if parts[1] == "Dense0" else _kernel
