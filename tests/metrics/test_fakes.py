"""Fakes by number: the same whatever the batch, with labels, and never silently broken."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_data import NetworkData
from sg2ada_colab.metrics import fakes as module
from sg2ada_colab.metrics.fakes import SnapshotFakes
from sg2ada_colab.metrics.grouped import GROUP_SIZE, LARGE_GROUP_SIZE, group_size
from sg2ada_colab.metrics.labels import checked_labels
from sg2ada_colab.networks.config import GeneratorConfig
from sg2ada_colab.networks.variables import generator_specs, initial_values
from tests.oracles.forms import FORMS, picture_shape


def tiny_generator(**changes):
    settings = {"resolution": 8, "latent_size": 16, "dlatent_size": 16, "mapping_layers": 2, "fmap_base": 64, "fmap_max": 16}
    config = GeneratorConfig.from_kwargs(dict(settings, **changes))
    return NetworkData("Gs", config.to_kwargs(), initial_values(generator_specs(config), 1, "G"))


@pytest.fixture(scope="module")
def fakes():
    return SnapshotFakes(tiny_generator(), xla=False)


def test_a_number_names_one_image_whatever_was_asked_before(fakes):
    whole = fakes(70, 0)
    assert whole.shape == (70, 8, 8, 3) and whole.dtype == np.uint8
    np.testing.assert_array_equal(fakes(1, 33)[0], whole[33])
    np.testing.assert_array_equal(fakes(40, 25), whole[25:65])
    np.testing.assert_array_equal(SnapshotFakes(tiny_generator(), xla=False)(5, 60), whole[60:65])
    assert len(np.unique(whole.reshape(70, -1), axis=0)) == 70


def test_another_seed_gives_other_fakes(fakes):
    other = SnapshotFakes(tiny_generator(), seed=1, xla=False)
    assert not np.array_equal(other(4, 0), fakes(4, 0)) and other.source != fakes.source


def test_labels_are_drawn_from_the_datasets(fakes):
    labels = np.eye(3, dtype=np.float32)[[0, 0, 0, 2]]
    conditional = SnapshotFakes(tiny_generator(label_size=3), labels, xla=False)
    drawn = np.concatenate([conditional.latents(number)[1] for number in range(20)])
    assert 0.65 < drawn[:, 0].mean() < 0.85 and drawn[:, 1].sum() == 0 and conditional(3, 0).shape == (3, 8, 8, 3)
    assert checked_labels(None, 3).tolist() == np.eye(3).tolist()
    assert checked_labels(labels, 0).shape == (1, 0), "an unconditional network takes no labels"
    with pytest.raises(UserError, match="labels of 3 numbers, the dataset has labels of 5"):
        checked_labels(np.zeros([4, 5]), 3)


def test_a_generator_that_gives_nan_is_reported():
    broken = tiny_generator()
    broken.variables["synthesis/4x4/Const/const"][...] = np.nan
    with pytest.raises(UserError, match="not finite"):
        SnapshotFakes(broken, xla=False)(1, 0)


@pytest.mark.parametrize("form", ["tall", "wide rgba"])
def test_fakes_have_the_form_of_the_network(form):
    assert SnapshotFakes(tiny_generator(**FORMS[form]), xla=False)(2, 0).shape == (2, *picture_shape(form, 8))


def test_grey_networks_make_grey_images():
    assert SnapshotFakes(tiny_generator(num_channels=1), xla=False)(2, 0).shape == (2, 8, 8, 1)


def test_large_images_come_in_small_groups():
    assert group_size(256) == GROUP_SIZE and group_size(1024) == LARGE_GROUP_SIZE
    assert GROUP_SIZE % LARGE_GROUP_SIZE == 0


def test_fakes_of_another_snapshot_compile_nothing_and_leave_the_first_as_they_are(monkeypatch):
    traced, original = [], module.synthesize
    monkeypatch.setattr(module, "synthesize", lambda *inputs: traced.append(1) or original(*inputs))
    networks = [tiny_generator(fmap_max=15) for _ in range(2)]  # of no other test, so that it is not compiled yet
    networks[1].variables["synthesis/4x4/Const/const"] = -networks[1].variables["synthesis/4x4/Const/const"]
    fakes = [SnapshotFakes(network, xla=False) for network in networks]
    before = fakes[0](3, 0)
    assert len(traced) == 1 and (fakes[1](3, 0) != before).any()
    assert len(traced) == 1, "the second snapshot was traced again"
    np.testing.assert_array_equal(fakes[0](3, 0), before)
    fakes[1].load(networks[0])
    np.testing.assert_array_equal(fakes[1](3, 0), before)
