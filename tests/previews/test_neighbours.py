"""The picture of nearest neighbours holds the fakes and the training images, grey ones, too."""

import numpy as np
from PIL import Image

from sg2ada_colab.metrics.neighbours import nearest_reals
from sg2ada_colab.previews.neighbours import draw_neighbours


class Images:
    """Three grey images of noise."""

    def __init__(self):
        self.images = np.random.RandomState(0).randint(0, 255, (3, 16, 16, 1)).astype(np.uint8)

    def read(self, indices):
        return self.images[np.asarray(indices)]


def test_a_fake_stands_beside_its_nearest_image(tmp_path):
    dataset, path = Images(), tmp_path / "neighbours.png"
    draw_neighbours(path, dataset.images[:2], dataset, nearest_reals(np.eye(3), np.eye(3)[:2], 5), tile_px=32)
    with Image.open(str(path)) as image:
        pixels = np.asarray(image)
    fake, nearest = pixels[26:58, 6:38], pixels[26:58, 44:76]
    np.testing.assert_array_equal(fake, nearest)
    np.testing.assert_array_equal(fake[::2, ::2, 0], dataset.images[0, :, :, 0])
