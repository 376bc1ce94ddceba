"""NVIDIA's TensorFlow network pickle: (G, D, Gs), written opcode by opcode and read without running anything.

The file names five globals only and is protocol 3, so any Python from 3.0 and any NumPy can open it, whichever NumPy wrote it.
"""

from typing import Any, BinaryIO, Dict, Union

import numpy as np

from ..byte_source import FileSource, MemorySource, Refused
from ..files import FilePath
from ..networks.config import GeneratorConfig
from ..networks.settings import BOX_KERNEL
from ..numpy_pickle import NUMPY_GLOBALS, described, float32_array
from ..unpickler import ORDERED_DICT, Built, Global, load
from .network_data import G_COMPONENTS, NetworkData, NetworkSnapshot, Unsupported, component_kwargs, plain_value
from .new_discriminator import NO_D, copied_generator, new_discriminator
from .pickle_writer import PROTOCOL_3, PickleWriter

FORMAT_VERSION = 5
READ_VERSIONS = (2, 3, 4, 5)
NETWORK_GLOBAL = "dnnlib.tflib.network Network"
MAX_VARIABLES = 10000  # of one network; 1024x1024 has under 200
A_SNAPSHOT = "the three networks of a snapshot", "use the .pkl that the training program saved"
COMPONENT_READS = {  # what a component of the generator is built with, of the settings that are read
    "mapping": ("latent_size", "dlatent_size", "label_size", "label_fmaps", "mapping_layers", "mapping_fmaps", "mapping_lrmul"),
    "synthesis": ("resolution", "num_channels", "dlatent_size", "fmap_base", "fmap_max", "architecture", "resample_kernel",
                  "conv_clamp", "init_res"),
}  # fmt: skip
MAX_COMPONENTS = 8  # real networks have two; each may name the same variables again


# Writing.


def write_network_pickle(path_or_file: Union[FilePath, BinaryIO], snapshot: NetworkSnapshot, source_text: str = "") -> None:
    """Write a snapshot as stylegan2-ada writes it; stylegan2-ada-pytorch and stylegan3 open it through their `legacy.py`.

    Args:
        path_or_file: A path, or a binary file that stays open. Atomic replacement is the caller's business.
        snapshot: NetworkSnapshot; arrays are written as little-endian float32, C-contiguous, rank 0 as np.float32 scalars.
        source_text: Python source for `build_module_src`, which stylegan2-ada executes; other readers ignore it.
    """
    if not hasattr(path_or_file, "write"):
        with open(str(path_or_file), "wb") as file:
            return write_network_pickle(file, snapshot, source_text)
    writer = PickleWriter(path_or_file)
    writer.raw(PROTOCOL_3)
    for network in snapshot.networks():
        _write_network(writer, _main_state(network, source_text))
    writer.raw(b"\x87.")


def _main_state(network, source_text):
    """Return the state of G, D or Gs; in `components` and nowhere else stand further states."""
    kwargs = plain_value(network.kwargs)
    if kwargs.get("resample_kernel", BOX_KERNEL) is None:
        kwargs["resample_kernel"] = list(BOX_KERNEL)  # NVIDIA's legacy.py takes None for another filter
    images, labels = [None, network.num_channels, network.height, network.width], [None, network.label_size]
    if not network.is_generator:
        return _state(
            "D",
            kwargs,
            {},
            source_text,
            "D_main",
            network.variables,
            [("images_in", images), ("labels_in", labels)],
            ("scores_out", [None, 1]),
        )
    latents, dlatents = [None, network.latent_size], [None, network.num_layers, network.dlatent_size]
    inputs = {"synthesis": [("dlatents_in", dlatents)], "mapping": [("latents_in", latents), ("labels_in", labels)]}
    outputs = {"synthesis": ("images_out", images), "mapping": ("dlatents_out", dlatents)}
    components = {
        key: _state(
            "G_" + key,
            component_kwargs(kwargs, key, network.num_layers),
            {},
            source_text,
            "G_" + key,
            network.component(key),
            inputs[key],
            outputs[key],
        )
        for key in G_COMPONENTS
    }
    return _state(
        network.name, kwargs, components, source_text, "G_main", network.own_variables(), inputs["mapping"], outputs["synthesis"]
    )


