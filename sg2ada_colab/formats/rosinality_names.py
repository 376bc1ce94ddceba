"""Names and layouts of rosinality's stylegan2-pytorch beside those of TensorFlow."""

from typing import Dict, List, Tuple, Union

import numpy as np

from ..networks.config import DiscriminatorConfig, GeneratorConfig

# How a variable of ours becomes a tensor of theirs, and back.
KINDS = {
    "same": (lambda a: a, lambda a: a),
    "dense": (lambda a: a.T, lambda a: a.T),
    "style bias": (lambda a: a + np.float32(1), lambda a: a - np.float32(1)),  # the 1 that styles are centred on
    "scalar": (lambda a: a.reshape(1), lambda a: a.reshape(())),
    "colours": (lambda a: a.reshape(1, -1, 1, 1), lambda a: a.reshape(-1)),
    "kernel": (lambda a: a.transpose(3, 2, 0, 1)[None], lambda a: a[0].transpose(2, 3, 1, 0)),  # kkIO, 1OIkk
    "flipped": (lambda a: a[::-1, ::-1].transpose(3, 2, 0, 1)[None], lambda a: a[0].transpose(2, 3, 1, 0)[::-1, ::-1]),
    "filter": (lambda a: a.transpose(3, 2, 0, 1), lambda a: a.transpose(2, 3, 1, 0)),  # kkIO, OIkk
}


def generator_rows(config: GeneratorConfig) -> List[Tuple[str, str, str]]:
    """Return (name of ours, name of theirs, kind) of every variable of a generator but the average of w."""
    rows = []
    for layer in range(config.mapping_layers):
        rows.append((f"mapping/Dense{layer}/weight", f"style.{layer + 1}.weight", "dense"))
        rows.append((f"mapping/Dense{layer}/bias", f"style.{layer + 1}.bias", "same"))
    rows.append(("synthesis/4x4/Const/const", "input.input", "same"))
    rows += _styled("synthesis/4x4/Conv", "conv1", "kernel") + _to_rgb("synthesis/4x4/ToRGB", "to_rgb1")
    for log2 in range(3, config.resolution_log2 + 1):
        block, k = "synthesis/{0}x{0}/".format(2**log2), log2 - 3
        rows += _styled(block + "Conv0_up", f"convs.{2 * k}", "flipped")
        rows += _styled(block + "Conv1", f"convs.{2 * k + 1}", "kernel") + _to_rgb(block + "ToRGB", f"to_rgbs.{k}")
    return rows + [(f"synthesis/noise{i}", f"noises.noise_{i}", "same") for i in range(config.num_layers - 1)]


def _modulated(ours, theirs, kind):
    return [(ours + "/weight", theirs + ".conv.weight", kind),
            (ours + "/mod_weight", theirs + ".conv.modulation.weight", "dense"),
            (ours + "/mod_bias", theirs + ".conv.modulation.bias", "style bias")]  # fmt: skip


def _styled(ours, theirs, kind):
    return _modulated(ours, theirs, kind) + [
        (ours + "/noise_strength", theirs + ".noise.weight", "scalar"),
        (ours + "/bias", theirs + ".activate.bias", "same"),
    ]


def _to_rgb(ours, theirs):
    return _modulated(ours, theirs, "kernel") + [(ours + "/bias", theirs + ".bias", "colours")]


def discriminator_rows(config: DiscriminatorConfig) -> List[Tuple[str, str, str]]:
    """Return the rows of a discriminator, see `generator_rows`."""
    size = f"{config.resolution}x{config.resolution}/"
    rows = [(size + "FromRGB/weight", "convs.0.0.weight", "filter"), (size + "FromRGB/bias", "convs.0.1.bias", "same")]
    for log2 in range(config.resolution_log2, 2, -1):
        block, j = "{0}x{0}/".format(2**log2), config.resolution_log2 - log2 + 1
        rows += [
            (block + "Conv0/weight", f"convs.{j}.conv1.0.weight", "filter"),
            (block + "Conv0/bias", f"convs.{j}.conv1.1.bias", "same"),
            (block + "Conv1_down/weight", f"convs.{j}.conv2.1.weight", "filter"),
            (block + "Conv1_down/bias", f"convs.{j}.conv2.2.bias", "same"),
            (block + "Skip/weight", f"convs.{j}.skip.1.weight", "filter"),
        ]
    return rows + [
        ("4x4/Conv/weight", "final_conv.0.weight", "filter"),
        ("4x4/Conv/bias", "final_conv.1.bias", "same"),
        ("4x4/Dense0/weight", "final_linear.0.weight", "dense"),
        ("4x4/Dense0/bias", "final_linear.0.bias", "same"),
        ("Output/weight", "final_linear.1.weight", "dense"),
        ("Output/bias", "final_linear.1.bias", "same"),
    ]


def filters(config: Union[GeneratorConfig, DiscriminatorConfig], of_generator: bool) -> Dict[str, np.ndarray]:
    """Return {name: [4,4]} of the filters that their program keeps beside the weights and wants to find."""
    kernel = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64
    found = {}
    for step in range(config.resolution_log2 - 2):
        if of_generator:
            found[f"convs.{2 * step}.conv.blur.kernel"] = found[f"to_rgbs.{step}.upsample.kernel"] = kernel * 4
        else:
            found[f"convs.{step + 1}.conv2.0.kernel"] = found[f"convs.{step + 1}.skip.0.kernel"] = kernel
    return found
