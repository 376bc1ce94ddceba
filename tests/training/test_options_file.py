"""training_options.json of a run is read back; what is not ours or broken is refused with a way out."""

import json

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.training.config import DatasetInfo
from sg2ada_colab.training.options import TrainOptions
from sg2ada_colab.training.options_file import FILE_NAME, options_text, read_config
from sg2ada_colab.training.resolve import resolve
from sg2ada_colab.training.resume_check import check_resume

DATA = DatasetInfo("d/faces", "faces", 64, 3, 0, 500)
CONFIG = resolve(TrainOptions(gamma=1e-05, kimg=3), DATA)


def written(folder, text):
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return str(folder)


def test_a_run_is_read_back(tmp_path):
    run = written(tmp_path, options_text(CONFIG, str(tmp_path), ours=True))
    assert read_config(run) == CONFIG
    assert json.loads((tmp_path / FILE_NAME).read_text())["run_dir"] == run


def test_determinism_is_kept_by_a_resume_and_a_change_of_it_is_told(tmp_path):
    config = resolve(TrainOptions(deterministic=True), DATA)
    run = written(tmp_path, options_text(config, str(tmp_path), ours=True))
    assert json.loads((tmp_path / FILE_NAME).read_text())["sg2ada"]["deterministic"] is True
    saved = read_config(run)
    assert check_resume(saved, resolve(TrainOptions(**saved.options), DATA), run) == []
    (told,) = check_resume(saved, resolve(TrainOptions(**dict(saved.options, deterministic=False)), DATA), run)
    assert str(told) == "deterministic: True before, False now (goes on, but not bit for bit as before)"


@pytest.mark.parametrize(
    "text, what, next_step",
    [
        (None, "cannot be read: No such file", "Name a run's folder"),
        ('{"G_args":', "is damaged: ", "Begin a new run with --resume="),
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
