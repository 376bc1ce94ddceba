"""A snapshot for other images: with transparency or without, of another shape; what fits is taken over, the rest begins anew."""

import dataclasses
from typing import Any, Dict, List, Optional, Tuple

from ..errors import UserError
from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..shape import NetworkShape, network_shape, size_text
from .network_data import NetworkData, NetworkSnapshot
from .other_scale import at_scale_of, channel_factor, fmap_base_for, scale_note
from .transfer import left_behind, starting_values, what_is_new

SEED = 0  # of what begins anew, so that a conversion can be repeated


def reshaped(snapshot: NetworkSnapshot, size: Optional[Tuple[int, int]] = None, alpha: Optional[bool] = None) -> NetworkSnapshot:
    """Return a NetworkSnapshot for other images, with notes that say what is new.

    Convolutions do not care about shapes. Where networks begin at other pixels only the constant, the noise and D's first dense
    layer are new; for another resolution so are the layers above the smaller one. Where one begins at so many more pixels that
    its blocks have the channels of another resolution, layers are taken by their scale, see `other_scale`. For alpha nothing is
    new.

    Args:
        snapshot: NetworkSnapshot to begin with.
        size: (height, width) of the images, px; None: as they are.
        alpha: True gives RGB networks a fourth channel that is opaque, False takes it away; None: as it is.

    Raises:
        UserError: It has this form already, or there is no way to it.
    """
    changes: Dict[str, Any] = {}
    notes: List[str] = []
    if size is not None:
        changes.update(_shape_changes(snapshot.Gs.config, size))
    if alpha is not None:
        changes["num_channels"] = _channels(snapshot.Gs, alpha)
    networks, lines = {}, []
    for network in snapshot.networks():
        config = _changed(network, changes)
        form = NetworkData(network.name, config.to_kwargs(), {})
        source, left = at_scale_of(network, config)
        values, report = starting_values(source, form.specs(), SEED)
        networks[network.name] = NetworkData(network.name, form.kwargs, values)
        if network.name != "Gs":  # what is new in Gs is what is new in G, with the same values
            lines += report + left_behind(network.name, left)
            notes = [note for note in [scale_note(config, network.config)] if note]
    notes = snapshot.notes + notes + _notes(lines, alpha)
    return NetworkSnapshot(**networks, source=snapshot.source, details=snapshot.details, notes=notes)


def _changed(network, changes):
    """Return the configuration of a network with changed settings, and as many channels at each scale as before."""
    kind = GeneratorConfig if network.is_generator else DiscriminatorConfig
    config = kind.from_kwargs(dict(network.kwargs, **changes))
    factor = channel_factor(config)
    if factor == channel_factor(network.config):
        return config
    return dataclasses.replace(config, fmap_base=fmap_base_for(network.config, factor))


def _shape_changes(config, size):
    """Return the settings of a network for images of `size` where the GeneratorConfig `config` differs."""
    shape, own = network_shape(*size), NetworkShape(config.resolution, config.init_res)
    if shape == own:
        raise UserError(f"The network makes pictures of {size_text(*size)} px already.", "another size", "leave --resolution out")
    return {"resolution": shape.resolution, "init_res": list(shape.init_res)}


def _channels(network, alpha):
    """Return the number of channels with or without alpha; raise UserError where that is no change or has no form."""
    have, want = network.num_channels, 4 if alpha else 3
    flag = "--alpha" if alpha else "--no-alpha"
    if have == want:
        now, wanted = ("RGBA", "RGB") if alpha else ("RGB", "RGBA")
        raise UserError(f"The network is {now} already.", f"an {wanted} network for {flag}", f"leave {flag} out")
    if have not in (3, 4):
        raise UserError(f"The network makes pictures of {have} channel(s).", f"an RGB network for {flag}",
                        "train on images in colour: sg2ada prepare --color rgb, and --resume-partial")  # fmt: skip
    return want


def _notes(lines, alpha):
    new, left = what_is_new(lines)
    notes = ["New, to be trained: " + ", ".join(new) + "."] if new else []
    notes += ["Left behind: " + ", ".join(left) + "."] if left else []
    if alpha is not None:
        notes.append(
            "The fourth channel, alpha, begins opaque" + ("." if new else ": the pictures are the same.") if alpha
            else "Alpha is gone: the colours are those that were under it, too."
        )  # fmt: skip
    return notes
