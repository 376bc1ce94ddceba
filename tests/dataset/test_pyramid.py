import numpy as np
import pytest

from sg2ada_colab.dataset.pyramid import is_power_of_two, level_sizes, pyramid, resolutions


def oracle(image, smallest=4):
    """Means of the unrounded level above, block by block, rounded half to even."""
    level = image.astype(np.float32)
    while True:
        yield np.array([round(float(v)) for v in level.reshape(-1)], np.uint8).reshape(level.shape)
        if level.shape[-1] == smallest:
            return
        a, b, c, d = level[:, ::2, ::2], level[:, ::2, 1::2], level[:, 1::2, ::2], level[:, 1::2, 1::2]
        level = (a + b + c + d) * np.float32(0.25)


@pytest.mark.parametrize(
    "size, smallest", [((4, 4), 4), ((8, 8), 4), ((64, 64), 4), ((48, 32), 4), ((32, 48), 6), ((18, 32), 16)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_levels_equal_the_block_means(size, smallest, channels):
    images = np.random.RandomState(size[0]).randint(0, 256, (3, channels) + size).astype(np.uint8)
    images[1] = images[1] % 2  # many exact halves
    levels = list(pyramid(images, smallest))
    assert [level.shape[2:] for level in levels] == list(level_sizes(size).values())
    for i, image in enumerate(images):
        for ours, expected in zip(levels, oracle(image, smallest)):
            assert (ours[i] == expected).all()


def means_of_rgba(image):
    """Levels of uint8 [4, H, W] by sums over whole blocks of the image: premultiplied colour over alpha."""
    colours, alpha = image[:3].astype(np.float64), image[3].astype(np.float64)
    yield image
    for factor in (2**k for k in range(1, 10)):
        height, width = (side // factor for side in alpha.shape)
        if width < 4:
            return

        def total(values):
            return values.reshape(values.shape[:-2] + (height, factor, width, factor)).sum(axis=(-3, -1))  # noqa: B023

        weight = total(alpha)
        straight = np.where(weight > 0, total(colours * alpha) / np.maximum(weight, 1e-9), total(colours) / factor**2)
        yield np.concatenate([straight, weight[None] / factor**2])


@pytest.mark.parametrize("size", [(16, 16), (32, 48), (48, 32)])
def test_levels_of_rgba_are_means_weighted_by_alpha(size):
    draws = np.random.RandomState(5)
    images = draws.randint(0, 256, (3, 4) + size).astype(np.uint8)
    images[:, 3] *= draws.randint(0, 2, images[:, 3].shape).astype(np.uint8)
    images[1, 3, :8, :8] = 0  # wholly invisible blocks
    levels = list(pyramid(images, size[1] >> 3))
    assert len(levels) == 4
    for i, image in enumerate(images):
        for ours, expected in zip(levels, means_of_rgba(image)):
            assert np.abs(ours[i] - expected).max() <= 0.501


def test_no_level_shows_the_colour_of_invisible_pixels():
    images = np.zeros([1, 4, 16, 16], np.uint8)
    images[:, 0], images[:, 1] = 200, 255  # green and red, invisible
    images[:, :, ::2, ::3] = np.array([200, 0, 0, 255])[:, None, None]
    for level in list(pyramid(images))[1:]:
        visible = level[:, 3] > 0
        assert visible.any() and level[:, 1][visible].max() == 0 and (level[:, 0] == 200).all()


def test_resolutions():
    assert resolutions(64) == [64, 32, 16, 8, 4]
    assert resolutions(64, full_only=True) == [64]
    assert [n for n in range(-2, 20) if is_power_of_two(n)] == [1, 2, 4, 8, 16]
