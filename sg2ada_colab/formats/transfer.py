"""Start from another network: what a run takes over of its architecture, what does not fit, and the values to begin with."""

import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..networks.variables import Spec, initial_values
from ..shape import size_text
from .alpha_channel import GAINED, LOST, change_of_channels, with_other_channels
from .network_data import NetworkData, NetworkSnapshot, sides
from .other_scale import channel_factor, fmap_base_for

PARTIAL = "add `--resume-partial`: {} then start anew"
# What the data decide: setting of G → (words, what fits; {have} is the snapshot's value)
SHAPE_ADVICE = {
    "resolution": (
        "Resolution",
        "Prepare the dataset with `sg2ada prepare --resolution {have}`, or add `--resume-partial`: the layers up to the smaller "
        "of the two resolutions are copied, those above start anew",
    ),
    "num_channels": (
        "Image channels",
        "Use images of {have} channel(s), or " + PARTIAL.format("the layers that touch the image"),
    ),
    "label_size": ("Labels", "Use a dataset of {have} classes, or " + PARTIAL.format("the layers that take labels")),
}
ALPHA_ADVICE = {  # (channels of the snapshot, of the data) → what to do
    (3, 4): "Give the network a fourth channel, `sg2ada convert NETWORK NEW.pkl --alpha`, or prepare the images without "
    "`--alpha keep`",
    (4, 3): "Prepare the images with `--alpha keep`, or take the network's fourth channel away, `sg2ada convert NETWORK NEW.pkl "
    "--no-alpha`",
}
UNLABELLED = "Train without labels, `--cond=0`, or " + PARTIAL.format("the layers that take labels")
# What a run takes over from a snapshot, by words for the report. Resolution, channels and labels are the dataset's; precision,
# clamping, style mixing and the groups of the minibatch statistics are the run's.
_ADOPTED = {
    "mapping_layers": "mapping layers",
    "fmap_base": "channels",
    "fmap_max": "most channels of a layer",
    "architecture": "architecture",
    "mapping_fmaps": "width of the mapping layers",
    "mapping_lrmul": "learning rate of the mapping layers",
    "resample_kernel": "resampling filter",
}
ADOPTED_G = dict(_ADOPTED, latent_size="length of z", dlatent_size="length of w", label_fmaps="width of the label embedding")
ADOPTED_D = dict(_ADOPTED, mbstd_num_features="features of the minibatch statistics")
LABEL_SETTINGS_OF_D = ("mapping_layers", "mapping_fmaps", "mapping_lrmul")
WIDTH_OPTIONS = ("cbase", "cmax", "dcap", "map_depth")  # options of `sg2ada train` that set what is adopted
FIRST_MAPPING_WEIGHT = "mapping/Dense0/weight"


SHAPE = (  # where networks begin at other pixels; sizes are width x height
    "Images: the snapshot makes {have} px, this run wants {want} (width x height). Give the network this shape first, "
    "`sg2ada convert NETWORK NEW.pkl --resolution {want}`, prepare the dataset with `sg2ada prepare --resolution {have}`, or "
    + PARTIAL.format("the constant, the noise and the discriminator's last layers")
    + "."
)


def shape_report(have: GeneratorConfig, g_kwargs: Dict[str, Any]) -> List[str]:
    """Return sentences on what the data decide and a network has otherwise, each with the way to make it fit.

    Args:
        have: GeneratorConfig of the network to start from.
        g_kwargs: The wanted settings of G, as in a pickle's static_kwargs.
    """
    want = GeneratorConfig.from_kwargs(g_kwargs)
    lines = []
    if have.init_res != want.init_res:
        lines.append(SHAPE.format(have=size_text(have.height, have.width), want=size_text(want.height, want.width)))
    for name, (words, advice) in SHAPE_ADVICE.items():
        ours, theirs = getattr(want, name), getattr(have, name)
        if ours != theirs and not (lines and name == "resolution"):
            size = theirs if name != "resolution" or have.is_square else size_text(have.height, have.width)
            advice = UNLABELLED if name == "label_size" and not theirs else advice.format(have=size)
            advice = ALPHA_ADVICE.get((theirs, ours), advice) if name == "num_channels" else advice
            lines.append(f"{words}: the snapshot has {theirs}, this run wants {ours}. {advice}.")
    return lines


