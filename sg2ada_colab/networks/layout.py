"""The layers of G and D, one after another: what each is called, how large its output is, how many channels it takes and gives.

The names and the order are those of the TensorFlow pickle, and also the order in which the networks compute (StyleGAN2 figure 7).
Everything that needs to know the shape of a layer asks here: variables, forward passes, estimates, tables, exports. The
sources that pickles carry (formats/tf1_networks.pysrc, torch_networks.pysrc) cannot, as they run without this program.
"""

from typing import List, NamedTuple, Optional, Union

from .config import DiscriminatorConfig, GeneratorConfig


class Layer(NamedTuple):
    """One layer.

    Kinds: "const" (what synthesis begins with), "conv", "up" and "down" (3x3 convolutions that keep, double and halve the size),
    "skip" (1x1 without bias, of a resnet, which doubles in G and halves in D), "to_rgb", "from_rgb" and "dense".
    """

    name: str  # of the variables without the last part, such as "synthesis/8x8/Conv0_up"
    kind: str
    height: int  # of the output, px; 1 for dense layers
    width: int
    inputs: int  # channels, or numbers of a dense layer
    outputs: int
    kernel: int = 1  # side of the convolution, px
    block: int = 4  # nominal resolution of the block that it belongs to, a power of two; decides about float16
    style: Optional[int] = None  # number of the w that modulates it
    noise: Optional[int] = None  # number of the noise image that is added to it
    lrmul: float = 1.0  # learning-rate multiplier
    trainable: bool = True


def layers_of(config: Union[GeneratorConfig, DiscriminatorConfig], freeze_layers: int = 0) -> List[Layer]:
    """Return all layers of a network in the pickle's order."""
    if isinstance(config, GeneratorConfig):
        return synthesis_layers(config) + mapping_layers(config)
    return discriminator_layers(config, freeze_layers)


def mapping_layers(config: GeneratorConfig) -> List[Layer]:
    """Return the layers of the mapping network (StyleGAN section 2); the embedded labels are put beside z."""
    layers, size = [], config.latent_size
    if config.label_size:
        label_size = config.label_fmaps or config.latent_size
        layers.append(Layer("mapping/LabelEmbed", "dense", 1, 1, config.label_size, label_size))
        size += label_size
    for index in range(config.mapping_layers):
        last = index == config.mapping_layers - 1
        outputs = config.dlatent_size if last else config.mapping_fmaps or config.dlatent_size
        layers.append(Layer(f"mapping/Dense{index}", "dense", 1, 1, size, outputs, lrmul=config.mapping_lrmul))
        size = outputs
    return layers


def synthesis_layers(config: GeneratorConfig) -> List[Layer]:
    """Return the layers of the synthesis network. ToRGB shares its w with the first convolution of the next block."""
    layers = []
    for block in config.blocks():
        name, size, here = f"synthesis/{block}x{block}/", config.block_size(block), config.channels(block)
        style = max(2 * block.bit_length() - 7, 0)  # 0 at 4x4, then 1, 3, 5, ...
        if block == 4:
            layers.append(Layer(name + "Const", "const", *size, 0, here))
            layers.append(Layer(name + "Conv", "conv", *size, here, here, 3, block, 0, 0))
        else:
            below = config.channels(block // 2)
            layers.append(Layer(name + "Conv0_up", "up", *size, below, here, 3, block, style, style))
            layers.append(Layer(name + "Conv1", "conv", *size, here, here, 3, block, style + 1, style + 1))
            if config.architecture == "resnet":
                layers.append(Layer(name + "Skip", "skip", *size, below, here, 1, block))
        if config.architecture == "skip" or block == config.resolution:
            to_rgb = style + 2 if block > 4 else 1
            layers.append(Layer(name + "ToRGB", "to_rgb", *size, here, config.num_channels, 1, block, to_rgb))
    return layers


def discriminator_layers(config: DiscriminatorConfig, freeze_layers: int = 0) -> List[Layer]:
    """Return the layers of D: those of the labels, which come first in the pickle, and those of `image_layers`."""
    width, layers = config.label_width, []
    if config.label_size:
        layers.append(Layer("LabelEmbed", "dense", 1, 1, config.label_size, width))
        for index in range(config.mapping_layers):
            layers.append(Layer(f"Mapping{index}", "dense", 1, 1, width, width, lrmul=config.mapping_lrmul))
    return layers + image_layers(config, freeze_layers)


def image_layers(config: DiscriminatorConfig, freeze_layers: int = 0) -> List[Layer]:
    """Return the layers of D from the image to the score.

    Args:
        config: DiscriminatorConfig.
        freeze_layers: Freeze-D: that many layers, counted from the image side (FromRGB, Conv0, Conv1_down, Skip, …,
            4x4 Conv, Dense0), are not trained. Output and label layers always are.
    """
    layers = []
    for block in reversed(config.blocks()):
        name, size, here = f"{block}x{block}/", config.block_size(block), config.channels(block)
        if config.architecture == "skip" or block == config.resolution:
            layers.append(Layer(name + "FromRGB", "from_rgb", *size, config.num_channels, here, 1, block))
        if block == 4:
            inputs, pixels = here + config.mbstd_num_features, size[0] * size[1]
            layers.append(Layer(name + "Conv", "conv", *size, inputs, here, 3, block))
            layers.append(Layer(name + "Dense0", "dense", 1, 1, pixels * here, config.nf(0)))
        else:
            half, below = config.block_size(block // 2), config.channels(block // 2)
            layers.append(Layer(name + "Conv0", "conv", *size, here, here, 3, block))
            layers.append(Layer(name + "Conv1_down", "down", *half, here, below, 3, block))
            if config.architecture == "resnet":
                layers.append(Layer(name + "Skip", "skip", *half, here, below, 1, block))
    layers = [layer._replace(trainable=index >= freeze_layers) for index, layer in enumerate(layers)]
    scores = config.label_width if config.label_size else config.score_max
    return layers + [Layer("Output", "dense", 1, 1, config.nf(0), scores)]
