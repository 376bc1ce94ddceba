"""The picture of nearest neighbours holds the fakes and the training images, grey ones, too."""

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.images.transparency import over_checkerboard
from sg2ada_colab.metrics.neighbours import nearest_reals
from sg2ada_colab.previews.neighbours import draw_neighbours
from tests.oracles.forms import FORMS, picture_shape


class Images:
    """Three images of noise."""

    def __init__(self, height, width, channels):
        self.images = np.random.RandomState(0).randint(0, 255, (3, height, width, channels)).astype(np.uint8)

    def read(self, indices):
        return self.images[np.asarray(indices)]


@pytest.mark.parametrize("shape", [(16, 16, 1)] + [picture_shape(form) for form in FORMS])
def test_a_fake_stands_beside_its_nearest_image(tmp_path, shape):
    (height, width), dataset, path = shape[:2], Images(*shape), tmp_path / "neighbours.png"
    tile_px = 2 * max(height, width)
    draw_neighbours(path, dataset.images[:2], dataset, nearest_reals(np.eye(3), np.eye(3)[:2], 5), tile_px)
    with Image.open(str(path)) as image:
        pixels = np.asarray(image)
    top, left = 26 + tile_px // 2 - height, 6 + tile_px // 2 - width
    fake, nearest = (pixels[top:, x : x + 2 * width][: 2 * height] for x in (left, left + tile_px + 6))
    np.testing.assert_array_equal(fake, nearest)
    large = dataset.images[0].repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(fake, np.broadcast_to(over_checkerboard(large), fake.shape))
