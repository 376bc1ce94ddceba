"""Networks as plain data: settings and arrays, without TensorFlow; what every snapshot format is read to and written from."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from ..byte_source import Refused
from ..errors import UserError
from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..networks.settings import OTHER_PROGRAM, UnsupportedNetwork
from ..networks.variables import Spec, discriminator_specs, generator_specs, parameter_count

G_COMPONENTS = ("synthesis", "mapping")  # in the order in which NVIDIA's pickles hold them
# Parameters that the generator's main function declares itself; its components are not given them.
G_MAIN_ONLY = frozenset(
    [
        "truncation_psi",
        "truncation_cutoff",
        "truncation_psi_val",
        "truncation_cutoff_val",
        "dlatent_avg_beta",
        "w_avg_beta",
        "style_mixing_prob",
        "is_training",
        "is_validation",
        "return_dlatents",
        "mapping_func",
        "synthesis_func",
    ]
)
MAX_ITEMS = 100  # of a setting that is a list or a dict


class Unsupported(Refused):
    """A file that is sound and holds a network that cannot be used here: not damage, so another copy would not help.

    Args:
        sentence: What stands in the way, such as "it is a StyleGAN3 network".
        expected: What could be used.
        next_step: What to do now.
    """

    def __init__(self, sentence: str, expected: str, next_step: str = OTHER_PROGRAM) -> None:
        super().__init__(sentence)
        self.sentence, self.expected, self.next_step = sentence, expected, next_step


@dataclass
class NetworkData:
    """One network: G, D or Gs.

    Attributes:
        name: "G", "D" or "Gs".
        kwargs: The settings it was built with, by the names of a TensorFlow pickle's static_kwargs; plain Python values only.
        variables: name → float32 array in TensorFlow layouts (convolutions [kh,kw,in,out], dense [in,out]; raw values, before the
            equalised learning rate). Names of G and Gs carry the component: "dlatent_avg", "mapping/Dense0/weight",
            "synthesis/4x4/Const/const", "synthesis/noise0"; those of D do not: "32x32/FromRGB/weight".
    """

    name: str
    kwargs: dict
    variables: Dict[str, np.ndarray]

    @property
    def is_generator(self) -> bool:
        """Whether it is G or Gs."""
        return self.name != "D"

    @property
    def config(self) -> Any:
        """The GeneratorConfig or DiscriminatorConfig of the settings; raises UnsupportedNetwork where there is none."""
        known = self.__dict__.get("_config")
        if known is None or known[0] != self.kwargs:
            kind = GeneratorConfig if self.is_generator else DiscriminatorConfig
            known = self.__dict__["_config"] = dict(self.kwargs), kind.from_kwargs(self.kwargs)
        return known[1]

    @property
    def resolution(self) -> int:
        """Nominal resolution of the images, px, see `shape.py`."""
        return self.config.resolution

    @property
    def height(self) -> int:
        """Of the images, px."""
        return self.config.height

    @property
    def width(self) -> int:
        """Of the images, px."""
        return self.config.width

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.config.num_channels

    @property
    def label_size(self) -> int:
        """Length of a label vector, 0 without labels."""
        return self.config.label_size

    @property
    def latent_size(self) -> int:
        """Length of z."""
        return self.config.latent_size

    @property
    def dlatent_size(self) -> int:
        """Length of w."""
        return self.config.dlatent_size

    @property
    def num_layers(self) -> int:
        """Number of w vectors that one image takes."""
        return self.config.num_layers

    def specs(self) -> List[Spec]:
        """Return the Spec of every variable that a network of these settings has, in the pickle's order."""
        return (generator_specs if self.is_generator else discriminator_specs)(self.config)

    def component(self, key: str) -> Dict[str, np.ndarray]:
        """Return the variables under `key/`, by their names without it."""
        return {name[len(key) + 1 :]: value for name, value in self.variables.items() if name.startswith(key + "/")}

    def own_variables(self) -> Dict[str, np.ndarray]:
        """Return the variables that belong to no component: all of D, dlatent_avg of G."""
        if not self.is_generator:
            return dict(self.variables)
        return {name: value for name, value in self.variables.items() if name.split("/")[0] not in G_COMPONENTS}

    def parameter_count(self) -> int:
        """Return how many numbers are trained; the average of w and the constant noise are not."""
        return parameter_count(self.specs())


