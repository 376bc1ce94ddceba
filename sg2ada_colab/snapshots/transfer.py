"""Start from another network: does a snapshot fit the wanted settings, and what of it can be used if not."""

import re

import numpy as np

from ..networks.variables import DiscriminatorConfig, GeneratorConfig

PARTIAL = "add `--resume-partial`: {} then start anew"
# setting of G → (words, what fits; {have} is the snapshot's value)
ADVICE = {
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
    "mapping_layers": ("Mapping layers", "Give `--map-depth={have}`; the shared layers alone would make broken images"),
    "fmap_base": ("Channels (fmap_base)", "Give `--cbase={cbase}`"),
    "fmap_max": ("Most channels of a layer (fmap_max)", "Give `--cmax={have}`"),
    "architecture": ("Architecture of G", "Leave out what sets it"),
    "latent_size": ("Length of z", "Leave out what sets it"),
    "dlatent_size": ("Length of w", "Leave out what sets it"),
}
UNLABELLED = "Train without labels, `--cond=0`, or " + PARTIAL.format("the layers that take labels")
D_LABEL_LAYERS = (
    "Conditional snapshots of the PyTorch programs have 8, those of TensorFlow none. By default the snapshot's are taken over; "
    "with `--resume-partial` they are left behind"
)
D_ARCHITECTURE = "Give the `--cfg` that it was trained with; `--cfg=cifar` has orig, all others resnet"


def fit_report(snapshot, g_kwargs, d_kwargs):
    """Return how a snapshot differs from wanted settings, as sentences that name the flag that would fit.

    Args:
        snapshot: NetworkSnapshot to start from.
        g_kwargs, d_kwargs: The wanted settings of G and D, as in a pickle's static_kwargs.

    Returns:
        list of str, empty where every variable of the snapshot fits; settings that change no variable are not compared.
    """
    have, want = GeneratorConfig.from_kwargs(snapshot.Gs.kwargs), GeneratorConfig.from_kwargs(g_kwargs)
    lines = [_difference(words, getattr(have, name), getattr(want, name), _advice(name, advice, have))
             for name, (words, advice) in ADVICE.items() if getattr(have, name) != getattr(want, name)]  # fmt: skip
    have, want = DiscriminatorConfig.from_kwargs(snapshot.D.kwargs), DiscriminatorConfig.from_kwargs(d_kwargs)
    if have.architecture != want.architecture:
        lines.append(_difference("Architecture of D", have.architecture, want.architecture, D_ARCHITECTURE))
    if have.mapping_layers != want.mapping_layers:
        lines.append(_difference("D's mapping layers on labels", have.mapping_layers, want.mapping_layers, D_LABEL_LAYERS))
    return lines


def _difference(words, have, want, advice):
    return "{}: the snapshot has {}, this run wants {}. {}.".format(words, have, want, advice)


def _advice(name, advice, config):
    if name == "label_size" and not config.label_size:
        return UNLABELLED
    return advice.format(have=getattr(config, name), cbase=int(config.fmap_base * 2))


# What a run takes over from a snapshot by default. Resolution, channels and labels are the dataset's; precision, clamping, style
# mixing and the groups of the minibatch statistics are the run's.
_ADOPTED = frozenset(
    ["mapping_layers", "fmap_base", "fmap_max", "architecture", "mapping_fmaps", "mapping_lrmul", "resample_kernel"]
)
ADOPTED_G = _ADOPTED | {"latent_size", "dlatent_size", "label_fmaps"}
ADOPTED_D = _ADOPTED | {"mbstd_num_features"}


def adopted_kwargs(snapshot, g_kwargs, d_kwargs):
    """Return (settings of G, settings of D) for a run that takes over the snapshot's architecture and keeps its own rest."""
    return _adopt(g_kwargs, snapshot.Gs.kwargs, ADOPTED_G), _adopt(d_kwargs, snapshot.D.kwargs, ADOPTED_D)


def _adopt(own, theirs, names):
    kept = {name: value for name, value in own.items() if name not in names}
    # Where the snapshot leaves a setting out, the default of the format holds, not the run's value.
    return dict(kept, **{name: value for name, value in theirs.items() if name in names})


def copy_matching(source, target_shapes):
    """Return the variables of a network that another one can use, and a report layer by layer.

    Layers are named by their resolution, so a network of another resolution shares the layers up to the smaller one.

    Args:
        source: NetworkData to copy from.
        target_shapes: Ordered dict name → shape of every variable of the network to be filled.

    Returns:
        (values, lines): dict name → array of those that fit by name and shape, and a list of sentences, one a layer.
    """
    values = {name: source.variables[name] for name, shape in target_shapes.items() if _fits(source.variables.get(name), shape)}
    lines = []
    for layer, names in _by_layer(target_shapes).items():
        copied = [name for name in names if name in values]
        if len(copied) == len(names):
            lines.append("{}: copied".format(layer))
            continue
        reasons = sorted({_reason(source.variables.get(name), target_shapes[name]) for name in names if name not in values})
        what = "new" if not copied else "copied " + ", ".join(_leaf(name) for name in copied) + "; the rest is new"
        lines.append("{}: {} ({})".format(layer, what, "; ".join(reasons)))
    unused = _by_layer({name: () for name in source.variables if name not in target_shapes})
    lines += ["{}: left behind, this network has no such layer".format(layer) for layer in unused]
    return values, [source.name + " " + line for line in lines]


def partial_values(source, target_values):
    """Return the values to start from: the source's where they fit, otherwise the given ones, and the report of `copy_matching`.

    Across resolutions the mapping, the constant noise and all blocks up to the smaller resolution are shared. A network of
    higher resolution starts its upper blocks anew; one of lower resolution drops them.
    """
    values, lines = copy_matching(source, {name: np.shape(value) for name, value in target_values.items()})
    return {name: values.get(name, value) for name, value in target_values.items()}, lines


def _fits(value, shape):
    return value is not None and tuple(np.shape(value)) == tuple(shape)


def _leaf(name):
    return name.split("/")[-1]


def _by_layer(names):
    """Return dict layer → names, in order; all constant noise is one layer."""
    layers = {}
    for name in names:
        layer = name.rpartition("/")[0] or name
        if re.search(r"(^|/)noise\d+$", name):
            layer = name.rpartition("/")[0] + "/noise"
        layers.setdefault(layer, []).append(name)
    return layers


def _reason(value, shape):
    if value is None:
        return "the snapshot has none"
    return "the snapshot's is {}, this one is {}".format(_sides(np.shape(value)), _sides(shape))


def _sides(shape):
    return "x".join(str(side) for side in shape) or "a number"
