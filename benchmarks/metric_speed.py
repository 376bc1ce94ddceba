"""Print how many images a second a metric takes on this machine, beside the loops that one would write first.

    python benchmarks/metric_speed.py --size 256 --weights efficientnet-lite0-57934424.pth
    python benchmarks/metric_speed.py --size 256 --network inception --sweep

The generator has random weights, since speed does not depend on them; so has Inception. Each line is the best of some timings,
after a first call that compiles. "Whole metric" is `measure_all` as `sg2ada metrics` calls it, from its first batch of fakes to
its last.

Compared with: a plain TensorFlow loop (float32, no XLA, a batch at a time through main memory) and, where a Python with torch is
there (--torch-python; default: this one), `torch_loop.py`, eager PyTorch with the same feature network and a generator of the
same size, from its own process. torch-fidelity's loop is of that kind; `--torch-fidelity` also times its own extractor, whose
network is Inception, where that package is installed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from sg2ada_colab.formats.network_data import NetworkData
from sg2ada_colab.metrics import features as feature_networks
from sg2ada_colab.metrics.evaluate import MeasureOptions, measure_all
from sg2ada_colab.metrics.fakes import SnapshotFakes
from sg2ada_colab.metrics.features import BATCH_SIZE, FeatureNetwork, batches_of, find_weights, open_network
from sg2ada_colab.networks.config import GeneratorConfig
from sg2ada_colab.networks.generator import Generator, to_uint8
from sg2ada_colab.networks.variables import generator_specs, initial_values
from sg2ada_colab.runs.device import describe_device, half_precision_resolutions, peak_gpu_memory_gb, prepare_device
from sg2ada_colab.tf import VERSION, compiled, gpus, tf

REPEATS = 3
TORCH_BATCHES = (64, 128)  # torch-fidelity's default, and a larger one
TORCH_FIDELITY = """
import json, sys, time
import numpy as np, torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
size, count, batch = (int(word) for word in sys.argv[1:])
FeatureExtractorInceptionV3.load_state_dict = lambda self, state: None  # random weights are as fast as real ones
torch.load = lambda *args, **options: None
network = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path="none")
device = "cuda" if torch.cuda.is_available() else "cpu"
network.to(device)
images = torch.from_numpy(np.random.RandomState(0).randint(0, 256, [batch, 3, size, size]).astype(np.uint8))
def run(count):
    started = time.time()
    with torch.no_grad():
        rows = [network(images.to(device))[0].cpu() for _ in range(0, count, batch)]
    return time.time() - started
