"""Names and layouts of the PyTorch programs beside those of TensorFlow; from their modules to a snapshot."""

import re
from typing import Any, Callable, Dict, NamedTuple, Tuple

import numpy as np

from .network_data import NetworkData, NetworkSnapshot, Unsupported, plain_value, some_of
from .new_discriminator import NO_D, copied_generator, new_discriminator
from .torch_pickle import Module
from .torch_settings import STYLEGAN2, discriminator_settings, generator_settings

G_LAYERS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb", "Skip": "skip"}
D_LAYERS = {"FromRGB": "fromrgb", "Conv0": "conv0", "Conv1_down": "conv1", "Skip": "skip", "Conv": "conv", "Dense0": "fc"}
D_MAPPING_NOTE = (
    "D has {} mapping layers on its labels, as the PyTorch programs build conditional discriminators; TensorFlow's have none. "
    "They are kept (mapping_layers={}, mapping_lrmul={}), so the scores are those of the original program."
)


def snapshot_of_modules(content: Dict[str, Any]) -> NetworkSnapshot:
    """Return the NetworkSnapshot for the dictionary of a PyTorch pickle.

    Args:
        content: Dict with Modules "G", "D", "G_ema", which are taken out of it, and conventionally "training_set_kwargs" and
            "augment_pipe".

    Raises:
        Unsupported: A network is missing or not StyleGAN2's.
    """
    missing = [key for key in ("G_ema", "G", "D") if not isinstance(content.get(key), Module)]
    if "G_ema" in missing or any(content.get(key) is not None for key in missing):
        raise Unsupported("it holds no network {}".format(", ".join(missing)), "the networks G, D and G_ema, or G_ema alone")
    # Each network's tensors are let go of before the next is copied, which bounds the memory.
    Gs, details, notes = _generator("Gs", content.pop("G_ema")), {}, []
    G = _generator("G", content.pop("G")) if "G" not in missing else copied_generator(Gs)
    if "D" in missing:
        D, notes = new_discriminator(Gs.config), [NO_D]
    else:
        D = _discriminator(content.pop("D"))
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
        raise Unsupported(
            "it is a StyleGAN3 network (alias-free)", "of stylegan3 a network that was trained with `--cfg=stylegan2`"
        )
    if "synthesis.b4.const" not in tensors:
        raise Unsupported(f"its {name} is not a StyleGAN2 generator", STYLEGAN2)
    kwargs = generator_settings(module, tensors)
    return _network(name, kwargs, tensors)


def _discriminator(module):
    tensors = module.tensors()
    if "b4.fc.weight" not in tensors:
        raise Unsupported("its D is not a StyleGAN2 discriminator", STYLEGAN2)
    kwargs = discriminator_settings(module, tensors)
    return _network("D", kwargs, tensors)


def _network(name, kwargs, tensors):
    """Return the NetworkData of settings and tensors; every tensor must be one that the settings ask for."""
    network = NetworkData(name, kwargs, {})
    sources = torch_sources(network)
    missing = [source for source, _ in sources.values() if source not in tensors]
    read = {source for source, _ in sources.values()}
    extra = [tensor for tensor in tensors if tensor not in read and not tensor.endswith("resample_filter")]
    parts = ["it lacks " + some_of(missing)] if missing else []
    parts += ["it has " + some_of(extra)] if extra else []
    if parts:
        raise Unsupported(f"its {name} has other layers than StyleGAN2, as a fork's network may: " + "; ".join(parts), STYLEGAN2)
    network.variables.update(_variables(network.specs(), tensors, sources))
    return network


# Variables.


class Layout(NamedTuple):
    """How a tensor of the PyTorch programs becomes a variable of TensorFlow, and the reverse."""

    read: Callable[[np.ndarray], np.ndarray]
    write: Callable[[np.ndarray], np.ndarray]