@dataclass
class NetworkSnapshot:
    """The three networks of a snapshot.

    Attributes:
        G, D, Gs: NetworkData; Gs is the moving average that images are made with.
        source: Where it came from: "tensorflow", "pytorch", "safetensors" or "sg2ada_colab".
        details: What else the file told, for display: format version, training set settings.
        notes: Sentences that a user should read, such as what differs between the two programs.
    """

    G: NetworkData
    D: NetworkData
    Gs: NetworkData
    source: str = "sg2ada_colab"
    details: dict = field(default_factory=dict)
    notes: List[str] = field(default_factory=list)

    def networks(self) -> List[NetworkData]:
        """Return [G, D, Gs]."""
        return [self.G, self.D, self.Gs]


def plain_value(value: Any, depth: int = 3) -> Any:
    """Return a setting as None, bool, int, float, str, or lists and dicts of those.

    Raises:
        ValueError: It is something else, or nested deeper than any real setting.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if depth and isinstance(value, (list, tuple)) and len(value) <= MAX_ITEMS:
        return [plain_value(item, depth - 1) for item in value]
    if depth and isinstance(value, dict) and len(value) <= MAX_ITEMS:
        return {plain_key(key): plain_value(item, depth - 1) for key, item in value.items()}
    raise ValueError(f"a setting holds {type(value).__name__}")


def plain_key(key: Any) -> str:
    """Return a setting's name; raise ValueError where it is not a text."""
    if not isinstance(key, str):
        raise ValueError(f"a setting's name is {type(key).__name__}")
    return key


def check_snapshot(snapshot: NetworkSnapshot) -> None:
    """Raise Unsupported where a network of a snapshot cannot be used, or where the three do not belong together."""
    for network in snapshot.networks():
        check_network(network)
    G, D, Gs = (network.config for network in snapshot.networks())
    if Gs != G:
        raise Unsupported("its G and Gs have different settings", "Gs as the average of G")
    for name in ("resolution", "init_res", "num_channels", "label_size"):
        if getattr(G, name) != getattr(D, name):
            raise Unsupported(
                f"its G and D have different settings: {name} {getattr(G, name)} and {getattr(D, name)}",
                "a discriminator for the generator's images",
            )


def check_network(network: NetworkData) -> None:
    """Raise Unsupported where a network's settings are not accepted or its variables are not those that they ask for."""
    try:
        specs = {spec.name: spec for spec in network.specs()}
    except UnsupportedNetwork as error:
        raise Unsupported(error.sentence, error.expected, error.next_step) from error
    except UserError as error:
        raise Unsupported(error.what.rstrip("."), error.expected, error.next_step) from error
    variables = network.variables
    if network.is_generator and "mapping/LabelConcat/weight" in variables:
        raise Unsupported(
            "it is a conditional network of StyleGAN2, which takes labels in another way (LabelConcat) than StyleGAN2-ADA",
            "a conditional network of StyleGAN2-ADA, or one without labels",
        )
    const = variables.get("synthesis/4x4/Const/const")
    start = network.config.init_res
    if const is not None and np.ndim(const) == 4 and np.shape(const)[2:] != start:
        raise Unsupported(
            "its constant has {}x{} pixels (height x width), where its settings (init_res) say {}x{}".format(
                *const.shape[2:], *start
            ),
            "a square network, or a rectangle whose file says so with init_res",
        )
    _check_layers(network.name, specs, variables)


def _check_layers(name, specs, variables):
    missing = [key for key in specs if key not in variables]
    extra = [key for key in variables if key not in specs and not _changes_nothing(key, variables[key])]
    other = [key for key, spec in specs.items() if key in variables and np.shape(variables[key]) != spec.shape]
    parts = ["it lacks " + some_of(missing)] if missing else []
    parts += ["it has " + some_of(extra)] if extra else []
    parts += [f"{key} is {sides(np.shape(variables[key]))}, not {sides(specs[key].shape)}" for key in other[:3]]
    if parts:
        raise Unsupported(
            f"its {name} has other layers than its settings ask for, as a fork's network may: " + "; ".join(parts),
            "a StyleGAN2 or StyleGAN2-ADA network",
        )


def _changes_nothing(key, value):
    """Whether a variable that is not read may be there: how far StyleGAN's growth has come, where that is complete."""
    return key.split("/")[-1] == "lod" and not np.any(value)


def some_of(names: Sequence[str]) -> str:
    """Return the first three names and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def sides(shape: Sequence[int]) -> str:
    """Return a shape as text, such as 3x3x512x512."""
    return "x".join(str(side) for side in shape) or "a number"


def component_kwargs(kwargs: Mapping[str, Any], key: str, num_layers: int) -> Dict[str, Any]:
    """Return the settings of a generator's component, as NVIDIA's program derives them from the generator's."""
    shared = {name: value for name, value in kwargs.items() if name not in G_MAIN_ONLY}
    if key == "mapping":
        shared = dict({"dlatent_broadcast": num_layers}, **shared)
    return shared
