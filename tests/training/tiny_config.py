"""The config of tiny networks, for tests that need no dataset."""

from dataclasses import replace

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo


def config_of(G, D, minibatch=8, minibatch_gpu=None, **parts):
    """Return the TrainConfig that trains a GeneratorConfig against a DiscriminatorConfig, without XLA and augmentation.

    Args:
        minibatch, minibatch_gpu: Images of a minibatch, and of them at once (default: all).
        parts: Other values for settings of its parts, such as optimizer={"beta1": 0.5}; or for `seed`.
    """
    options = TrainOptions(batch=minibatch, batch_gpu=minibatch_gpu or minibatch, mbstd_group=1, no_xla=True, aug="noaug")
    config = resolve(options, DatasetInfo("d", "d", G.resolution, G.num_channels, G.label_size, 10, init_res=G.init_res))
    config = replace(config, G=G.to_kwargs(), D=D.to_kwargs())
    return replace(config, **{name: changed(getattr(config, name), value) for name, value in parts.items()})


def changed(part, value):
    return replace(part, **value) if isinstance(value, dict) else value
