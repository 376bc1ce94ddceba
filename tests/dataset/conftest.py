"""Source images, expected hashes and small prepared sets."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.dataset import PrepareOptions, prepare
from tests.oracles.forms import picture_shape


@pytest.fixture(scope="session")
def facts():
    """Return the reference's facts about files: sizes, hashes, orders."""
    return json.loads((Path(__file__).parents[1] / "data" / "dataset.json").read_text())


@pytest.fixture
def make_folder(tmp_path):
    """Return a function that writes uint8 arrays as PNG files into a new folder."""

    def make(images, names=None, folder="images"):
        path = tmp_path / folder
        for i, image in enumerate(images):
            file = path / (names[i] if names else f"{i:04d}.png")
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(image)).save(str(file))
        return path

    return make


@pytest.fixture
def small_set(request, tmp_path, make_folder):
    """Return (path, images) of a prepared set of 11 RGB images of 16 pixels with 3 classes, in the order of the records.

    A test asks for other forms by parametrize("small_set", FORMS, indirect=True).
    """
    height, width, channels = picture_shape(getattr(request, "param", "square"))
    images = np.random.RandomState(5).randint(0, 256, (11, height, width, channels)).astype(np.uint8)
    images[..., 3:] = images[..., 3:].clip(1, 254)  # pixels that nobody can see do not keep their colours
    folder = make_folder(images, ["{}/{:02d}.png".format("abc"[i % 3], i) for i in range(11)])
    options = PrepareOptions(
        resolution="auto" if height != width else None,
        alpha="keep" if channels == 4 else "flatten",
        shuffle=False,
        labels="folders",
    )
    result = prepare(folder, tmp_path / "small", options, progress=False)
    by_name = sorted(range(11), key=lambda i: "{}/{:02d}.png".format("abc"[i % 3], i))
    return Path(result.path), images[by_name]
