"""The studio by its methods: pictures, favourites, files, video; and the call, with the network that ships."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sg2ada_colab
from sg2ada_colab.colab import session
from sg2ada_colab.colab.studio import Studio
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.generate.direction_file import add_directions
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.like import recipe_of
from sg2ada_colab.generate.picture_files import read_recipe
from tests.oracles.forms import FORMS, picture_shape
from tests.oracles.small_snapshots import small_snapshot

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def generator():
    return TrainedGenerator(read_snapshot(DATA / "network_tf_cond.pkl").Gs, title="cond", xla=False)


@pytest.fixture
def studio(generator, tmp_path):
    return Studio(generator, tmp_path / "pictures")


def test_a_picture_is_that_of_the_generator(studio, generator):
    assert len(studio.directions) == 6 and studio.choice(seed=3).class_ == 0
    image = np.asarray(studio.image(studio.choice(seed=3, trunc=0.5, class_=2)))
    np.testing.assert_array_equal(image, generator.images([3], 2, 0.5)[0])
    moved = studio.image(studio.choice(seed=3, trunc=0.5, class_=2, moves=((studio.directions[0].name, 3.0),)))
    assert (np.asarray(moved) != image).any()


def test_favourites_are_files_and_are_packed(studio, monkeypatch, capsys):
    first, second = studio.choice(seed=1), studio.choice(seed=2, moves=((studio.directions[1].name, 1.5),))
    paths = [studio.keep(first), studio.keep(second)]
    assert studio.keep(first) is None and len(studio.favourites) == 2, "a picture is kept once"
    assert recipe_of(paths[0])[0]["seed"] == 1 and read_recipe(paths[1])["start"] == 2
    np.testing.assert_array_equal(np.asarray(Image.open(paths[1])), np.asarray(studio.image(second)))
    path = studio.download()
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [os.path.basename(one) for one in paths]
    assert f"Saved: {path}" in capsys.readouterr().out
    studio.drop(0)
    assert not os.path.exists(paths[0]) and [choice for choice, _ in studio.favourites] == [second]


def test_nothing_kept(studio):
    with pytest.raises(UserError, match="No pictures are kept") as error:
        studio.pack()
    assert "Keep" in error.value.next_step
    studio.keep(studio.choice())
    with pytest.raises(UserError, match="1 picture is kept"):
        studio.video()
    assert not list(Path(studio.pictures).glob("walk*"))


def test_a_video_through_favourites_is_enlarged(studio, monkeypatch):
    monkeypatch.setattr("sg2ada_colab.colab.studio.video_suffix", lambda: ".webp")
    for seed in (1, 2, 3):
        studio.keep(studio.choice(seed=seed))
    with Image.open(studio.video(seconds_each=0.1)) as video:
        assert video.size == (256, 256) and video.n_frames == 9


@pytest.mark.parametrize("form, size", [("tall", (256, 384)), ("wide rgba", (240, 160))])
def test_a_network_of_another_form(form, size, tmp_path, monkeypatch):
    monkeypatch.setattr("sg2ada_colab.colab.studio.video_suffix", lambda: ".webp")
    studio = Studio(TrainedGenerator(small_snapshot(**FORMS[form]).Gs, xla=False), tmp_path, [])
    height, width, channels = picture_shape(form)
    for seed in (1, 2):
        with Image.open(studio.keep(studio.choice(seed=seed))) as image:
            assert image.size == (width, height) and len(image.getbands()) == channels
    with Image.open(studio.video(seconds_each=0.1)) as video:
        assert video.size == size


def test_a_projection_takes_the_seeds_place(generator, tmp_path):
    start = generator.w([9], 4)
    studio = Studio(generator, tmp_path, [], start)
    np.testing.assert_array_equal(np.asarray(studio.image(studio.choice(seed=1, trunc=1.0))), generator.pictures(start)[0])
    assert "latents" in read_recipe(studio.save(studio.choice()))


def test_the_call_with_the_network_that_ships_and_named_directions(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_open", {})
    session._open_workspace(str(tmp_path))
    studio = sg2ada_colab.studio(xla=False)
    assert studio.name == "flags" and studio.image(studio.choice(seed=5)).size == (32, 32)
    path = str(tmp_path / "directions.npz")
    add_directions(path, [studio.directions[2]._replace(name="striped")], studio.generator)
    assert [one.name for one in sg2ada_colab.studio("flags", path, xla=False).directions] == ["striped"]
    with pytest.raises(UserError, match="There is no file"):
        sg2ada_colab.studio("flags", str(tmp_path / "nothing.npz"))
