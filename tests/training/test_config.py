"""What is known of a dataset, and what follows from a config."""

import numpy as np
import pytest

from sg2ada_colab.dataset.records import RecordLayout
from sg2ada_colab.errors import UserError
from sg2ada_colab.networks.variables import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.training.config import DatasetInfo
from sg2ada_colab.training.options import TrainOptions
from sg2ada_colab.training.resolve import resolve


def write_levels(folder, prefix, seed=0, num_images=4, channels=1):
    random = np.random.RandomState(seed)
    folder.mkdir(exist_ok=True)
    for log2 in range(2, 5):
        images = random.randint(0, 256, [num_images, channels, 2**log2, 2**log2]).astype(np.uint8)
        records = RecordLayout(channels, 2**log2, 2**log2).encode(images)
        (folder / "{}-r{:02d}.tfrecords".format(prefix, log2)).write_bytes(records.tobytes())


def test_a_dataset_is_described(tmp_path):
    folder = tmp_path / "faces"
    write_levels(folder, "faces")
    with open(str(folder / "faces-rxx.labels"), "wb") as file:
        np.save(file, np.eye(3, dtype=np.float32)[[0, 1, 2, 0]])
    info = DatasetInfo.open(str(folder))
    assert (info.path, info.name, info.resolution) == (str(folder), "faces", 16)
    assert (info.channels, info.label_size, info.num_images, info.has_validation) == (1, 3, 4, False)


def test_a_validation_set_is_noticed(tmp_path):
    write_levels(tmp_path / "faces", "faces")
    write_levels(tmp_path / "faces", "validation-faces")
    assert DatasetInfo.open(str(tmp_path / "faces")).has_validation


def test_the_digest_follows_the_images_and_not_the_place(tmp_path):
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_levels(tmp_path / folder, folder, seed)
    a, b, c = (DatasetInfo.open(str(tmp_path / folder)).digest for folder in "abc")
    assert a == b != c


def test_no_dataset_is_a_user_error(tmp_path):
    with pytest.raises(UserError):
        DatasetInfo.open(str(tmp_path))


def test_a_config_builds_the_networks_it_describes():
    data = DatasetInfo("d", "d", 32, 1, 7, 9)
    config = resolve(TrainOptions(cfg="cifar", freezed=2), data)
    G = GeneratorConfig.from_kwargs(config.generator_kwargs)
    D = DiscriminatorConfig.from_kwargs(config.discriminator_kwargs)
    assert (G.resolution, G.num_channels, G.label_size, G.fmap_base, G.mapping_layers) == (32, 1, 7, 8192, 2)
    assert (D.architecture, D.mbstd_group_size, D.conv_clamp) == ("orig", 32, 256)
    assert config.style_mixing_prob is None and config.freeze_layers == 2
    assert resolve(TrainOptions(), data).style_mixing_prob == 0.9


def test_shortcuts_agree_with_the_networks_settings():
    config = resolve(TrainOptions(batch=32, batch_gpu=8, map_depth=3), DatasetInfo("d", "d", 128, 3, 5, 9))
    assert (config.resolution, config.channels, config.label_size) == (128, 3, 5)
    assert (config.mapping_layers, config.rounds) == (3, 4)
