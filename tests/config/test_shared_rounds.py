"""Rounds that processes share: how many images each then has, and what a run keeps."""

import pytest

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.shared_rounds import share_rounds
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.errors import UserError


def config_of(batch, batch_gpu, group=None):
    return resolve(TrainOptions(batch=batch, batch_gpu=batch_gpu, mbstd_group=group), DatasetInfo("d", "d", 8, 3, 0, 100))


def test_one_process_changes_nothing():
    config = config_of(12, 4)
    assert share_rounds(config, 1) == (config, []) and not config.schedule.shared_rounds


@pytest.mark.parametrize(
    "batch, batch_gpu, group, count, at_once",
    [
        (12, 4, None, 3, 4),
        (12, 2, None, 3, 2),
        (12, 4, None, 2, 3),
        (32, 32, 4, 2, 16),
        (24, 8, 4, 2, 4),
        (24, 6, 6, 4, 6),
        (8, 8, 4, 8, 1),
    ],
)
def test_where_the_rounds_cannot_be_divided_a_round_is_smaller(batch, batch_gpu, group, count, at_once):
    config, sentences = share_rounds(config_of(batch, batch_gpu, group), count)
    schedule, group = config.schedule, config.D["mbstd_group_size"]
    assert schedule.shared_rounds and schedule.minibatch_gpu == at_once and schedule.rounds % count == 0
    assert schedule.minibatch_size == batch and at_once % min(group, at_once) == 0
    if at_once == batch_gpu:
        assert sentences == []
    else:
        assert f"{count} GPUs cannot share" in sentences[0] and f"each takes {at_once} images at once" in sentences[0]
    assert share_rounds(config, 1) == (config, []) and share_rounds(config, count) == (config, [])


def test_a_minibatch_that_cannot_be_divided_is_refused():
    with pytest.raises(UserError, match="32 images cannot be divided among 3 GPUs") as info:
        share_rounds(config_of(32, 8), 3)
    assert "Use 2 GPUs" in info.value.next_step
