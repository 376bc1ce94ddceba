"""Networks as plain data: settings and arrays, without TensorFlow; what every snapshot format is read to and written from."""

from dataclasses import dataclass, field
from typing import Dict, List

import numpy as np

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
    ]
)
MAX_ITEMS = 100  # of a setting that is a list or a dict


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
    def is_generator(self):
        return self.name != "D"

    @property
    def resolution(self):
        return self.kwargs.get("resolution", 1024)  # 1024 where StyleGAN2 left its default out

    @property
    def num_channels(self):
        return self.kwargs.get("num_channels", 3)

    @property
    def label_size(self):
        return self.kwargs.get("label_size", 0)

    @property
    def latent_size(self):
        return self.kwargs.get("latent_size", 512)

    @property
    def dlatent_size(self):
        return self.kwargs.get("dlatent_size", 512)

    @property
    def num_layers(self):
        """Number of w vectors that one image takes: 2·log2(resolution) - 2."""
        return 2 * (int(self.resolution).bit_length() - 1) - 2

    def component(self, key):
        """Return the variables under `key/`, by their names without it."""
        return {name[len(key) + 1 :]: value for name, value in self.variables.items() if name.startswith(key + "/")}

    def own_variables(self):
        """Return the variables that belong to no component: all of D, dlatent_avg of G."""
        if not self.is_generator:
            return dict(self.variables)
        return {name: value for name, value in self.variables.items() if name.split("/")[0] not in G_COMPONENTS}

    def parameter_count(self):
        """Return how many numbers are trained; the average of w and the constant noise are not."""
        return int(sum(value.size for name, value in self.variables.items() if is_trained(name)))


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

    def networks(self):
        return [self.G, self.D, self.Gs]


def is_trained(name):
    """Whether the variable of this name is trained (all but the average of w, the constant noise and spectral-norm state)."""
    leaf = name.split("/")[-1]
    return leaf == "noise_strength" or not (leaf in ("dlatent_avg", "lod", "weight_sn") or leaf.startswith("noise"))


def plain_value(value, depth=3):
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
    raise ValueError("a setting holds {}".format(type(value).__name__))


def plain_key(key):
    if not isinstance(key, str):
        raise ValueError("a setting's name is {}".format(type(key).__name__))
    return key


def check_settings(kwargs):
    """Raise ValueError where a setting that says how large a network is cannot be true."""
    limits = {
        "resolution": (4, 4096),
        "num_channels": (1, 64),
        "label_size": (0, 1 << 20),
        "latent_size": (1, 1 << 16),
        "dlatent_size": (1, 1 << 16),
        "mapping_layers": (0, 100),
        "fmap_max": (1, 1 << 20),
        "num_fp16_res": (0, 20),
    }
    for name, (low, high) in limits.items():
        value = kwargs.get(name, low)
        if type(value) is not int or not low <= value <= high:
            raise ValueError("its setting {} is not a number from {} to {}".format(name, low, high))
    if kwargs.get("resolution", 4) & (kwargs.get("resolution", 4) - 1):
        raise ValueError("its resolution {} is no power of two".format(kwargs["resolution"]))
    for name in ("fmap_base", "mapping_lrmul"):
        value = kwargs.get(name, 1)
        if type(value) not in (int, float) or not 0 < value <= 1 << 24:
            raise ValueError("its setting {} is not a number above 0".format(name))


def component_kwargs(kwargs, key):
    """Return the settings of a generator's component, as NVIDIA's program derives them from the generator's."""
    shared = {name: value for name, value in kwargs.items() if name not in G_MAIN_ONLY}
    if key == "mapping":
        layers = 2 * (int(kwargs.get("resolution", 1024)).bit_length() - 1) - 2
        shared = dict({"dlatent_broadcast": layers}, **shared)
    return shared
