"""Make pictures with any StyleGAN2 network, in Python: of seeds, between two seeds, and with the styles of two mixed.

python examples/generate_from_pickle.py network.pkl pictures/
"""

import sys
from pathlib import Path

from PIL import Image

import sg2ada_colab


def main(network, folder):
    """Write sixteen pictures, a walk of five from one seed to another, and a mix of two."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    generator = sg2ada_colab.load(network)  # a file, a URL, a run, "ffhq256", or "flags", the network that ships
    class_ = 0 if generator.config.label_size else None

    for seed, image in enumerate(generator.images(range(16), class_, psi=0.7)):  # uint8 [16, H, W, C]
        save(image, folder / f"seed{seed:04d}.png")

    w = generator.w([1, 2], class_, psi=0.7)  # [2, layers, 512]: one vector for each layer
    for step in range(5):
        between = w[:1] + (w[1:] - w[:1]) * step / 4
        save(generator.pictures(between)[0], folder / f"walk{step}.png")

    coarse_of_the_second = generator.mix(w[:1], w[1:], layers=range(4))
    save(generator.pictures(coarse_of_the_second)[0], folder / "mixed.png")


def save(image, path):
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(str(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
