"""The parts of a config: plain data that JSON holds, frozen, and what follows from them alone."""

from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import List, Optional

import pytest

from sg2ada_colab.config import settings
from sg2ada_colab.config.settings import FIXED, FREE, INEXACT, TOLD, ScheduleSettings, fixed_but
from sg2ada_colab.config.train_config import TrainConfig

PARTS = [f.type for f in fields(TrainConfig) if is_dataclass(f.type)]
PLAIN = (str, bool, int, float, dict, List[str])


def test_every_part_is_a_part_of_the_config():
    assert {part.__name__ for part in PARTS} == {name for name in vars(settings) if name.endswith("Settings")}


@pytest.mark.parametrize("part", PARTS + [TrainConfig], ids=lambda part: part.__name__)
def test_settings_are_plain_data_with_a_rule(part):
    for f in fields(part):
        assert f.type in PLAIN + tuple(Optional[kind] for kind in PLAIN) or f.type in PARTS, f.name
        assert f.metadata.get("resume", FIXED) in (FREE, INEXACT, FIXED, TOLD)
    assert fixed_but("a") == {"resume": FIXED, "inexact": ("a",)}


def test_a_minibatch_has_rounds_and_its_settings_stay():
    schedule = ScheduleSettings(1, 32, 8, 100, 4, 10.0, None)
    assert schedule.rounds == 4
    with pytest.raises(FrozenInstanceError):
        schedule.minibatch_gpu = 16
