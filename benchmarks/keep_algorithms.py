"""Time the algorithms of a GPU, or take what XLA has timed, and add it to those that are shipped.

    python benchmarks/keep_algorithms.py --time 64 128 256       # on that GPU, with nothing else on it or on the processor
    python benchmarks/keep_algorithms.py --device "NVIDIA H100 80GB HBM3" --tensorflow 2.21.0 CACHE/*/autotuning.pbtxt

The first times the networks of `--cfg=auto` at these sizes, without augmentation and with ADA, for this GPU, TensorFlow and
cuDNN. A CACHE comes from `train_speed.py --cache CACHE` or from a training; `--only` takes the results whose description of the
device matches, as a cache may hold those of other cards, too. Results of TensorFlow 2.20 name no cuDNN: the file that gets them
does.
"""

import argparse
import glob
import gzip
import os
import subprocess
import sys
import tempfile

from sg2ada_colab.compile import autotune_results as known_algorithms
from sg2ada_colab.machine import cudnn_version, device_name, tensorflow_version

TRAIN_SPEED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train_speed.py")


def time_here(sizes):
    """Return what XLA times on this machine for networks of these sizes, px: texts."""
    with tempfile.TemporaryDirectory() as folder:
        words = [word for size in sizes for word in ("--size", str(size))]
        words += ["--aug", "noaug", "--aug", "ada", "--cache", folder]
        subprocess.run([sys.executable, TRAIN_SPEED, *words], check=True)
        return [read(path) for path in sorted(glob.glob(os.path.join(folder, "*", "autotuning.pbtxt")))]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def cudnn_of_file(parser, text, cudnn):
    """Return the cuDNN for the name of the file: "" for results that name theirs."""
    count, named = known_algorithms.count(text), known_algorithms.count(known_algorithms.of_device(text, "DNN version:"))
    if named == count:
        return ""
    if named or not cudnn or "-" in cudnn:
        parser.error(
            f"{named} of {count} results name their cuDNN, and there is {cudnn or 'none'} here. Take results that all name it, "
            "or results that do not, and say which it was, such as --cudnn 9.8.0"
        )
    return cudnn


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="autotuning.pbtxt files, the most trusted first")
    parser.add_argument("--time", nargs="+", type=int, default=[], metavar="PX", help="first time networks of these sizes here")
    parser.add_argument("--device", help="as nvidia-smi names the GPU (default: this machine's)")
    parser.add_argument("--tensorflow", help="version (default: this environment's)")
    parser.add_argument("--cudnn", help="version, for results that name none (default: this environment's, if there is one only)")
    parser.add_argument("--only", default="", help="regular expression for XLA's description of the device")
    args = parser.parse_args(argv)
    device, version = args.device or device_name(), args.tensorflow or tensorflow_version()
    cudnn = args.cudnn or cudnn_version()
    if args.time and (not cudnn or "-" in cudnn):
        parser.error(
            f"the cuDNN here is {cudnn or 'not known'}: before anything is timed, say which one it is, such as --cudnn 9.8.0"
        )
    texts = (time_here(args.time) if args.time else []) + [read(path) for path in args.files]
    text = known_algorithms.merged(*(known_algorithms.of_device(one, args.only) for one in texts))
    if not known_algorithms.count(text):
        parser.error("there are no results: name files that have some, or --time on a machine with a GPU")
    name = known_algorithms.file_name(device, version, cudnn_of_file(parser, text, cudnn))
    text = known_algorithms.merged(text, known_algorithms.shipped_text(name))
    path = os.path.join(known_algorithms.FOLDER, name)
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(text.encode())
    print(f"{path}: {known_algorithms.count(text)} results, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
