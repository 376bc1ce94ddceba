"""Print how many images a second a metric takes on this machine: generator, feature network, both, and simpler loops beside them.

    python benchmarks/metric_speed.py --size 256 --images 2048
    python benchmarks/metric_speed.py --network inception --torch-python ~/torch/bin/python

Generator and Inception have random weights, since speed does not depend on them. The straightforward loop generates in float32
without XLA, a batch at a time, and feeds the features what comes. torch-fidelity's extractor runs the same Inception on images of
the same size, in the Python that --torch-python names.
"""

import argparse
import json
import subprocess
import time

import numpy as np

from sg2ada_colab.metrics.fakes import SnapshotFakes
from sg2ada_colab.metrics.features import BATCH_SIZE, FeatureNetwork, open_efficientnet
from sg2ada_colab.networks.generator import Generator, to_uint8
from sg2ada_colab.networks.variables import GeneratorConfig, generator_specs, initial_values
from sg2ada_colab.snapshots.network_data import NetworkData
from sg2ada_colab.tf import VERSION, compiled, gpus, tf

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
print(json.dumps({"rate": count / run(count), "device": device, "torch": torch.__version__}))
"""


def parse(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256, help="pixels per side (default 256)")
    parser.add_argument("--images", type=int, default=512, help="images timed in each line (default 512)")
    parser.add_argument("--network", default="efflite0", choices=("efflite0", "inception"), help="(default efflite0)")
    parser.add_argument("--features", help="file or folder with the weights")
    parser.add_argument("--fmap-base", type=int, default=16384, help="width of the generator (default 16384)")
    parser.add_argument("--no-xla", action="store_true", help="plain graphs")
    parser.add_argument("--feature-xla", action="store_true", help="compile the feature network with XLA as well")
    parser.add_argument("--torch-python", help="a Python with torch and torch-fidelity, for the comparison")
    return parser.parse_args(argv)


def random_generator(size, fmap_base):
    """Return NetworkData of a generator with initial weights."""
    kwargs = {"resolution": size, "fmap_base": fmap_base, "mapping_layers": 2, "num_fp16_res": 4, "conv_clamp": 256.0}
    config = GeneratorConfig.from_kwargs(kwargs)
    return NetworkData("Gs", config.to_kwargs(), initial_values(generator_specs(config), 0, "G"))


def random_inception(xla):
    """Return the Inception network with random weights."""
    from sg2ada_colab.metrics.inception import CLASSES, CONVOLUTIONS, DIMENSIONS, inception_v3

    draws, weights = np.random.RandomState(0), {}
    for scope, _, height, width, channels, filters in CONVOLUTIONS:
        deviation = (2 / (height * width * channels)) ** 0.5
        kernel = draws.normal(0, deviation, [height, width, channels, filters]).astype(np.float32)
        weights[scope] = (tf.constant(kernel), tf.zeros([filters]))
    output = tf.zeros([DIMENSIONS, CLASSES])
    forward = compiled(lambda images: {"features": inception_v3(images, weights, output)[0]}, xla)
    return FeatureNetwork("inception", "random", {"features": DIMENSIONS}, forward)


def rate(function, count, batch=BATCH_SIZE):
    """Return images a second of function(count, start), after a first call that compiles."""
    for start in (0, batch):
        function(batch, start)
    started = time.time()
    for start in range(2 * batch, 2 * batch + count, batch):
        function(batch, start)
    return count / (time.time() - started)


def straightforward(network_data, features):
    """Return the loop that one would write first: float32, no XLA, features fed as the images come."""
    generator = Generator(GeneratorConfig.from_kwargs(network_data.kwargs), network_data.variables, num_fp16_res=0)
    generate = compiled(lambda z, labels: to_uint8(generator(z, labels, noise_seed=tf.constant([1, 2]))), xla=False)

    def loop(count, start):
        z = np.random.RandomState(start).randn(count, generator.config.latent_size).astype(np.float32)
        return features.forward(generate(tf.constant(z), tf.zeros([count, 0])).numpy())["features"].numpy()

    return loop


def main(argv=None):
    args = parse(argv)
    data = random_generator(args.size, args.fmap_base)
    fakes = SnapshotFakes(data, xla=not args.no_xla)
    if args.network == "inception":
        network, plain = random_inception(args.feature_xla), random_inception(False)
    else:
        network, plain = open_efficientnet(args.features, xla=args.feature_xla), open_efficientnet(args.features)
    images = fakes(BATCH_SIZE, 0)
    device = tf.config.experimental.get_device_details(gpus()[0]).get("device_name") if gpus() else "CPU"
    print("TensorFlow {}, {}, {} px, {} images, {}".format(VERSION, device, args.size, args.images, args.network))
    rows = [("generator", lambda n, k: fakes(n, k)), ("features", lambda n, k: network(images[:n]))]
    rows += [("both", lambda n, k: network(fakes(n, k))), ("both, straightforward loop", straightforward(data, plain))]
    for name, function in rows:
        print("{:<28} {:9.1f} images/s".format(name, rate(function, args.images)), flush=True)
    if args.torch_python:
        words = [args.torch_python, "-c", TORCH_FIDELITY, str(args.size), str(args.images), str(BATCH_SIZE)]
        found = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout.decode().splitlines()[-1])
        name = "features, torch-fidelity ({}, torch {})".format(found["device"], found["torch"])
        print("{:<28} {:9.1f} images/s (Inception)".format(name, found["rate"]))


if __name__ == "__main__":
    main()
