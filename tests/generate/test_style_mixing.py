"""Style mixing: pictures, files and grid of NVIDIA's programs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.settings import PictureSettings
from sg2ada_colab.generate.style_mixing import mix_styles, parse_styles

DATA = Path(__file__).parents[1] / "data"


def pixels(path):
    return np.asarray(Image.open(str(path)), int)


@pytest.mark.parametrize("tag", ["tf_uncond", "tf_cond", "pt_uncond"])
def test_files_and_grid(reference, tmp_path, tag):
    data = reference("generate")
    config = data.json("config")
    generator = TrainedGenerator(read_snapshot(DATA / f"network_{tag}.pkl").Gs, xla=False)
    settings = PictureSettings(trunc=config["mix_truncation"], class_="none" if tag == "tf_cond" else None)
    rows, columns = config["mix_rows"], config["mix_columns"]
    made, grid = mix_styles(generator, settings, rows, columns, config["mix_styles"], tmp_path)
    names = {f"{row}-{column}.png" for row in rows for column in columns} | {f"{seed}-{seed}.png" for seed in rows + columns}
    assert {path.name for path in tmp_path.iterdir()} == names | {"grid.png"} and made.written == 8
    assert np.abs(pixels(grid) - data[f"{tag}.mix_grid"]).max() <= 1
    assert (pixels(grid)[:32, :32] == 0).all()
    assert np.abs(pixels(tmp_path / f"{rows[1]}-{columns[0]}.png") - data[f"{tag}.mix_images"][1, 0]).max() <= 1
    again, _ = mix_styles(generator, settings, rows, columns, config["mix_styles"], tmp_path)
    assert (again.written, again.skipped) == (0, 8)
    with pytest.raises(UserError, match="holds other pictures: .* was made with other styles"):
        mix_styles(generator, settings, rows, columns, [5], tmp_path)


def test_a_seed_that_is_row_and_column_is_there_once(tmp_path):
    generator = TrainedGenerator(read_snapshot(DATA / "network_tf_uncond.pkl").Gs, xla=False)
    mix_styles(generator, PictureSettings(), [1, 2], [2, 1], [0, 1], tmp_path)
    assert len(list(tmp_path.iterdir())) == 5
    assert (pixels(tmp_path / "grid.png")[32:64, 32:64] == pixels(tmp_path / "1-2.png")).all()


@pytest.mark.parametrize("generator", ["tall", "wide rgba"], indirect=True)
def test_a_table_of_every_form(generator, tmp_path):
    height, width = generator.config.height, generator.config.width
    _, grid = mix_styles(generator, PictureSettings(), [1], [3, 4], [0, 1], tmp_path)
    assert pixels(grid).shape[:2] == (2 * height, 3 * width)
    assert (pixels(grid)[height:, 2 * width :] == pixels(tmp_path / "1-4.png")).all()
    assert (pixels(grid)[:height, width : 2 * width] == generator.images([3])[0]).all()


def test_styles():
    assert parse_styles(None, 14) == [0, 1, 2, 3, 4, 5, 6] and parse_styles(None, 4) == [0, 1, 2, 3]
    assert parse_styles("2,0-1", 8) == [0, 1, 2]
    for text in ("0-8", "x", "-1"):
        with pytest.raises(UserError, match="The network has no layers") as error:
            parse_styles(text, 8)
        assert error.value.expected == "numbers from 0 to 7, such as 0-3"
