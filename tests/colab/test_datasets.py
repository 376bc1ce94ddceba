"""A dataset of a workspace: made once, made anew when something else is asked, and what was there before is kept."""

import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from some_images import save_images

import sg2ada_colab as sg2
from sg2ada_colab.colab import datasets, session
from sg2ada_colab.colab.find_images import DEMO
from sg2ada_colab.dataset import open_dataset
from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.workspace import open_workspace


def names():
    return sorted(os.listdir(session.workspace().datasets))


def images_in(name):
    return open_dataset(os.path.join(session.workspace().datasets, name)).num_images


def test_preparing_twice_makes_it_once_and_remembers_it(home, capsys):
    path = sg2.prepare_dataset(str(home / "images"), "colours", 8, workers=1)
    made = os.stat(os.path.join(path, "manifest.json")).st_mtime_ns
    assert sg2.prepare_dataset(str(home / "images"), "colours", 8, workers=2) == path
    assert os.stat(os.path.join(path, "manifest.json")).st_mtime_ns == made and names() == ["colours"]
    assert "colours is there already: 24 images of 8 px." in capsys.readouterr().out
    assert open_workspace(str(home)).choices == {"dataset": "colours"}


def test_a_dataset_whose_images_are_gone_is_taken_and_other_images_that_are_not_there_are_refused(home, capsys):
    path = sg2.prepare_dataset(str(home / "images"), "colours", 8, workers=1)
    shutil.rmtree(str(home / "images"))
    assert sg2.prepare_dataset(str(home / "images"), "colours", 8) == path
    assert "is not there any more" in capsys.readouterr().out
    with pytest.raises(UserError, match="nowhere does not exist"):
        sg2.prepare_dataset(str(home / "nowhere"), "colours", 8)
    assert names() == ["colours"]


def test_the_name_follows_the_source_and_the_demo_is_called_flags(home):
    assert os.path.basename(sg2.prepare_dataset(str(home / "images"), resolution=8, workers=1)) == "images"
    assert datasets.name_of("/content/drive/MyDrive/My photos (2).zip") == "My-photos-2"
    assert datasets.name_of("~/sets/faces.tar.gz") == "faces" and datasets.name_of("/a/.zip") == "images"
    assert datasets.name_of(DEMO) == "flags"


def test_ones_own_images_after_the_demo_are_what_the_notebooks_work_on(home, capsys):
    sg2.prepare_dataset("", "", 32, max_images=8)
    assert session.workspace().choices == {"dataset": "flags"}
    sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)
    assert session.workspace().choices == {"dataset": "images"} and names() == ["flags", "images"]
    capsys.readouterr()
    sg2.prepare_dataset(DEMO, "", 32, max_images=8)  # chosen in the list
    assert session.workspace().choices == {"dataset": "images"}
    said = capsys.readouterr().out
    assert "flags is there already: 8 images" in said and "The other notebooks still work on images." in said
    sg2.prepare_dataset("", "", 8, workers=1)  # the notebook opened again, its fields empty
    assert "images is there already: 24 images" in capsys.readouterr().out


def test_only_the_demos_flags_would_displace_ones_own_images(home):
    flags = sg2.prepare_dataset("", "", 32, max_images=8)
    assert not datasets.displaces_own(session.workspace(), flags), "there is nothing of one's own yet"
    own = sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)
    assert datasets.displaces_own(session.workspace(), flags) and not datasets.displaces_own(session.workspace(), own)
    (Path(own).parent / "of-another-program").mkdir()
    assert not datasets.displaces_own(session.workspace(), Path(own).parent / "of-another-program")


def test_other_images_under_one_name_are_said_and_made_anew_and_the_old_set_is_kept(home, capsys):
    sg2.prepare_dataset("", "mine", 32, max_images=8)
    save_images(home / "photos", 5, seed=8)
    sg2.prepare_dataset(str(home / "photos"), "mine", 8, workers=1)
    said = capsys.readouterr().out
    assert "mine is made anew, because it was made from something else. The old one is kept as mine-old." in said
    assert f"images: {DEMO} before, {home / 'photos'} now" in said and "resolution: 32 px before, 8 px now" in said
    assert (images_in("mine"), images_in("mine-old")) == (5, 8) and names() == ["mine", "mine-old"]
    sg2.prepare_dataset(str(home / "images"), "mine", 8, workers=1)
    assert (images_in("mine"), images_in("mine-old"), images_in("mine-old-2")) == (24, 8, 5)


def test_a_set_that_has_grown_is_made_anew(home, capsys):
    sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)
    save_images(home / "images", 30)
    sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)
    assert f"images: 24 from {home / 'images'} before, 30 files there now" in capsys.readouterr().out
    assert (images_in("images"), images_in("images-old")) == (30, 24)


