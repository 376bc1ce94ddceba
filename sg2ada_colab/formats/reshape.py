"""A snapshot for other images: with transparency or without, of another shape; what fits is taken over, the rest begins anew."""

from typing import Optional, Tuple

from ..errors import UserError
from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..shape import NetworkShape, network_shape, size_text
from .network_data import NetworkData, NetworkSnapshot
from .transfer import starting_values, what_is_new

SEED = 0  # of what begins anew, so that a conversion can be repeated


def reshaped(snapshot: NetworkSnapshot, size: Optional[Tuple[int, int]] = None, alpha: Optional[bool] = None) -> NetworkSnapshot:
    """Return a NetworkSnapshot for other images, with notes that say what is new.

    Convolutions do not care about shapes. Where networks begin at other pixels only the constant, the noise and D's first dense
    layer are new; for another resolution so are the layers above the smaller one. For alpha nothing is.

    Args:
        snapshot: NetworkSnapshot to begin with.
        size: (height, width) of the images, px; None: as they are.
        alpha: True gives RGB networks a fourth channel that is opaque, False takes it away; None: as it is.

    Raises:
        UserError: It has this form already, or there is no way to it.
    """
    changes = {}
    if size is not None:
        changes.update(_shape_changes(snapshot.Gs.config, size))
    if alpha is not None:
        changes["num_channels"] = _channels(snapshot.Gs, alpha)
    networks, lines = {}, []
    for network in snapshot.networks():
        kind = GeneratorConfig if network.is_generator else DiscriminatorConfig
        form = NetworkData(network.name, kind.from_kwargs(dict(network.kwargs, **changes)).to_kwargs(), {})
        values, report = starting_values(network, form.specs(), SEED)
        networks[network.name] = NetworkData(network.name, form.kwargs, values)
        lines += report if network.name != "Gs" else []  # what is new in Gs is what is new in G, with the same values
    return NetworkSnapshot(
        **networks, source=snapshot.source, details=snapshot.details, notes=snapshot.notes + _notes(lines, alpha)
    )


def _shape_changes(config, size):
    """Return the settings of a network for images of `size` where the GeneratorConfig `config` differs."""
    shape, own = network_shape(*size), NetworkShape(config.resolution, config.init_res)
    if shape == own:
        raise UserError(f"The network makes pictures of {size_text(*size)} px already.", "another size", "leave --resolution out")
    if shape.channel_factor != own.channel_factor:
        raise UserError(
            f"A network for {size_text(*size)} px begins at {size_text(*shape.init_res)} px, this one at "
            f"{size_text(*own.init_res)}: its layers are those of other resolutions.",
            "a size whose network begins with about as many pixels, such as 3:2 or 2:3 for a square",
            "choose such a size, or train one for that size from the start",
        )
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
            "The fourth channel, alpha, begins opaque: the pictures are the same." if alpha
            else "Alpha is gone: the colours are those that were under it, too."
        )  # fmt: skip
    return notes
