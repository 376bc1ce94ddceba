"""Add what XLA timed to the algorithms that are shipped for a GPU.

    python benchmarks/keep_algorithms.py "NVIDIA H100 80GB HBM3" 2.21.0 --only "3352 GB/s" CACHE/*/autotuning.pbtxt

A cache comes from `train_speed.py --cache CACHE` or from a training, with nothing else on the GPU or the processor. `--only`
takes the results whose description of the device matches: a cache may hold those of other cards, too.
"""

import argparse
import gzip
import os

from sg2ada_colab.compile import autotune_results as known_algorithms


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("device", help="as nvidia-smi names the GPU")
    parser.add_argument("version", help="of TensorFlow")
    parser.add_argument("files", nargs="+", help="autotuning.pbtxt files, the most trusted first")
    parser.add_argument("--only", default="", help="regular expression for XLA's description of the device")
    args = parser.parse_args()
    texts = []
    for name in args.files:
        with open(name, encoding="utf-8") as file:
            texts.append(known_algorithms.of_device(file.read(), args.only))
    text = known_algorithms.merged(*(texts + [known_algorithms.shipped(args.device, args.version)]))
    path = os.path.join(known_algorithms.FOLDER, known_algorithms.file_name(args.device, args.version))
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(text.encode())
    print(f"{path}: {known_algorithms.count(text)} results, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
