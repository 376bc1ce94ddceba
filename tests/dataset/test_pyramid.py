import numpy as np
import pytest

from sg2ada_colab.dataset.pyramid import is_power_of_two, pyramid, resolutions


def oracle(image):
    """Means of the unrounded level above, block by block, rounded half to even."""
    level = image.astype(np.float32)
    while True:
        yield np.array([round(float(v)) for v in level.reshape(-1)], np.uint8).reshape(level.shape)
        if level.shape[-1] == 4:
            return
        a, b, c, d = level[:, ::2, ::2], level[:, ::2, 1::2], level[:, 1::2, ::2], level[:, 1::2, 1::2]
        level = (a + b + c + d) * np.float32(0.25)


@pytest.mark.parametrize("side", [4, 8, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_levels_equal_the_block_means(side, channels):
    images = np.random.RandomState(side).randint(0, 256, (3, channels, side, side)).astype(np.uint8)
    images[1] = images[1] % 2  # many exact halves
    levels = list(pyramid(images))
    assert [level.shape[-1] for level in levels] == resolutions(side)
    for i, image in enumerate(images):
        for ours, expected in zip(levels, oracle(image)):
            assert (ours[i] == expected).all()


def test_resolutions():
    assert resolutions(64) == [64, 32, 16, 8, 4]
    assert resolutions(64, full_only=True) == [64]
    assert [n for n in range(-2, 20) if is_power_of_two(n)] == [1, 2, 4, 8, 16]
