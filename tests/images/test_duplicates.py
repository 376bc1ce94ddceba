import io

import numpy as np
from PIL import Image

from sg2ada_colab.images.duplicates import exact_duplicates, near_duplicates


def thumbs(images):
    return np.stack([np.asarray(image.resize((16, 16), Image.BOX)) for image in images])


def smooth_picture(seed, side=64):
    draws = np.random.RandomState(seed)
    light, tint = (
        draws.randint(20, 236, (5, 5, 1)),
        draws.randint(-20, 21, (5, 5, 3)),
    )  # as in photographs, little of it is colour
    noise = (light + tint).astype(np.uint8)
    return Image.fromarray(noise).resize((side, side), Image.BICUBIC)


def saved_again(image, quality):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def test_saving_again_and_resizing_are_seen_through():
    pictures = [smooth_picture(seed) for seed in range(20)]
    pictures.append(saved_again(pictures[3], 60))
    pictures.append(pictures[3].resize((48, 48), Image.LANCZOS))
    pictures.append(saved_again(pictures[7], 80))
    assert near_duplicates(thumbs(pictures)) == [[3, 20, 21], [7, 22]]


def test_other_drawings_on_the_same_ground_are_others():
    pictures = []
    for x in range(4, 40, 6):
        for color in ((250, 20, 20), (20, 20, 250)):
            image = Image.new("RGB", (64, 64), (255, 255, 255))
            image.paste(color, (x, 20, x + 16, 36))
            pictures.append(image)
    assert near_duplicates(thumbs(pictures)) == []


def test_flat_pictures_are_told_apart_by_their_colour():
    pictures = [Image.new("RGB", (16, 16), (v, v, v)) for v in range(0, 250, 5)] * 2
    assert near_duplicates(thumbs(pictures)) == [[i, i + 50] for i in range(50)]


def test_nothing_and_one():
    assert near_duplicates(np.zeros((1, 16, 16, 3), np.uint8)) == []
    assert exact_duplicates([]) == []
    assert exact_duplicates([b"a", b"b", b"a", b"c", b"b", b"a"]) == [[0, 2, 5], [1, 4]]
