"""What a run was begun with, where its options cannot be read: its newest training state holds them, too."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.options_file import options_text
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.errors import UserError
from sg2ada_colab.run_files import OPTIONS, state_name
from sg2ada_colab.storage.saved_config import CONFIG_KEY, saved_config
from sg2ada_colab.storage.training_state import save_state

CONFIG = resolve(TrainOptions(outdir="runs", data="d", kimg=7), DatasetInfo("d", "d", 32, 3, 0, 100))


def longer(kimg):
    return replace(CONFIG, schedule=replace(CONFIG.schedule, total_kimg=kimg))


@pytest.fixture
def folders(tmp_path):
    """A run here and on Drive: options in both, and on Drive a state of 4 kimg and one of 8, each with the config of its time."""
    here, drive = tmp_path / "here", tmp_path / "drive"
    for folder in (here, drive):
        folder.mkdir()
        (folder / OPTIONS).write_text(options_text(CONFIG, str(folder), ours=True))
    for kimg in (4, 8):
        meta = {"nimg": kimg * 1000, CONFIG_KEY: longer(10 * kimg).to_dict()}
        save_state(drive / state_name(f"{kimg:06d}"), {"w": np.zeros(3)}, meta)
    return [str(here), str(drive)]


def damage(*paths):
    for path in paths:
        Path(path).write_bytes(Path(path).read_bytes()[: os.path.getsize(path) // 2])


def test_options_that_can_be_read_count_the_nearest_first(folders):
    assert saved_config(folders) == (CONFIG, folders[0], [])
    damage(os.path.join(folders[0], OPTIONS))
    assert saved_config(folders) == (CONFIG, folders[1], [])


@pytest.mark.parametrize("how", [damage, os.remove])
def test_else_those_of_the_newest_state_that_holds_some(folders, how):
    for folder in folders:
        how(os.path.join(folder, OPTIONS))
    newest, older = (os.path.join(folders[1], state_name(name)) for name in ("000008", "000004"))
    config, folder, (sentence,) = saved_config(folders)
    assert (config, folder) == (longer(80), folders[1])
    assert OPTIONS in sentence and sentence.endswith(f"Its settings are those that {newest} holds.")
    damage(newest)
    assert saved_config(folders)[0] == longer(40)
    damage(older)
    with pytest.raises(UserError, match=OPTIONS):
        saved_config(folders)


def test_states_of_older_versions_hold_none_and_wrong_ones_are_not_believed(folders):
    for folder in folders:
        os.remove(os.path.join(folder, OPTIONS))
    newest = os.path.join(folders[1], state_name("000008"))
    save_state(newest, {"w": np.zeros(3)}, {"nimg": 8000})
    assert saved_config(folders)[0] == longer(40)
    wrong = json.loads(json.dumps(longer(80).to_dict()))
    wrong["schedule"]["total_kimg"] = "eighty"
    save_state(newest, {"w": np.zeros(3)}, {"nimg": 8000, CONFIG_KEY: wrong})
    assert saved_config(folders)[0] == longer(40)


def test_a_failing_file_system_is_an_error_and_no_state_is_asked(folders, monkeypatch, no_pauses):
    def fail(path, *shape):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("sg2ada_colab.config.options_file.read_json", fail)
    with pytest.raises(UserError, match="Input/output error"):
        saved_config(folders)