def _state(name, kwargs, components, source_text, function, variables, inputs, output):
    return {
        "version": FORMAT_VERSION,
        "name": name,
        "static_kwargs": kwargs,
        "components": components,
        "build_module_src": source_text,
        "build_func_name": function,
        "variables": variables,
        "input_shapes": [shape for _, shape in inputs],
        "output_shapes": [output[1]],
        "input_names": [label for label, _ in inputs],
        "output_names": [output[0]],
    }


def _write_network(writer, state):
    writer.named(NETWORK_GLOBAL)
    writer.raw(b")\x81}(")
    for key, value in state.items():
        writer.value(key)
        if key == "components":
            writer.raw(b"}(")
            for component, inner in value.items():
                writer.value(component)
                _write_network(writer, inner)
            writer.raw(b"u")
        elif key == "variables":
            writer.raw(b"](")
            for name, array in value.items():
                writer.value(name)
                writer.array(array)
                writer.raw(b"\x86")
            writer.raw(b"e")
        else:
            writer.value(value)
    writer.raw(b"ub")


# Reading.


class Network(Built):
    """An object of NVIDIA's class Network; `state` is the dict of its settings and variables."""

    state = None

    def build(self, state: Any) -> None:
        if not isinstance(state, dict) or self.state is not None:
            raise Refused("it holds a network without a proper state")
        self.state = state


# EasyDict is a dict of older programs; ours is a plain one.
TF_GLOBALS = dict(
    NUMPY_GLOBALS,
    **{
        NETWORK_GLOBAL: Global(new=lambda *_: Network()),
        "dnnlib.util EasyDict": Global(new=lambda *_: {}),
        "collections OrderedDict": ORDERED_DICT,
    },
)


def is_network_triple(value: Any) -> bool:
    """Return whether a pickle's content is a tuple of three networks."""
    return isinstance(value, tuple) and len(value) == 3 and all(isinstance(network, Network) for network in value)


def read_network_pickle(path_or_bytes: Union[FilePath, bytes, bytearray, memoryview]) -> NetworkSnapshot:
    """Read a TensorFlow network pickle of version 2 to 5 (StyleGAN2, StyleGAN2-ADA); nothing in it is run.

    Args:
        path_or_bytes: Path of the file, or its bytes.

    Returns:
        NetworkSnapshot whose arrays are float32, C-contiguous and own their memory.

    Raises:
        Refused: It is something else, or damaged; the message completes "FILE cannot be read: …".
    """
    if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
        return snapshot_of(load(MemorySource(path_or_bytes), TF_GLOBALS))
    with open(str(path_or_bytes), "rb") as file:
        return snapshot_of(load(FileSource(file), TF_GLOBALS))


def read_network_variables(path: FilePath) -> Dict[str, np.ndarray]:
    """Return the own variables of a pickle that holds one network of any kind, as name → array; nothing in it is run.

    Raises:
        Refused: It is not such a pickle.
    """
    with open(str(path), "rb") as file:
        value = load(FileSource(file), TF_GLOBALS)
    if not isinstance(value, Network):
        raise Refused("it holds no network")
    return _variables_of(_checked_state(value))


def snapshot_of(value: Any) -> NetworkSnapshot:
    """Return the NetworkSnapshot for what a stream with TF_GLOBALS described; raise Refused if that is not three networks."""
    if _is_generator(value):
        return _snapshot_of_generator(value)
    if isinstance(value, Network):
        raise Unsupported(
            "it holds a single network, such as those that compute metrics, not a training snapshot (G, D, Gs)", *A_SNAPSHOT
        )
    if not is_network_triple(value):
        raise Unsupported(f"it is a pickle of something else: {described(value)}, not the three networks G, D, Gs", *A_SNAPSHOT)
    version = value[2].state.get("version") if value[2].state else None
    G, D, Gs = (_network_data(name, network) for name, network in zip(("G", "D", "Gs"), value))
    _check_family(Gs.variables)
    details = {"version": version, "source text": len(_source_text(value[2]))}
    return NetworkSnapshot(G, D, Gs, source="tensorflow", details=details)