SAME = Layout(lambda tensor: tensor, lambda value: value)
TRANSPOSED = Layout(lambda tensor: tensor.T, lambda value: value.T)
KERNEL = Layout(lambda tensor: tensor.transpose(2, 3, 1, 0), lambda value: value.transpose(3, 2, 0, 1))  # OIkk and kkIO
# Up-sampling layers: PyTorch correlates with the kernel that TensorFlow convolves with.
FLIPPED_KERNEL = Layout(
    lambda tensor: tensor.transpose(2, 3, 1, 0)[::-1, ::-1], lambda value: value[::-1, ::-1].transpose(3, 2, 0, 1)
)
CONSTANT = Layout(lambda tensor: tensor[None], lambda value: value[0])
NOISE = Layout(lambda tensor: tensor[None, None], lambda value: value[0, 0])
# PyTorch keeps the 1 that styles are centred on within the bias.
STYLE_BIAS = Layout(lambda tensor: tensor - tensor.dtype.type(1), lambda value: value + value.dtype.type(1))


def torch_sources(network: NetworkData) -> Dict[str, Tuple[str, Layout]]:
    """Return {name of a variable: (name of the tensor in the PyTorch programs, Layout)} of all that a network has."""
    source_of = _generator_source if network.is_generator else _discriminator_source
    return {spec.name: source_of(spec.name) for spec in network.specs()}


def _variables(specs, tensors, sources):
    """Return the TensorFlow variables of the specs, in their order, each checked for its shape."""
    variables = {}
    for spec in specs:
        name, layout = sources[spec.name]
        tensor = tensors[name]
        try:
            value = np.require(layout.read(tensor), np.float32, ["C", "A", "W", "O"])
        except (ValueError, IndexError):
            value = np.zeros(0)
        if value.shape != spec.shape:
            raise Unsupported(f"its tensor {name} of shape {tensor.shape} does not make {spec.name} {spec.shape}", STYLEGAN2)
        variables[spec.name] = value
    return variables


def _generator_source(name):
    """Return (PyTorch name, Layout) for a generator's variable."""
    if name == "dlatent_avg":
        return "mapping.w_avg", SAME
    component, rest = name.split("/", 1)
    if component == "mapping":
        return _mapping_source(rest)
    noise = re.match(r"noise(\d+)$", rest)
    if noise:
        index = int(noise.group(1))
        layer = "conv0" if index % 2 else "conv1"
        return f"synthesis.b{2 ** ((index + 5) // 2)}.{layer}.noise_const", NOISE
    block, layer, leaf = rest.split("/")
    prefix = "synthesis.b{}.".format(block.split("x")[0])
    if leaf == "const":
        return prefix + "const", CONSTANT
    prefix += G_LAYERS[layer] + "."
    if leaf == "weight":
        return prefix + leaf, FLIPPED_KERNEL if layer in ("Conv0_up", "Skip") else KERNEL
    if leaf == "mod_weight":
        return prefix + "affine.weight", TRANSPOSED
    if leaf == "mod_bias":
        return prefix + "affine.bias", STYLE_BIAS
    return prefix + leaf, SAME


def _mapping_source(rest):
    layer, leaf = rest.split("/")
    name = "embed" if layer == "LabelEmbed" else layer.replace("Dense", "fc").replace("Mapping", "fc")
    return f"mapping.{name}.{leaf}", TRANSPOSED if leaf == "weight" else SAME


def _discriminator_source(name):
    """Return (PyTorch name, Layout) for a discriminator's variable."""
    parts = name.split("/")
    leaf = parts[-1]
    if parts[0] == "LabelEmbed" or parts[0].startswith("Mapping"):
        return _mapping_source(name)
    if parts[0] == "Output":
        return "b4.out." + leaf, TRANSPOSED if leaf == "weight" else SAME
    target = "b{}.{}.{}".format(parts[0].split("x")[0], D_LAYERS[parts[1]], leaf)
    if leaf != "weight":
        return target, SAME
    return target, TRANSPOSED if parts[1] == "Dense0" else KERNEL