run(2 * batch)
print(json.dumps({"features": count / min(run(count) for _ in range(3)), "device": device, "torch": torch.__version__}))
"""


def parse(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256, help="pixels per side (default 256)")
    parser.add_argument("--images", type=int, help="images timed in each line (default: 4096 on a GPU, 256 on a CPU)")
    parser.add_argument("--batch", type=int, help="images that the features see at a time (default: as `sg2ada metrics`)")
    parser.add_argument("--network", default="efflite0", choices=("efflite0", "inception"), help="(default efflite0)")
    parser.add_argument("--weights", help="weights file of EfficientNet-Lite0 (default: the installed package's)")
    parser.add_argument("--fmap-base", type=int, default=16384, help="width of the generator (default 16384)")
    parser.add_argument("--no-xla", action="store_true", help="the generator in plain graphs")
    parser.add_argument("--sweep", action="store_true", help="also the features at several batch sizes, with XLA and without")
    parser.add_argument("--torch-python", default=sys.executable, help="a Python with torch (default: this one)")
    parser.add_argument("--torch-fidelity", action="store_true", help="also time the extractor of torch-fidelity")
    args = parser.parse_args(argv)
    args.images = args.images or (4096 if gpus() else 256)
    return args


def random_generator(size, fmap_base):
    """Return NetworkData of a generator with initial weights."""
    kwargs = {"resolution": size, "fmap_base": fmap_base, "mapping_layers": 2, "num_fp16_res": 4, "conv_clamp": 256.0}
    config = GeneratorConfig.from_kwargs(kwargs)
    return NetworkData("Gs", config.to_kwargs(), initial_values(generator_specs(config), 0, "G"))


def open_features(args, xla=None, batch=None):
    """Return the feature network as metrics use it, or as asked for."""
    if args.network == "efflite0":
        return open_network("efflite0", args.weights, xla=xla, batch_size=batch)
    from sg2ada_colab.metrics.inception import CLASSES, CONVOLUTIONS, DIMENSIONS, inception_v3

    draws, weights = np.random.RandomState(0), {}
    for scope, _, height, width, channels, filters in CONVOLUTIONS:
        deviation = (2 / (height * width * channels)) ** 0.5
        kernel = draws.normal(0, deviation, [height, width, channels, filters]).astype(np.float32)
        weights[scope] = (tf.constant(kernel), tf.zeros([filters]))
    output = tf.zeros([DIMENSIONS, CLASSES])

    def forward(images):
        return {"features": inception_v3(images, weights, output)[0]}

    batch = batch or batches_of(feature_networks.GPU_BATCH_SIZE)
    return FeatureNetwork("inception", "random", {"features": DIMENSIONS}, compiled(forward, bool(xla)), batch)


def timed(loop, images):
    """Return (images a second, seconds of the first call) of loop(images), the best of some timings."""
    started = time.perf_counter()
    loop(1)
    first = time.perf_counter() - started
    loop(min(images, 256))
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        done = loop(images)
        seconds.append(time.perf_counter() - started)
    return done / min(seconds), first


def generator_loop(fakes, batch):
    def loop(images):
        checks = [fakes.launch(batch, start)[1] for start in range(0, images, batch)]
        for check in checks:
            check()
        return batch * len(checks)

    return loop


def features_loop(network, images_in):
    """Return a loop that shows the network the same batch again and again, started ahead as `measure_all` does."""

    def loop(images):
        waiting, steps = [], -(-images // len(images_in))
        for _ in range(steps):
            waiting.append(network.launch(images_in))
            if len(waiting) > feature_networks.batches_ahead():
                network.finish(waiting.pop(0))
        for launched in waiting:
            network.finish(launched)
        return steps * len(images_in)

    return loop


def plain_loop(network_data, network):
    """Return the loop that one would write first: float32, no XLA, a batch at a time, all fetched as it comes."""
    generator = Generator(GeneratorConfig.from_kwargs(network_data.kwargs), network_data.variables, num_fp16_res=0)
    generate = compiled(lambda z, labels: to_uint8(generator(z, labels, noise_seed=tf.constant([1, 2]))), xla=False)

    def loop(images):
        for start in range(0, images, BATCH_SIZE):
            z = np.random.RandomState(start).randn(BATCH_SIZE, generator.config.latent_size).astype(np.float32)
            network.forward(generate(tf.constant(z), tf.zeros([BATCH_SIZE, 0])).numpy())["features"].numpy()
        return -(-images // BATCH_SIZE) * BATCH_SIZE

    return loop


class FewReals:
    """A dataset of noise, just large enough."""

    def __init__(self, size):
        self.num_images = BATCH_SIZE
        self.images = np.random.RandomState(1).randint(0, 256, [BATCH_SIZE, size, size, 3]).astype(np.uint8)

    def read(self, indices):
        return self.images[np.asarray(indices)]


def whole_metric(metric, fakes, network, args):
    """Return images a second between the first and the last batch of fakes of `measure_all`."""
    marks = []

    def progress(stage, done, _):
        if stage == "fakes":
            marks.append((done, time.perf_counter()))

    with tempfile.TemporaryDirectory() as folder:
        measure_all([metric], fakes, FewReals(args.size), MeasureOptions(lambda _: network, cache_dir=folder, progress=progress))
    (first_done, first), (last_done, last) = marks[0], marks[-1]
    return (last_done - first_done) / max(last - first, 1e-9)


def show(name, rate, remark=""):
    print(f"{name:<52} {rate:9.1f} images/s  {remark}", flush=True)


def run_torch(args):
    """Print what loops in PyTorch reach, in a process of their own that leaves the GPU before TensorFlow takes it."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_loop.py")
    weights = find_weights(feature_networks.EFFICIENTNET_LITE0, args.weights)
    numbers = ["--size", str(args.size), "--images", str(args.images), "--fmap-base", str(args.fmap_base)]
    for batch in TORCH_BATCHES if gpus() else TORCH_BATCHES[:1]:
        found = run_json([args.torch_python, script, "--weights", str(weights), *numbers, "--batch", str(batch)])
        if found is None:
            return
        remark = "torch {} on {}".format(found["torch"], found["device"])
        for key, words in (("generator", "generator"), ("features", "features, from main memory"),
                           ("features_on_device", "features, images on the device"), ("loop", "whole loop")):  # fmt: skip
            show(f"torch, batch {batch}: {words}", found[key], remark)
    if args.torch_fidelity:
        found = run_json([args.torch_python, "-c", TORCH_FIDELITY, str(args.size), str(args.images), str(TORCH_BATCHES[0])])
        if found:
            show("torch-fidelity's Inception, from main memory", found["features"], found["torch"])


def run_json(words):
    done = subprocess.run(words, capture_output=True)
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        print("not run: {} ({})".format(" ".join(words[:2]), last))
        return None
    return json.loads(done.stdout.decode().splitlines()[-1])


def main(argv=None):
    args = parse(argv)
    prepare_device()
    print(f"TensorFlow {VERSION}, {describe_device()}, {args.size} px, {args.images} images, {args.network}")
    run_torch(args)
    data = random_generator(args.size, args.fmap_base)
    fakes, network = SnapshotFakes(data, xla=not args.no_xla), open_features(args, batch=args.batch)
    batch = network.batch_size
    precision = "float16 at {} resolutions".format(half_precision_resolutions("auto", 4)) if gpus() else "float32"
    rate, first = timed(generator_loop(fakes, batch), args.images)
    show(f"generator, {precision}", rate, f"first call {first:.0f} s")
    there, _ = fakes.launch(batch, 0)
    rate, first = timed(features_loop(network, there.numpy()), args.images)
    show(f"features, batch {batch}, from main memory", rate, f"first call {first:.0f} s")
    show(f"features, batch {batch}, images on the device", timed(features_loop(network, there), args.images)[0])
    suffix = "{}_efflite0" if args.network == "efflite0" else "{}_full"
    for kind in ("kid", "fd" if args.network == "efflite0" else "fid"):
        metric = kind + suffix.format(args.images)
        show(f"whole metric {metric}", max(whole_metric(metric, fakes, network, args) for _ in range(REPEATS)))
    if args.sweep:
        sweep(args, fakes)
    show("plain TensorFlow loop", timed(plain_loop(data, open_features(args, xla=False, batch=BATCH_SIZE)), args.images)[0])
    if gpus():
        print(f"peak GPU memory {peak_gpu_memory_gb():.1f} GiB")


def sweep(args, fakes):
    """Print the features' rate for every way to compute them."""
    for xla in (False, True):
        for batch in (32, 64, 128, 256):
            images, _ = fakes.launch(batch, 0)
            rate, first = timed(features_loop(open_features(args, xla, batch), images), args.images)
            show("features, {}, batch {}".format("XLA" if xla else "no XLA", batch), rate, f"first call {first:.0f} s")


if __name__ == "__main__":
    main()