@pytest.mark.parametrize(
    "asked, words",
    [
        ({"resolution": 4}, "resolution: 8 px before, 4 px now"),
        ({"resolution": "12x8", "upscale": True}, "resolution: 8 px before, 12x8 px now"),
        ({"alpha": "keep"}, "alpha: flatten before, keep now"),
        ({"fit": "pad"}, "fit: crop before, pad now"),
        ({"upscale": True}, "upscale: no before, yes now"),
        ({"drop_duplicates": "exact"}, "drop_duplicates: none before, exact now"),
        ({"background": (0, 0, 0)}, "background: [255, 255, 255] before, [0, 0, 0] now"),
        ({"full_only": True}, "full_only: no before, yes now"),
    ],
)
def test_each_changed_setting_is_named(home, capsys, asked, words):
    sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)
    sg2.prepare_dataset(str(home / "images"), "", **dict({"resolution": 8, "workers": 1}, **asked))
    assert words in capsys.readouterr().out and names() == ["images", "images-old"]


def test_a_conversion_that_fails_leaves_the_old_set_where_it_is(home, monkeypatch):
    sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)

    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "prepare", fail)
    with pytest.raises(KeyboardInterrupt):
        sg2.prepare_dataset(str(home / "images"), "", 4, workers=1)
    assert "images" in names() and "images-old" not in names()
    assert open_dataset(os.path.join(session.workspace().datasets, "images")).resolution == 8


def test_preview_before_preparing_writes_nothing(home, capsys):
    before = sorted(str(path) for path in home.rglob("*"))
    report = sg2.preview_dataset(str(home / "images"), 8)
    assert report.good == 24 and "24 image files" in capsys.readouterr().out
    assert sorted(str(path) for path in home.rglob("*")) == before


@pytest.mark.parametrize("name", ["a/b", ".hidden"])
def test_a_name_that_cannot_be_a_folder_is_refused(home, name):
    with pytest.raises(UserError, match="cannot be the name"):
        sg2.prepare_dataset(str(home / "images"), name)


def test_in_colab_a_dataset_reaches_drive_whole_or_not_at_all(colab_home, monkeypatch):
    def cut_off(path, folder):
        Path(folder, "images").mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(datasets, "local_copy", cut_off)
        with pytest.raises(KeyboardInterrupt):
            sg2.prepare_dataset(str(colab_home / "images"), "", 8, workers=1)
    on_drive = Path(session.workspace().datasets)
    assert not (on_drive / "images").exists()
    monkeypatch.setattr(datasets, "prepare", None)  # what was made is taken; the images are not read again
    path = sg2.prepare_dataset(str(colab_home / "images"), "", 8)
    assert path == str(on_drive / "images") and (on_drive / "images" / "manifest.json").is_file()
    assert [one.name for one in on_drive.iterdir()] == ["images"]
    assert (colab_home / "sg2ada" / "datasets" / "images" / "manifest.json").is_file(), "training reads it from this machine"


def test_in_colab_another_set_under_one_name_replaces_the_one_on_the_machine_too(colab_home):
    sg2.prepare_dataset(str(colab_home / "images"), "mine", 8, workers=1)
    save_images(colab_home / "photos", 5, seed=8)
    with zipfile.ZipFile(str(colab_home / "photos.zip"), "w") as archive:
        for path in (colab_home / "photos").iterdir():
            archive.write(str(path), path.name)
    sg2.prepare_dataset(str(colab_home / "photos.zip"), "mine", 8, workers=1)
    assert (images_in("mine"), images_in("mine-old")) == (5, 24)
    assert open_dataset(str(colab_home / "sg2ada" / "datasets" / "mine")).num_images == 5


def test_fields_of_a_form_are_read_and_empty_ones_count_as_not_given(home, capsys):
    fields = {"background": "white", "color": "auto", "labels": "auto", "frames": "first", "grey_range": "full"}
    fields.update(max_megapixels="", full_only=False, drop_duplicates="none")
    sg2.prepare_dataset(str(home / "images"), "", 8, workers=1)
    sg2.prepare_dataset(str(home / "images"), "", 8, **fields)
    assert "images is there already" in capsys.readouterr().out
    for name, value, words in (
        ("background", "pale", "'pale' is not a color"),
        ("max_megapixels", "many", "max_megapixels is 'many'"),
    ):
        with pytest.raises(UserError, match=words):
            sg2.preview_dataset(str(home / "images"), 8, **dict(fields, **{name: value}))
    with pytest.raises(UserError, match="does not know one of its options.*colour"):
        sg2.prepare_dataset(str(home / "images"), "", 8, colour="rgb")


def test_the_form_has_what_the_report_advises():
    """Every option that a report can name is a field of notebook 2 or 3."""
    package = Path(sg2.__path__[0])
    named = set()
    for module in ("doctor", "frames", "grey_range"):
        text = (package / "images" / (module + ".py")).read_text(encoding="utf-8")
        named |= set(re.findall(r"--(\w[\w-]*)", re.sub(r"^#.*$", "", text, flags=re.M)))
    notebooks = package.parent / "notebooks" / "sources"
    form = "".join((notebooks / name).read_text(encoding="utf-8") for name in ("02_dataset.md", "03_train.md"))
    fields = set(re.findall(r"^(\w+) = .*#@param", form, flags=re.M))
    as_field = {"resume": "start_from"}
    assert len(named) > 6
    assert {as_field.get(name, name.replace("-", "_")) for name in named} <= fields
