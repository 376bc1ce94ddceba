"""Train StyleGAN2-ADA on a folder of images, and make pictures: python examples/train_in_40_lines.py IMAGES FOLDER [KIMG]"""

import sys
from pathlib import Path

from PIL import Image

import sg2ada_colab
from sg2ada_colab.cli.train import train
from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.dataset import PrepareOptions, prepare
from sg2ada_colab.errors import UserError
from sg2ada_colab.previews.grid import make_grid


def main(images, folder, kimg=1000):
    # Images of any size and format become a dataset of TFRecords.
    dataset, results = Path(folder) / "dataset", Path(folder) / "results"
    if not dataset.exists():
        prepare(images, str(dataset), PrepareOptions(resolution=32))

    # The options are those of `sg2ada train`; what is not given follows the configuration "auto". A small network, for a CPU.
    # Called again, it goes on with the run.
    options = TrainOptions(
        outdir=str(results), data=str(dataset), kimg=int(kimg), cbase=1024, cmax=64, mirror=True, snap=5, metrics=[],
        resume="latest",
    )  # fmt: skip
    code = train(options)
    if code != 0:
        return code  # 130: stopped by Ctrl-C, everything is saved

    # The newest run's network draws 32 seeds, truncated a little.
    run = sorted(results.iterdir())[-1]
    generator = sg2ada_colab.load(str(run))
    grid = make_grid(generator.images(range(32), psi=0.8), 0, 255, columns=8)
    Image.fromarray(grid).save(str(Path(folder) / "pictures.png"))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except UserError as error:
        sys.exit(f"Error: {error}")
