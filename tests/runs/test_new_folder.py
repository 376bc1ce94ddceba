"""A start that is refused leaves no folder behind; one that has begun keeps all."""

import os

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.runs.new_folder import check_can_be_made, no_folder_if_refused

REFUSED = UserError("no", "yes", "so")


@pytest.mark.parametrize("error", [REFUSED, OSError(28, "No space left on device")])
def test_new_folders_go_here_and_on_drive(tmp_path, error):
    here, drive = tmp_path / "00000-a", tmp_path / "drive" / "00000-a"
    with pytest.raises(type(error)), no_folder_if_refused(here, drive):
        for folder in (here, drive):
            folder.mkdir(parents=True)
            (folder / "log.txt").write_text("begun")
        raise error
    assert not here.exists() and not drive.exists() and drive.parent.exists()


def test_a_folder_that_was_there_stays(tmp_path):
    with pytest.raises(UserError), no_folder_if_refused(tmp_path, None):
        (tmp_path / "log.txt").write_text("x")
        raise REFUSED
    assert (tmp_path / "log.txt").exists()


def test_what_has_begun_stays(tmp_path):
    here = tmp_path / "00000-a"
    with pytest.raises(UserError), no_folder_if_refused(here, tmp_path / "drive") as start:
        here.mkdir()
        start.begun = True
        raise REFUSED
    assert here.exists()


def test_an_interruption_and_a_bug_keep_all(tmp_path):
    for error in (KeyboardInterrupt, ZeroDivisionError):
        here = tmp_path / error.__name__
        with pytest.raises(error), no_folder_if_refused(here):
            here.mkdir()
            raise error
        assert here.exists()


def test_looking_makes_nothing(tmp_path):
    check_can_be_made(str(tmp_path / "runs" / "00000-a"))
    assert os.listdir(str(tmp_path / "runs")) == []
    (tmp_path / "there").mkdir()
    check_can_be_made(str(tmp_path / "there"))
    assert (tmp_path / "there").exists()


def test_names_that_are_too_long_and_places_that_are_none(tmp_path):
    with pytest.raises(UserError, match="its name is too long") as caught:
        check_can_be_made(str(tmp_path / ("0" * 300)))
    assert "--desc" in caught.value.next_step
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made: Not a directory") as caught:
        check_can_be_made(str(tmp_path / "file" / "run"))
    assert caught.value.next_step == "choose another --outdir"