def _is_generator(value):
    components = value.state.get("components") if isinstance(value, Network) and value.state else None
    return isinstance(components, dict) and all(isinstance(components.get(key), Network) for key in G_COMPONENTS)


def _snapshot_of_generator(value):
    """Return the NetworkSnapshot for a pickle of Gs alone."""
    Gs = _network_data("Gs", value)
    _check_family(Gs.variables)
    details = {"version": value.state.get("version"), "source text": len(_source_text(value))}
    networks = copied_generator(Gs), new_discriminator(Gs.config), Gs
    return NetworkSnapshot(*networks, source="tensorflow", details=details, notes=[NO_D])


def _check_family(variables):
    if any("StyleMod" in name for name in variables):
        raise Unsupported("it is a network of the first StyleGAN, which is built differently", "StyleGAN2 or StyleGAN2-ADA")
    if not any(name.startswith("synthesis/") for name in variables):
        raise Unsupported("its generator has no synthesis network, so it is not StyleGAN2's", "StyleGAN2 or StyleGAN2-ADA")


def _source_text(network):
    text = network.state.get("build_module_src")
    return text if isinstance(text, str) else ""


def _network_data(name, network):
    state = _checked_state(network)
    kwargs = _checked_kwargs(state["static_kwargs"])
    variables = _variables_of(state)
    components = state.get("components") or {}
    if not isinstance(components, dict) or len(components) > MAX_COMPONENTS:
        raise Refused(f"the components of {name} are not a short dictionary")
    for key, component in components.items():
        if not isinstance(component, Network) or not isinstance(key, str):
            raise Refused(f"{name} has a component that is not a network")
        state = _checked_state(component)
        kwargs = _merged(kwargs, key, _checked_kwargs(state["static_kwargs"]))
        inner = _variables_of(state)
        variables.update({f"{key}/{leaf}": value for leaf, value in inner.items()})
    return NetworkData(name, kwargs, variables)


def _merged(kwargs, key, own):
    """Return a generator's settings with those of a component, which is built with its own: they must not contradict."""
    for name in COMPONENT_READS.get(key, ()):
        default = GeneratorConfig.__dataclass_fields__[name].default
        asked, theirs = (_as_list(settings.get(name, default)) for settings in (kwargs, own))
        if asked != theirs:
            raise Unsupported(
                f"its component {key} has settings of its own: {name} is {theirs!r}, not {asked!r}",
                "components with the settings of their generator",
            )
    return dict({name: value for name, value in own.items() if name != "dlatent_broadcast"}, **kwargs)


def _as_list(value):
    return list(value) if isinstance(value, tuple) else value


def _checked_state(network):
    state = network.state
    if state is None:
        raise Refused("it holds an empty network")
    missing = [key for key in ("version", "name", "static_kwargs", "variables") if key not in state]
    if missing:
        raise Refused("a network lacks {}".format(", ".join(missing)))
    if state["version"] not in READ_VERSIONS:
        version = state["version"] if isinstance(state["version"], int) else described(state["version"])
        raise Refused(f"a network has format version {version}, not 2 to 5")
    return state


def _checked_kwargs(kwargs):
    if not isinstance(kwargs, dict):
        raise Refused("the settings of a network are not a dictionary")
    try:
        return plain_value(kwargs)
    except ValueError as error:
        raise Refused(str(error)) from None


def _variables_of(state):
    pairs, variables = state["variables"], {}
    if not isinstance(pairs, list) or len(pairs) > MAX_VARIABLES:
        raise Refused(f"the variables of a network are not a list of at most {MAX_VARIABLES:,}")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise Refused("a variable is not a pair of name and array")
        variables[pair[0]] = float32_array(pair[1])
    return variables
