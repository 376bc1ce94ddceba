"""EfficientNet-Lite0 recognises real pictures, and the distances order real sets as they should; needs Tux Paint's stamps.

They are the Debian package tuxpaint-stamps-default; SG2ADA_STAMPS names another place than /usr/share/tuxpaint/stamps.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sg2ada_colab.metrics.evaluate import MeasureOptions, measure_all

from .conftest import MemoryDataset

STAMPS = Path(os.environ.get("SG2ADA_STAMPS", "/usr/share/tuxpaint/stamps"))
IMAGENET_CLASSES = {
    "food/fruit/banana": 954, "food/fruit/lemon": 951, "food/fruit/orange": 950, "food/fruit/strawberry": 949,
    "food/fruit/pineapple": 953, "food/vegetables/broccoli": 937, "hobbies/music/string/guitar_electric": 546,
    "hobbies/music/string/guitar_classical": 402, "hobbies/music/string/violin": 889, "animals/marsupials/koala": 105,
    "animals/mammals/aquatic/sea_lion": 150, "animals/mammals/equines/zebra": 340, "animals/mammals/cats/tiger": 292,
    "animals/mammals/cats/lion": 291, "animals/birds/pink_flamingo": 130, "animals/birds/peacock": 84, "animals/birds/ostrich": 9,
    "animals/fish/lionfish": 396, "animals/birds/penguin": 145,
}  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not STAMPS.is_dir(), reason="needs the package tuxpaint-stamps-default")]


def stamp(path, size_px=224):
    """Return a stamp on a white square, uint8 [size_px, size_px, 3]."""
    with Image.open(str(path)) as opened:
        image = opened.convert("RGBA")
    square = Image.new("RGBA", (max(image.size),) * 2, "white")
    square.alpha_composite(image, tuple((max(image.size) - side) // 2 for side in image.size))
    return np.asarray(square.convert("RGB").resize((size_px, size_px), Image.LANCZOS))


def test_obvious_pictures_are_named(efficientnet):
    images = np.stack([stamp(STAMPS / (name + ".png"), 256) for name in IMAGENET_CLASSES])
    order = np.argsort(-efficientnet(images, "logits"), axis=1)
    places = [list(row).index(wanted) for row, wanted in zip(order, IMAGENET_CLASSES.values())]
    assert max(places) < 5 and places.count(0) >= 17, dict(zip(IMAGENET_CLASSES, places))


def test_distances_order_real_sets(efficientnet, tmp_path):
    paths = sorted(path for path in STAMPS.rglob("*.png") if "cartoon" not in str(path))
    order = np.random.RandomState(0).permutation(len(paths))[:400]
    images = np.stack([stamp(paths[index], 128) for index in order])
    reals, others = MemoryDataset(images[:200]), images[200:]

    def blurred(radius):
        return np.stack([np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius))) for image in others])

    noisy = np.clip(others + np.random.RandomState(1).normal(0, 40, others.shape), 0, 255).astype(np.uint8)
    values = []
    for fakes in (others, blurred(2), blurred(5), noisy):
        names = ["kid200_efflite0", "fd200_efflite0"]
        results = measure_all(
            names, lambda n, k, f=fakes: f[k : k + n], reals, MeasureOptions(lambda _: efficientnet, cache_dir=tmp_path)
        )
        values.append([result.values[""] for result in results])
    kids, distances = zip(*values)
    print("kid_efflite0", kids, "fd_efflite0", distances)
    assert abs(kids[0]) < 0.005 and kids[1] > 3 * abs(kids[0]) and kids[2] > 1.5 * kids[1] and kids[3] > 20 * abs(kids[0])
    assert distances[0] < distances[1] < distances[2] and distances[0] < distances[3]
