"""training_options.json of a run is read back; what is not ours or broken is refused with a way out."""

import json
from pathlib import Path

import pytest

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.options_file import new_run_id, options_text, read_config, read_first_config, read_run_id
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.resume_check import check_resume
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.errors import UserError
from sg2ada_colab.run_files import OPTIONS

DATA = DatasetInfo("d/faces", "faces", 64, 3, 0, 500)
CONFIG = resolve(TrainOptions(gamma=1e-05, kimg=3), DATA)


def written(folder, text):
    (folder / OPTIONS).write_text(text, encoding="utf-8")
    return str(folder)


def test_a_run_is_read_back(tmp_path):
    run = written(tmp_path, options_text(CONFIG, str(tmp_path), ours=True))
    assert read_config(run) == CONFIG
    assert json.loads((tmp_path / OPTIONS).read_text())["run_dir"] == run


def test_determinism_is_kept_by_a_resume_and_a_change_of_it_is_told(tmp_path):
    config = resolve(TrainOptions(deterministic=True), DATA)
    run = written(tmp_path, options_text(config, str(tmp_path), ours=True))
    assert json.loads((tmp_path / OPTIONS).read_text())["sg2ada"]["engine"]["deterministic"] is True
    saved = read_config(run)
    assert check_resume(saved, resolve(TrainOptions(**saved.options), DATA), run) == []
    (told,) = check_resume(saved, resolve(TrainOptions(**dict(saved.options, deterministic=False)), DATA), run)
    assert str(told) == "engine.deterministic: True before, False now (goes on, but not bit for bit as before)"


@pytest.mark.parametrize(
    "text, what, next_step",
    [
        (None, "cannot be read: No such file", "Name a run's folder"),
        ('{"G_args":', "is damaged (", "Begin a new run with --resume="),
        ("[" * 100_000, "is damaged (its brackets nest 100000 deep", "Begin a new run with --resume="),
        ('{"sg2ada": 3}', "was not made by sg2ada", "sg2ada train --resume="),
        ("[]", "was not made by sg2ada", "sg2ada train --resume="),
        (options_text(CONFIG, "r"), "was not made by sg2ada", "sg2ada train --resume="),
    ],
)
def test_other_files_are_refused(tmp_path, text, what, next_step):
    if text is not None:
        written(tmp_path, text)
    with pytest.raises(UserError) as caught:
        read_config(str(tmp_path))
    assert what in caught.value.what and next_step in caught.value.next_step


@pytest.mark.parametrize("change, named", [({"version": 99}, "version 99"), ({"new_setting": 1}, "new_setting")])
def test_settings_of_another_version_are_refused(tmp_path, change, named):
    options = json.loads(options_text(CONFIG, "r", ours=True))
    options["sg2ada"].update(change)
    with pytest.raises(UserError) as caught:
        read_config(written(tmp_path, json.dumps(options)))
    assert named in caught.value.what


def test_a_missing_setting_is_named(tmp_path):
    options = json.loads(options_text(CONFIG, "r", ours=True))
    del options["sg2ada"]["seed"]
    with pytest.raises(UserError, match="seed"):
        read_config(written(tmp_path, json.dumps(options)))


@pytest.mark.parametrize(
    "place, value",
    [("seed", "7"), ("metrics", "fid"), ("metrics.names", [7]), ("options", []), ("data.mirror_x", 2.5), ("G", 3), ("data", [])],
)
def test_a_setting_of_another_type_is_named(tmp_path, place, value):
    options = json.loads(options_text(CONFIG, "r", ours=True))
    *parts, name = place.split(".")
    (options["sg2ada"][parts[0]] if parts else options["sg2ada"])[name] = value
    with pytest.raises(UserError, match=r"is damaged \(sg2ada\." + place):
        read_config(written(tmp_path, json.dumps(options)))


@pytest.mark.parametrize("name, place, value", [("mirror_x", "data.mirror_x", 2.5), ("metrics", "metrics.names", "fid")])
def test_a_setting_of_another_type_is_named_in_options_of_version_1(tmp_path, name, place, value):
    old = json.loads((Path(__file__).parents[1] / "data" / "train_config_v1.json").read_text(encoding="utf-8"))
    with pytest.raises(UserError, match=r"is damaged \(sg2ada\." + place):
        read_config(written(tmp_path, json.dumps({"sg2ada": dict(old, **{name: value})})))


def test_the_identity_of_a_run_comes_back(tmp_path):
    run_id = new_run_id()
    run = written(tmp_path, options_text(CONFIG, "r", ours=True, run_id=run_id))
    assert len(run_id) == 32 and read_run_id(run) == run_id and read_config(run) == CONFIG
    written(tmp_path, options_text(CONFIG, "r", ours=True))
    assert read_run_id(run) is None
    for damaged in ("../x", 7, run_id.upper() + "\n", None):
        written(tmp_path, json.dumps({"sg2ada_run_id": damaged}))
        assert read_run_id(run) is None
    assert read_run_id(tmp_path / "absent") is None


def test_damaged_options_in_one_place_are_read_in_the_other(tmp_path):
    near, far = tmp_path / "near", tmp_path / "far"
    for place, text in ((near, "["), (far, options_text(CONFIG, "r", ours=True))):
        place.mkdir()
        written(place, text)
    assert read_first_config([near, far]) == (CONFIG, str(far)) == read_first_config([tmp_path / "absent", far])
    written(far, "{}")
    with pytest.raises(UserError, match=f"{near}.* is damaged"):
        read_first_config([near, far])
    with pytest.raises(UserError, match="cannot be read"):
        read_first_config([tmp_path / "absent"])
