"""The share of a minibatch that is taken at once follows the card's memory, where nobody has said otherwise."""

import pytest

from sg2ada_colab.config.estimate import estimate, largest_batch_gpu
from sg2ada_colab.config.fit_card import resolve_for_card
from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.errors import UserError

DATA = DatasetInfo("d", "d", 256, 3, 0, 1000)


def config_for(gigabytes, **options):
    return resolve_for_card(TrainOptions(**options), DATA, None, gigabytes and gigabytes * 1e9)


@pytest.mark.parametrize("gigabytes, at_once", [(6, 16), (10, 32), (15, 64)])
def test_the_largest_share_that_fits_is_taken(gigabytes, at_once):
    config = config_for(gigabytes, cfg="paper256")
    assert (config.schedule.minibatch_size, config.schedule.minibatch_gpu, config.options["batch_gpu"]) == (64, at_once, at_once)
    assert at_once == largest_batch_gpu(config, gigabytes * 1e9)
    assert estimate(config).memory_bytes < gigabytes * 1e9
    assert f"this GPU's {gigabytes} GB" in config.notes[-1]


@pytest.mark.parametrize("gigabytes, options", [(None, {}), (5, {"batch_gpu": 8}), (1, {})])
def test_otherwise_nothing_is_chosen(gigabytes, options):
    config, plain = config_for(gigabytes, cfg="paper256", **options), config_for(None, cfg="paper256", **options)
    assert config == plain  # no GPU, a wish, or room for nothing
    assert config_for(80) == config_for(None)  # all at once anyway


@pytest.mark.parametrize("cfg", ["auto", "stylegan2", "paper256", "paper1024", "cifar"])
@pytest.mark.parametrize("more", [{}, {"batch": 24}, {"mbstd_group": 32, "batch": 64}, {"mbstd_group": 2}])
def test_no_choice_is_refused_or_changes_the_statistics_of_a_minibatch(cfg, more):
    for gpus in (1, 2, 4):
        options = TrainOptions(cfg=cfg, gpus=gpus, **more)
        try:
            plain = resolve(options, DATA)
        except UserError:
            continue  # refused as it was given
        for gigabytes in (2, 4, 6, 8, 15, 24, 80):
            config = resolve_for_card(options, DATA, None, gigabytes * 1e9)
            assert config.schedule.minibatch_size % (gpus * config.schedule.minibatch_gpu) == 0
            groups = [min(c.D["mbstd_group_size"], c.schedule.minibatch_gpu) for c in (plain, config)]
            assert groups[0] == groups[1]
