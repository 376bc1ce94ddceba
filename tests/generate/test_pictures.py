"""Pictures in files: names, skipping, refusing, grids, sheets and archives."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate import pictures
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.picture_files import read_recipe
from sg2ada_colab.generate.pictures import (
    latent_jobs,
    make_class_sheet,
    make_grid,
    make_pictures,
    seed_jobs,
    zip_pictures,
)
from sg2ada_colab.generate.settings import PictureSettings
from tests.oracles.forms import FORMS, picture_shape
from tests.oracles.small_snapshots import small_snapshot

PLAIN = PictureSettings()


def generator_of(seed=0, **options):
    return TrainedGenerator(small_snapshot(seed, **options).Gs, xla=False, title="cats")


def make(generator, outdir, seeds, settings=PLAIN, **options):
    return make_pictures(generator, settings, seed_jobs(generator, settings, seeds), outdir, **options)


@pytest.mark.parametrize("generator", FORMS, indirect=True)
def test_one_file_a_seed(generator, tmp_path):
    made = make(generator, tmp_path / "new" / "out", [3, 12345, 3])
    assert [path.rsplit("/", 1)[1] for path in made.paths] == ["seed0003.png", "seed12345.png"]
    assert (made.written, made.skipped) == (2, 0)
    images = generator.images([3, 12345])
    for path, image, seed in zip(made.paths, images, (3, 12345)):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
        recipe = read_recipe(path)
        assert recipe["seed"] == seed and recipe["network"] == generator.digest and recipe["settings"]["trunc"] == 1.0


def test_a_second_call_makes_only_what_is_missing(generator, tmp_path):
    first = make(generator, tmp_path, range(3))
    before = [(tmp_path / name).stat().st_mtime_ns for name in ("seed0000.png", "seed0001.png", "seed0002.png")]
    (tmp_path / "seed0001.png").unlink()
    (tmp_path / "seed0002.png").write_bytes((tmp_path / "seed0002.png").read_bytes()[:-20])  # power was lost
    second = make(generator, tmp_path, range(5))
    assert (second.written, second.skipped) == (4, 1) and second.paths[:3] == first.paths
    after = [(tmp_path / name).stat().st_mtime_ns for name in ("seed0000.png", "seed0001.png", "seed0002.png")]
    assert after[0] == before[0] and after[1] != before[1] and after[2] != before[2]


@pytest.mark.parametrize(
    "other, words",
    [
        (lambda folder: Image.new("RGB", (4, 4)).save(str(folder / "cat.jpg")), "cat.jpg was made by something else"),
        (lambda folder: make(generator_of(1), folder, [7]), "seed0007.png was made with another network"),
        (
            lambda folder: make(generator_of(), folder, [7], PictureSettings(trunc=0.5, noise_mode="none")),
            "another noise mode, trunc",
        ),
    ],
)
def test_a_folder_with_other_pictures_is_refused_and_left_alone(generator, tmp_path, other, words):
    other(tmp_path)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir())
    with pytest.raises(UserError, match=words) as error:
        make(generator, tmp_path, [1])
    assert error.value.next_step == "name another folder with --outdir"
    assert sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir()) == before


def test_other_files_do_no_harm(generator, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "more").mkdir()
    assert make(generator, tmp_path, [1]).written == 1


def test_pictures_of_a_file_of_w(generator, tmp_path):
    w = generator.w([5, 6])
    made = make_pictures(generator, PLAIN, latent_jobs(generator, PLAIN, w, "ff"), tmp_path)
    assert [path.rsplit("/", 1)[1] for path in made.paths] == ["dlatent00.png", "dlatent01.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(made.paths[1])), generator.images([6])[0])
    assert read_recipe(made.paths[1])["latents"] == "ff" and read_recipe(made.paths[1])["row"] == 1
    half = PictureSettings(trunc=0.5)
    job = latent_jobs(generator, half, w, "ff", "proj")[0]
    assert job.name == "proj00"
    np.testing.assert_array_equal(job.w, generator.w([5], psi=0.5)[0])
    with pytest.raises(UserError, match="The noise mode tf belongs to a seed"):
        latent_jobs(generator, PictureSettings(noise_mode="tf"), w, "ff")
    with pytest.raises(UserError, match="A class belongs to a seed"):
        latent_jobs(generator, PictureSettings(class_=1), w, "ff")


def test_an_interruption_leaves_complete_files_and_the_next_call_goes_on(generator, tmp_path, monkeypatch):
    original, calls = pictures.write_picture, []

    def breaking(path, image, recipe):
        calls.append(path)
        if len(calls) > 3:
            raise UserError("the disk is full", "space", "free some")
        original(path, image, recipe)

    monkeypatch.setattr(pictures, "write_picture", breaking)
    with pytest.raises(UserError, match="the disk is full"):
        make(generator, tmp_path, range(6))
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(pictures, "write_picture", original)
    assert make(generator, tmp_path, range(6)).skipped == 3


def test_a_folder_that_cannot_be_made(generator, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/out cannot be written: Not a directory"):
        make(generator, tmp_path / "file" / "out", [1])


@pytest.mark.parametrize("generator", ["square", "tall"], indirect=True)
def test_a_grid_and_an_archive(generator, tmp_path):
    made = make(generator, tmp_path / "out", range(3), form="jpg")
    grid = make_grid(generator, PLAIN, made, tmp_path / "out", "3x1")
    assert Image.open(grid).size == (3 * generator.config.width, generator.config.height)
    archive = zip_pictures(made.paths + [grid], tmp_path / "out.zip")
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["seed0000.jpg", "seed0001.jpg", "seed0002.jpg", "grid.png"]
    assert make(generator, tmp_path / "out", range(4), form="jpg").skipped == 3, "its own grid is no other picture"


@pytest.mark.parametrize("form", ["square", "wide"])
def test_a_sheet_of_classes(form, tmp_path):
    generator, (height, width, _) = generator_of(label_size=3, **FORMS[form]), picture_shape(form)
    path = make_class_sheet(generator, PictureSettings(trunc=0.5), [1, 2], tmp_path)
    assert Image.open(path).size == (36 + 2 * width, 3 * height)
    expected = generator.images([2], 1, 0.5)[0]
    np.testing.assert_array_equal(np.asarray(Image.open(path))[height : 2 * height, 36 + width :], expected)
    before = (tmp_path / "classes.png").stat().st_mtime_ns
    make_class_sheet(generator, PictureSettings(trunc=0.5), [1, 2], tmp_path)
    assert (tmp_path / "classes.png").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="cats was trained without classes"):
        make_class_sheet(generator_of(), PLAIN, [1], tmp_path)


def test_a_class_that_is_not_there_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(UserError, match="cats has no class 3"):
        make(generator_of(label_size=3), tmp_path / "out", [1], PictureSettings(class_=3))
    assert not (tmp_path / "out").exists()
