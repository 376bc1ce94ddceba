"""Pictures moved along directions: their files, the grid, and w of a projection."""

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.directions import Direction, move
from sg2ada_colab.generate.latent_file import write_latents
from sg2ada_colab.generate.move_pictures import Moves, latent_starts, make_moved, overview, parse_strengths, seed_starts
from sg2ada_colab.generate.settings import PictureSettings
from tests.oracles.forms import FORMS

WAY = Direction("more stripes", np.float32([1, -2, 0.5, 3]), (0, 1, 2))


@pytest.mark.parametrize("generator", FORMS, indirect=True)
def test_each_picture_is_that_of_the_moved_w_and_the_grid_has_a_row_a_start(generator, tmp_path):
    settings = PictureSettings(trunc=0.7)
    moves = Moves(seed_starts(generator, settings, [3, 4]), [WAY], [-2.0, 0.0, 0.5])
    made, grid = make_moved(generator, settings, moves, tmp_path)
    names = [path.rsplit("/", 1)[1] for path in made.paths]
    assert names[:3] == ["seed0003-more_stripes-2.png", "seed0003-more_stripes+0.png", "seed0003-more_stripes+0.5.png"]
    w = generator.w([3, 4], psi=0.7)
    moved = [move(w[row : row + 1], WAY, strength) for row in (0, 1) for strength in (-2.0, 0.0, 0.5)]
    for path, expected in zip(made.paths, generator.pictures(np.concatenate(moved))):
        assert np.array_equal(np.asarray(Image.open(path)), expected)
    height, width = generator.config.height, generator.config.width
    assert Image.open(grid).size == (3 * width, 2 * height)
    assert np.array_equal(np.asarray(Image.open(grid))[height:, width : 2 * width], np.asarray(Image.open(made.paths[4])))
    again, _ = make_moved(generator, settings, moves, tmp_path)
    assert again.written == 0 and again.skipped == 6
    other = WAY._replace(vector=-WAY.vector)  # another direction of the same name
    of_the_other = Moves(seed_starts(generator, settings, [3]), [other], [-2.0])
    assert make_moved(generator, settings, of_the_other, tmp_path)[0].written == 1


def test_w_of_a_file_and_other_layers(generator, tmp_path):
    w = generator.w([8])
    write_latents(tmp_path / "w.npz", w)
    starts = latent_starts(generator, PictureSettings(), w, tmp_path / "w.npz")
    made, _ = make_moved(generator, PictureSettings(), Moves(starts, [WAY], [1.0], layers=[5]), tmp_path / "out")
    assert made.paths[0].endswith("proj00-more_stripes+1.png")
    assert np.array_equal(np.asarray(Image.open(made.paths[0])), generator.pictures(move(w, WAY, 1.0, [5]))[0])


@pytest.mark.parametrize("generator", ["square", "wide rgba"], indirect=True)
def test_an_overview_has_a_row_a_direction(generator, tmp_path):
    path = overview(generator, PictureSettings(), [WAY, WAY._replace(name="b")], 0, str(tmp_path / "a.png"))
    assert Image.open(path).size == (5 * generator.config.width, 2 * generator.config.height)


def test_strengths(generator, tmp_path):
    assert parse_strengths("-3,0,2.5") == [-3, 0, 2.5] and parse_strengths(None) == [-3, -1.5, 0, 1.5, 3]
    for text in ("", "a", "1,nan", "1;2"):
        with pytest.raises(UserError, match="is not a list of strengths"):
            parse_strengths(text)
    with pytest.raises(UserError, match="Two pictures would have one name"):
        starts = seed_starts(generator, PictureSettings(), [0])
        make_moved(generator, PictureSettings(), Moves(starts, [WAY], [1.0, 1.0]), tmp_path)
