"""An RGB network's values for an RGBA network, and the reverse: what touches the image gains or loses its fourth channel.

The networks make the same pictures and judge them alike as long as these are opaque.
"""

from typing import Dict, Mapping, Sequence

import numpy as np

from .network_data import NetworkData

Shapes = Mapping[str, Sequence[int]]  # of the variables of the network to be filled, by name

OPAQUE = 1.0  # of alpha, as of colours, the range is [-1, 1]
GAINED, LOST = "copied; alpha begins opaque", "copied without alpha"


def change_of_channels(source: NetworkData, target_shapes: Shapes) -> int:
    """Return 1 where the network of these shapes has alpha and the source has none, -1 for the reverse, 0 for all others.

    Args:
        source: NetworkData to copy from.
        target_shapes: Dict name → shape of every variable of the network to be filled.
    """
    leaf, axis = ("ToRGB/weight", 3) if source.is_generator else ("FromRGB/weight", 2)
    wanted = next((shape[axis] for name, shape in target_shapes.items() if name.endswith(leaf)), 0)
    return {(3, 4): 1, (4, 3): -1}.get((source.num_channels, wanted), 0)


def with_other_channels(source: NetworkData, target_shapes: Shapes) -> Dict[str, np.ndarray]:
    """Return dict name → array of the source's ToRGB and FromRGB layers as a network of these shapes has them; empty where alike.

    ToRGB's weights of alpha are 0 and so are its biases but that of the highest layer, which is 1, so every pixel is opaque. (A
    bias below would be blended with the nothing around the image when it is enlarged.) FromRGB's weights of alpha are 0; the
    others grow by √(4/3), as weights are used over the root of the number of inputs. Where alpha goes, what FromRGB made of
    opaque pixels is added to its bias.

    Args:
        source: NetworkData of G, Gs or D.
        target_shapes: Dict name → shape.
    """
    change = change_of_channels(source, target_shapes)
    values: Dict[str, np.ndarray] = {}
    if not change:
        return values
    ends = ("ToRGB/weight", "FromRGB/weight")
    image_layers = [name for name in source.variables if name.endswith(ends) and name in target_shapes]
    last = max((_block(name) for name in image_layers), default=0)
    for name in image_layers:
        layer, weight = name[: -len("/weight")], source.variables[name]
        bias = source.variables[layer + "/bias"]
        if name.endswith("ToRGB/weight"):
            opaque = np.array([OPAQUE if _block(name) == last else 0], np.float32)
            weight = np.concatenate([weight, np.zeros_like(weight[..., :1])], axis=3) if change > 0 else weight[..., :3]
            bias = np.concatenate([bias, opaque]) if change > 0 else bias[:3]
        elif change > 0:
            weight = np.concatenate([weight * np.float32(np.sqrt(4 / 3)), np.zeros_like(weight[:, :, :1])], axis=2)
        else:
            bias = bias + weight[0, 0, 3] * np.float32(OPAQUE / np.sqrt(4))
            weight = weight[:, :, :3] * np.float32(np.sqrt(3 / 4))
        for leaf, value in (("weight", weight), ("bias", bias)):
            if value.shape == tuple(target_shapes[f"{layer}/{leaf}"]):
                values[f"{layer}/{leaf}"] = np.ascontiguousarray(value, np.float32)
    return values


def _block(name):
    """Return the nominal resolution of a layer such as "synthesis/8x8/ToRGB/weight"."""
    return int(name.split("/")[-3].split("x")[0])