def adopted_kwargs(
    snapshot: NetworkSnapshot,
    g_kwargs: Dict[str, Any],
    d_kwargs: Dict[str, Any],
    options: Optional[Mapping[str, Any]] = None,
) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Return (settings of G, settings of D) for a run that takes over the snapshot's architecture and keeps its own rest.

    Args:
        snapshot: NetworkSnapshot to start from.
        g_kwargs, d_kwargs: The run's own settings.
        options: Options of the run as they were given, where those of WIDTH_OPTIONS win over the snapshot; None: none does.
    """
    g = _adopt(g_kwargs, snapshot.Gs, ADOPTED_G)
    d = _adopt(d_kwargs, snapshot.D, ADOPTED_D)
    options = options or {}
    if options.get("map_depth"):
        g["mapping_layers"] = g_kwargs["mapping_layers"]
    for option, name in (("cbase", "fmap_base"), ("cmax", "fmap_max")):
        if options.get(option):
            g[name] = g_kwargs[name]
        if options.get(option) or options.get("dcap"):
            d[name] = max(int(getattr(GeneratorConfig.from_kwargs(g), name) * (options.get("dcap") or 1)), 1)
    if not g_kwargs.get("label_size"):
        g.pop("label_fmaps", None)
        for name in LABEL_SETTINGS_OF_D:
            d.pop(name, None)
    return g, d


def _adopt(own, source, names):
    kept = {name: value for name, value in own.items() if name not in names}
    # Where the snapshot leaves a setting out, the default of the format holds, not the run's value.
    adopted = dict(kept, **{name: value for name, value in source.kwargs.items() if name in names})
    factor = channel_factor(type(source.config).from_kwargs(adopted))
    if factor != channel_factor(source.config):
        adopted["fmap_base"] = fmap_base_for(source.config, factor)
    return adopted


def adoption_report(kind: str, own: Dict[str, Any], adopted: Dict[str, Any]) -> List[str]:
    """Return a sentence for each setting that a run takes over and would have otherwise; `kind` is "G" or "D"."""
    config, names = (GeneratorConfig, ADOPTED_G) if kind == "G" else (DiscriminatorConfig, ADOPTED_D)
    before, after = config.from_kwargs(own), config.from_kwargs(adopted)
    changed = [name for name in names if getattr(after, name) != getattr(before, name)]
    return [f"{kind}'s {names[name]}: {_than_before(name, getattr(before, name), getattr(after, name))}" for name in changed]


def _than_before(name, before, after):
    """Return what a setting is, and what the options say, in words that need no name of the program's own."""
    if name == "fmap_base":
        return f"{after / before:.3g} times as many as the options say"
    return f"{after}, where the options say {before}"


