"""Images to prepare datasets from."""

import numpy as np
from PIL import Image


def save_images(folder, count, seed=3, size=(8, 8)):
    """Write images of one colour each, with some noise, into a folder."""
    random = np.random.RandomState(seed)
    folder.mkdir(exist_ok=True)
    for number in range(count):
        base = random.randint(0, 255, [1, 1, 3]) * np.ones(size + (1,)) + random.randint(-20, 20, size + (3,))
        Image.fromarray(np.clip(base, 0, 255).astype(np.uint8)).save(str(folder / f"{number}.png"))
