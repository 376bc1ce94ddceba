"""Saved options of version 1, which was flat, are read: each setting in its new place, and nothing else."""

import json
from pathlib import Path

import pytest

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.options_file import read_config
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.resume_check import compare
from sg2ada_colab.config.train_config import DatasetInfo, TrainConfig
from sg2ada_colab.config.version1 import CAME_LATER, PLACES
from sg2ada_colab.errors import UserError

DATA = Path(__file__).parent.parent / "data"
# A run that a program of version 1 began, as its training_options.json holds it under "sg2ada".
VERSION_1 = json.loads((DATA / "train_config_v1.json").read_text(encoding="utf-8"))


def without(*names):
    return {name: value for name, value in VERSION_1.items() if name not in names}


def at(saved, place):
    for name in place.split("."):
        saved = saved[name]
    return saved


def test_each_setting_is_found_in_its_new_place():
    saved = TrainConfig.from_dict(VERSION_1).to_dict()
    assert {name: at(saved, PLACES[name]) for name in without("version")} == without("version")
    not_yet = {name: value for name, value in CAME_LATER.items() if name not in VERSION_1}
    assert not_yet and {name: at(saved, PLACES[name]) for name in not_yet} == not_yet
    assert TrainConfig.from_dict(saved).to_dict() == saved and saved["version"] == 2


def test_the_settings_that_came_before_version_2_have_places_and_no_others():
    saved = TrainConfig.from_dict(VERSION_1).to_dict()
    parts = {name: value for name, value in saved.items() if isinstance(value, dict) and name not in ("G", "D", "options")}
    places = {f"{part}.{name}" for part, values in parts.items() for name in values} | set(saved) - set(parts) - {"version"}
    assert set(PLACES.values()) <= places and len(set(PLACES.values())) == len(PLACES)
    assert set(VERSION_1) - {"version"} | set(CAME_LATER) == set(PLACES)


def test_a_missing_field_that_came_later_means_as_before():
    assert TrainConfig.from_dict(without("profile", "notes")) == TrainConfig.from_dict(VERSION_1)


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}])
def test_an_unknown_field_that_sets_nothing_is_taken(value):
    assert TrainConfig.from_dict(dict(VERSION_1, from_later=value)) == TrainConfig.from_dict(VERSION_1)


@pytest.mark.parametrize("value", [True, 3, 0.5, "a", [1], {"a": 1}])
def test_an_unknown_field_that_sets_something_is_refused(value):
    with pytest.raises(UserError) as caught:
        TrainConfig.from_dict(dict(VERSION_1, from_later=value))
    assert f"from_later={value!r} is not known" in caught.value.what
    assert caught.value.next_step.startswith("Go on with the sg2ada that began the run")


@pytest.mark.parametrize("name, value", [("schedule", 3), ("data", {"path": "x"}), ("G", [1])])
def test_a_field_with_the_name_of_a_part_is_no_part(name, value):
    with pytest.raises(UserError, match=f"G is missing, {name} of version 1=.* is not known"):
        TrainConfig.from_dict(dict(without("generator_kwargs"), **{name: value}))
    assert TrainConfig.from_dict(dict(VERSION_1, **{name: None})) == TrainConfig.from_dict(VERSION_1)


@pytest.mark.parametrize("name", sorted(set(PLACES) - set(CAME_LATER)))
def test_a_field_that_every_run_has_must_be_there(name):
    with pytest.raises(UserError, match=f"{PLACES[name]} is missing"):
        TrainConfig.from_dict(without(name))


def test_what_an_old_run_was_begun_with_is_what_its_options_make_now():
    """A run of version 1 goes on without a difference; tests/runs/test_old_run.py looks at its bits."""
    saved = read_config(str(DATA / "run_d2344e7" / "run"))
    data = DatasetInfo("dataset", "dataset", 8, 3, 2, 24, digest=saved.data.digest)
    again = resolve(TrainOptions(**saved.options), data)
    adopted = {"G.latent_size", "G.dlatent_size", "G.mapping_fmaps"}  # of the network that it started from
    assert {difference.setting for difference in compare(saved, again)} == adopted
    assert list(saved.G) == ["num_channels", "resolution", "label_size", "num_fp16_res", "conv_clamp", "fmap_base", "fmap_max",
                             "mapping_layers", "latent_size", "dlatent_size", "mapping_fmaps"]  # fmt: skip
