"""How fast JPEG photographs become records, by stage and as a whole process.

    python benchmarks/prepare_speed.py [--count 1000] [--images FOLDER] [--workers N]

Without --images, pictures with the spectrum of photographs are made. Prints images per second and milliseconds per image for each
stage on one core, then the whole command `sg2ada prepare` as a process of its own: wall time, and processor time of all its
processes, which is the number to compare on a machine that is busy with other things.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from sg2ada_colab.dataset.convert import Levels, planes_of
from sg2ada_colab.dataset.pyramid import pyramid
from sg2ada_colab.dataset.records import seal
from sg2ada_colab.images.find import open_source
from sg2ada_colab.images.fit import FitOptions, scale
from sg2ada_colab.images.read import ReadOptions, decode, read_header, to_plain

ROOT = Path(__file__).resolve().parents[1]
CASES = ((256, 256), (1024, 256), (1024, 1024))  # side of the JPEGs, resolution of the records
STAGE_IMAGES = 64


def make_photographs(folder, side, count):
    """Write `count` JPEGs of `side` pixels whose spectra fall with frequency as those of photographs do."""
    folder.mkdir()
    across, down = np.fft.rfftfreq(side)[None], np.fft.fftfreq(side)[:, None]
    amplitude = 1 / np.maximum(np.hypot(across, down), 1 / side) ** 1.2
    mixing = np.array([[1, 0.8, 0.7], [0.3, 0.5, 0.2], [0.1, -0.2, 0.4]])
    distinct = min(count, 100)
    for i in range(distinct):
        draws = np.random.RandomState(i)
        noise = np.stack([np.fft.irfft2(amplitude * np.exp(2j * np.pi * draws.rand(*amplitude.shape))) for _ in range(3)], -1)
        image = noise @ mixing
        image = (image - image.min()) / np.ptp(image) * 255
        Image.fromarray(image.astype(np.uint8)).save(str(folder / f"{i:06d}.jpg"), quality=90)
    for i in range(distinct, count):
        shutil.copyfile(str(folder / f"{i % distinct:06d}.jpg"), str(folder / f"{i:06d}.jpg"))


def stages(folder, resolution):
    """Print the time of each stage on one core, for some of the images."""
    source, options, fit = open_source(folder), ReadOptions(), FitOptions(upscale=True)
    count = min(STAGE_IMAGES, len(source))
    least = (2 * resolution, 2 * resolution)

    def each(function, items):
        start = time.process_time()
        results = [function(item) for item in items]
        return results, (time.process_time() - start) / len(items)

    def from_file(function):
        def run(index):
            with source.open(index) as file:
                return function(file)

        return run

    times = {}
    _, times["header"] = each(from_file(read_header), range(count))
    images, times["decode"] = each(from_file(lambda file: decode(file, options, least)), range(count))
    plain, times["colour, resize"] = each(lambda im: scale(to_plain(im, options), resolution, fit, (0, 0, 0)), images)
    planes, times["planes"] = each(planes_of, plain)
    _, times["pyramid"] = each(lambda plane: list(pyramid(plane[None])), planes)
    levels = Levels(min(8, count), 3, resolution)
    for row in range(min(8, count)):
        levels.put(row, planes[row])
    _, seconds = each(seal, [levels.records] * 8)
    times["checksums"] = seconds / min(8, count)
    for name, seconds in times.items():
        print(f"    {name:<16}{seconds * 1e3:8.3f} ms/image {1 / max(seconds, 1e-9):10.0f} images/s")
    print("    {:<16}{:8.3f} ms/image".format("together", sum(times.values()) * 1e3))


def whole_process(folder, resolution, workers):
    """Run the command once, print its wall and processor time, and return both in seconds."""
    target = folder.with_name("records")
    command = [
        sys.executable,
        "-m",
        "sg2ada_colab",
        "prepare",
        str(folder),
        str(target),
        "--resolution",
        str(resolution),
        "--upscale",
    ]
    command += ["--quiet"] + (["--workers", str(workers)] if workers else [])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=str(ROOT), stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    count = len(list(folder.iterdir()))
    size = sum(file.stat().st_size for file in target.iterdir())
    shutil.rmtree(str(target))
    print(
        f"    whole process: {wall:.2f} s wall ({count / wall:.0f} images/s), {processor:.2f} s processor time, "
        f"{size / 1e6:.0f} MB written, load {os.getloadavg()[0]:.1f}"
    )
    return wall, processor


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--count", type=int, default=1000, help="JPEGs of each size (default: %(default)s; a tenth of that at 1024)"
    )
    parser.add_argument("--images", type=Path, help="take the JPEGs from this folder instead of making some")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each whole process (default: %(default)s)")
    args = parser.parse_args()
    print(f"{len(os.sched_getaffinity(0))} cores")
    for side, resolution in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            count = args.count if side <= 256 else max(1, args.count // 10)
            folder = args.images or Path(scratch) / "images"
            if not args.images:
                make_photographs(folder, side, count)
            print(f"{len(list(folder.iterdir()))} JPEGs of {side} pixels -> {resolution} pixels")
            stages(folder, resolution)
            target, times = Path(scratch) / "copy", []
            for _ in range(args.repeats):
                shutil.copytree(str(folder), str(target))
                times.append(whole_process(target, resolution, args.workers))
                shutil.rmtree(str(target))
            wall, processor = (min(values) for values in zip(*times))
            print(f"    best of {len(times)}: {wall:.2f} s wall, {processor:.2f} s processor time")


if __name__ == "__main__":
    main()
