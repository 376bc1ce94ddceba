"""What is known of a dataset, and what follows from a config."""

import json

import numpy as np
import pytest

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo, TrainConfig
from sg2ada_colab.dataset.records import RecordLayout
from sg2ada_colab.errors import UserError
from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig


def write_levels(folder, prefix, seed=0, num_images=4, channels=1):
    random = np.random.RandomState(seed)
    folder.mkdir(exist_ok=True)
    for log2 in range(2, 5):
        images = random.randint(0, 256, [num_images, channels, 2**log2, 2**log2]).astype(np.uint8)
        records = RecordLayout(channels, 2**log2, 2**log2).encode(images)
        (folder / f"{prefix}-r{log2:02d}.tfrecords").write_bytes(records.tobytes())


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
    G = GeneratorConfig.from_kwargs(config.G)
    D = DiscriminatorConfig.from_kwargs(config.D)
    assert (G.resolution, G.num_channels, G.label_size, G.fmap_base, G.mapping_layers) == (32, 1, 7, 8192, 2)
    assert (D.architecture, D.mbstd_group_size, D.conv_clamp) == ("orig", 32, 256)
    assert config.style_mixing_prob is None and config.optimizer.freeze_layers == 2
    assert resolve(TrainOptions(), data).style_mixing_prob == 0.9


def test_shortcuts_agree_with_the_networks_settings():
    config = resolve(TrainOptions(batch=32, batch_gpu=8, map_depth=3), DatasetInfo("d", "d", 128, 3, 5, 9))
    assert (config.resolution, config.channels, config.label_size) == (128, 3, 5)
    assert (config.mapping_layers, config.schedule.rounds) == (3, 4)


CONFIG = resolve(TrainOptions(cmethod="bcr", aug="noaug"), DatasetInfo("d", "d", 32, 3, 0, 9))


def test_a_config_comes_back_from_its_dictionary_and_its_text():
    assert TrainConfig.from_dict(CONFIG.to_dict()) == CONFIG == TrainConfig.from_json(CONFIG.to_json())
    assert CONFIG.to_dict()["version"] == 2 and json.loads(CONFIG.to_json()) == CONFIG.to_dict()


def test_settings_stand_by_their_places():
    settings = CONFIG.settings()
    assert (settings["seed"], settings["schedule.total_kimg"], settings["D.fmap_max"]) == (1000, 25000, 512)
    assert settings["losses.method_kwargs.bcr_real_weight"] == 10 and settings["augment.pipe"] is None


def changed(place, value):
    """Return a saved config with another value at a place, such as "engine.from_later"."""
    saved = CONFIG.to_dict()
    *parts, name = place.split(".")
    (saved[parts[0]] if parts else saved)[name] = value
    return saved


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, {"new": False, "newer": {}}])
@pytest.mark.parametrize("place", ["from_later", "engine.from_later"])
def test_an_unknown_setting_that_sets_nothing_is_taken(place, value):
    assert TrainConfig.from_dict(changed(place, value)) == CONFIG


@pytest.mark.parametrize("value", [True, 3, 0.5, "a", [1], {"a": 1}])
@pytest.mark.parametrize("place", ["from_later", "engine.from_later"])
def test_an_unknown_setting_that_sets_something_is_refused(place, value):
    with pytest.raises(UserError) as caught:
        TrainConfig.from_dict(changed(place, value))
    assert f" {place}={value!r} is not known" in caught.value.what
    assert caught.value.next_step.startswith("Go on with the sg2ada that began the run")


@pytest.mark.parametrize("place", ["seed", "G", "engine", "engine.xla", "data.digest"])
def test_a_setting_that_every_version_has_must_be_there(place):
    saved = CONFIG.to_dict()
    *parts, name = place.split(".")
    del (saved[parts[0]] if parts else saved)[name]
    with pytest.raises(UserError, match=rf" {place}(\.precision)? is missing"):
        TrainConfig.from_dict(saved)


@pytest.mark.parametrize("part", [None, 3, [], "x"])
def test_a_part_that_is_none_is_missing(part):
    with pytest.raises(UserError, match=r"schedule.num_gpus is missing, .*schedule.ema_rampup is missing"):
        TrainConfig.from_dict(changed("schedule", part))


@pytest.mark.parametrize("version", [0, 3, 99, None, "2"])
def test_another_version_is_refused(version):
    with pytest.raises(UserError, match=f"not those of this sg2ada: version {version}"):
        TrainConfig.from_dict(changed("version", version))
