"""The antialiased resize against Pillow's on float images."""

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.metrics.resize import resize_antialiased, triangle_weights


@pytest.mark.parametrize("height,width,size_px", [(64, 64, 224), (512, 300, 224), (224, 224, 224), (17, 1000, 50)])
def test_equals_pillow(height, width, size_px, relmax):
    images = np.random.RandomState(0).uniform(0, 255, [2, height, width, 3]).astype(np.float32)
    pillow = [
        [np.asarray(Image.fromarray(image[:, :, c]).resize((size_px, size_px), Image.BILINEAR)) for c in range(3)]
        for image in images
    ]
    ours = np.asarray(resize_antialiased(images, size_px))
    assert relmax(ours, np.transpose(pillow, [0, 2, 3, 1])) < 1e-6


def test_to_a_rectangle(relmax):
    image = np.random.RandomState(0).uniform(0, 255, [1, 64, 40, 1]).astype(np.float32)
    pillow = np.asarray(Image.fromarray(image[0, :, :, 0]).resize((96, 24), Image.BILINEAR))
    assert relmax(np.asarray(resize_antialiased(image, (24, 96)))[0, :, :, 0], pillow) < 1e-6


def test_a_flat_image_stays_flat():
    assert np.allclose(triangle_weights(1024, 224).sum(axis=1), 1, atol=1e-6)
