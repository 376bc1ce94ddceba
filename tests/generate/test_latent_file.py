"""Files of w."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.latent_file import read_latents, write_latents
from tests.oracles.small_snapshots import small_snapshot


@pytest.fixture(scope="module")
def generator():
    return TrainedGenerator(small_snapshot().Gs, xla=False, title="cats")


def test_both_programs_read_what_is_written(tmp_path, generator):
    w = generator.w([1, 2])
    write_latents(tmp_path / "w.npz", w)
    with np.load(str(tmp_path / "w.npz")) as file:
        np.testing.assert_array_equal(file["w"], w)
        np.testing.assert_array_equal(file["dlatents"], w)
    np.testing.assert_array_equal(read_latents(tmp_path / "w.npz", generator), w)


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"w": np.zeros([1, 18, 512], np.float32)}, r"holds w of shape \[1, 18, 512\] and type float32"),
        ({"dlatents": np.zeros([1, 6, 4], int)}, r"holds dlatents of shape \[1, 6, 4\] and type int64"),
        ({"w": np.zeros([0, 6, 4], np.float32)}, r"holds w of shape \[0, 6, 4\]"),
        ({"z": np.zeros(3)}, "holds z"),
        ({"w": np.full([1, 6, 4], np.nan, np.float32)}, "not finite"),
        ({"w": np.array([{}], object)}, "cannot be read"),
    ],
)
def test_other_sizes_and_keys(tmp_path, generator, arrays, words):
    np.savez(str(tmp_path / "w.npz"), **arrays)
    with pytest.raises(UserError, match=words) as error:
        read_latents(tmp_path / "w.npz", generator)
    assert error.value.expected == "an npz file with w [N, 6, 4] under dlatents or w"


def test_files_that_are_none(tmp_path, generator):
    with pytest.raises(UserError, match="There is no file"):
        read_latents(tmp_path / "gone.npz", generator)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(UserError, match="text.npz cannot be read"):
        read_latents(tmp_path / "text.npz", generator)