def copy_matching(
    source: NetworkData, target_shapes: Mapping[str, Sequence[int]], latent_size: Optional[int] = None
) -> Tuple[Dict[str, np.ndarray], List[str]]:
    """Return the variables of a network that another one can use, and a report layer by layer.

    Layers are named by their resolution, so a network of another resolution shares the layers up to the smaller one.

    Args:
        source: NetworkData to copy from.
        target_shapes: Ordered dict name → shape of every variable of the network to be filled.
        latent_size: Length of z of the network to be filled; the first mapping layer's part for z is then taken over although
            one of the two has labels and the other has not.

    Returns:
        (values, lines): dict name → array of those that can be used, and a list of sentences, one a layer.
    """
    values = {name: source.variables[name] for name, shape in target_shapes.items() if _fits(source.variables.get(name), shape)}
    recoloured = with_other_channels(source, target_shapes)
    values.update(recoloured)
    for_z = _part_for_z(source, target_shapes, latent_size)
    if for_z is not None:
        values[FIRST_MAPPING_WEIGHT] = for_z
    lines = []
    for layer, names in _by_layer(target_shapes).items():
        copied = [name for name in names if name in values]
        if for_z is not None and FIRST_MAPPING_WEIGHT in names:
            lines.append(f"{layer}: copied as far as z goes; labels have no influence in the beginning")
            continue
        if len(copied) == len(names) and any(name in recoloured for name in names):
            what = GAINED if change_of_channels(source, target_shapes) > 0 else LOST
            lines.append(f"{layer}: {what}")
            continue
        if len(copied) == len(names):
            lines.append(f"{layer}: copied")
            continue
        reasons = sorted({_reason(source.variables.get(name), target_shapes[name]) for name in names if name not in values})
        what = "new" if not copied else "copied " + ", ".join(_leaf(name) for name in copied) + "; the rest is new"
        lines.append("{}: {} ({})".format(layer, what, "; ".join(reasons)))
    lines = [source.name + " " + line for line in lines]
    return values, lines + left_behind(source.name, [name for name in source.variables if name not in target_shapes])


def left_behind(network: str, names: Iterable[str]) -> List[str]:
    """Return the lines of a report on variables of a network that nothing takes over, one a layer."""
    return [f"{network} {layer}: left behind, this network has no such layer" for layer in _by_layer(names)]


def _part_for_z(source, target_shapes, latent_size):
    """Return the first mapping layer's weight for inputs with labels from one without, or the reverse; None where that is not so.

    What the layer makes of z stays the same: weights are used over the square root of the number of inputs.
    """
    value, shape = source.variables.get(FIRST_MAPPING_WEIGHT), target_shapes.get(FIRST_MAPPING_WEIGHT)
    if value is None or shape is None or value.shape == tuple(shape) or latent_size != source.latent_size:
        return None
    if value.shape[1:] != tuple(shape[1:]) or min(value.shape[0], shape[0]) < latent_size:
        return None
    part = np.zeros(shape, np.float32)
    part[:latent_size] = value[:latent_size] * np.sqrt(shape[0] / value.shape[0])
    return part


def starting_values(
    source: NetworkData, specs: Sequence[Spec], run_seed: int, latent_size: Optional[int] = None
) -> Tuple[Dict[str, np.ndarray], List[str]]:
    """Return the values to start from: the source's where they fit, fresh ones elsewhere, and the report of `copy_matching`.

    Args:
        source: NetworkData.
        specs: Specs of the network to be filled.
        run_seed: Of the run, from which fresh values are drawn.
        latent_size: As for `copy_matching`.
    """
    values, lines = copy_matching(source, {spec.name: spec.shape for spec in specs}, latent_size)
    fresh = initial_values([spec for spec in specs if spec.name not in values], run_seed, "G" if source.is_generator else "D")
    return {spec.name: values[spec.name] if spec.name in values else fresh[spec.name] for spec in specs}, lines


def what_is_new(lines: Iterable[str]) -> Tuple[List[str], List[str]]:
    """Return (layers that start anew, entirely or in part; layers that are left behind) of a report of `copy_matching`."""
    new = [line.split(":")[0] for line in lines if re.search(r": (new|copied .*the rest is new|copied as far)", line)]
    return new, [line.split(":")[0] for line in lines if ": left behind" in line]


def _fits(value, shape):
    return value is not None and tuple(np.shape(value)) == tuple(shape)


def _leaf(name):
    return name.split("/")[-1]


def _by_layer(names):
    """Return dict layer → names, in order; all constant noise is one layer."""
    layers: Dict[str, List[str]] = {}
    for name in names:
        layer = name.rpartition("/")[0] or name
        if re.search(r"(^|/)noise\d+$", name):
            layer = name.rpartition("/")[0] + "/noise"
        layers.setdefault(layer, []).append(name)
    return layers


def _reason(value, shape):
    if value is None:
        return "the snapshot has none"
    return f"the snapshot's is {sides(np.shape(value))}, this one is {sides(shape)}"
