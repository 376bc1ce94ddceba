"""The distances on real pictures that are no squares, or transparent: two halves are alike, blurred ones are not.

Drawn sprites, wide ones, are always there; for wallpapers and emoji see tests/images/test_real_material.py.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sg2ada_colab.config.metric_names import parse_metric
from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.images.fit import FitOptions
from sg2ada_colab.metrics.backgrounds import backgrounds_words
from sg2ada_colab.metrics.evaluate import MeasureOptions, measure_all
from sg2ada_colab.metrics.report import write_result
from tests.oracles.sprites import write_sprites

pytestmark = pytest.mark.slow

# Images in each half, and how they are prepared.
COLLECTIONS = {
    "sprites": (60, {"resolution": (64, 96), "alpha": "keep", "fit": FitOptions("pad", upscale=True)}),
    "wallpapers": (300, {"resolution": (144, 256)}),
    "emoji": (300, {"resolution": 64, "alpha": "keep"}),
}
CROPS = 5  # of a wallpaper, across and down


def source_of(name, folder):
    """Return the path of a collection's pictures; skips where they are not there."""
    material = Path(os.environ.get("SG2ADA_MATERIAL", "/nonexistent"))
    wallpapers, emoji = material / "usr" / "share" / "wallpapers", material / "emoji-datasource-google-16.0.0.tgz"
    if name in ("wallpapers", "emoji") and not (wallpapers if name == "wallpapers" else emoji).exists():
        pytest.skip(f"{name} are not in SG2ADA_MATERIAL")
    if name == "sprites":
        write_sprites(folder, 120)
    elif name == "wallpapers":
        write_crops(wallpapers, folder)
    return emoji if name == "emoji" else folder


def write_crops(wallpapers, folder):
    """Write pieces of 256x144 px of the largest picture of each set of wallpapers."""
    largest = {}
    for path in sorted(wallpapers.glob("*/contents/images*/*")):
        with Image.open(str(path)) as image:
            if image.width > largest.get(path.parts[-4], (0,))[0]:
                largest[path.parts[-4]] = image.width, path
    for name, (_, path) in largest.items():
        with Image.open(str(path)) as image:
            shown = image.convert("RGB").resize((256 * CROPS, 144 * CROPS), Image.Resampling.LANCZOS)
        for place in range(CROPS * CROPS):
            left, top = place % CROPS * 256, place // CROPS * 144
            shown.crop((left, top, left + 256, top + 144)).save(f"{folder}/{name}-{place:02d}.png")


class Half:
    """The first images of a dataset."""

    def __init__(self, data, count):
        self.read, self.num_images, self.channels = data.read, count, data.channels


def blurred(images, radius):
    """Return uint8 [n, H, W, C] smoothed, alpha, too."""
    return np.stack([np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius))) for image in images])


@pytest.mark.parametrize("name", COLLECTIONS)
def test_halves_are_alike_and_blurred_pictures_are_not(name, efficientnet, tmp_path):
    count, options = COLLECTIONS[name]
    (tmp_path / "pictures").mkdir()
    source, kept = source_of(name, tmp_path / "pictures"), PrepareOptions(max_images=2 * count, **options)
    data = open_dataset(prepare(source, tmp_path / "set", kept, progress=False).path)
    assert len(data) == 2 * count and data.channels == (4 if name in ("sprites", "emoji") else 3)
    metrics = [f"kid{count}_efflite0", f"fd{count}_efflite0", replace(parse_metric("pr1k3_efflite0"), num_fakes=count)]
    how = MeasureOptions(networks=lambda _: efficientnet, cache_dir=tmp_path / "cache", seed=3)

    def measured(change):
        def generate(number, start):
            return change(data.read(range(count + start, count + start + number)))

        results = measure_all(metrics, generate, Half(data, count), how)
        print(name, [dict(result.values) for result in results])
        return results

    other_half, soft = measured(lambda images: images), measured(lambda images: blurred(images, 3))
    (kid, fd, near), (soft_kid, soft_fd, far) = ([result.values for result in results] for results in (other_half, soft))
    assert abs(kid[""]) < 0.01 and soft_kid[""] > max(0.05, 10 * abs(kid[""])) and soft_fd[""] > 1.5 * fd[""]
    assert near["_precision"] > 2 * far["_precision"] and near["_recall"] > 2 * far["_recall"]
    write_result(tmp_path, tmp_path / "network-snapshot-000001.pkl", other_half[0])
    line = json.loads((tmp_path / f"metric-{metrics[0]}.jsonl").read_text())
    assert (backgrounds_words(3) in line["notes"]) == (data.channels == 4)
