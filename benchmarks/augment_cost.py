"""Print what the augmentation costs on this machine: forward, forward with gradient, and R1's double gradient.

    python benchmarks/augment_cost.py --size 256 --batch 64
    python benchmarks/augment_cost.py --size 32 --batch 8 --step-ms 320

A training step calls the pipeline three times: fakes in the G step (with gradient), fakes and reals in the D step (forward
only); and every 16th step reals under R1 (double gradient). `--step-ms` is a whole step without augmentation, for the share.
"""

import argparse
import time

import numpy as np

from sg2ada_colab.augment.config import DEFAULT_PIPE, PIPES, AugmentConfig
from sg2ada_colab.augment.pipeline import augment
from sg2ada_colab.tf import IS_TF1, VERSION, compiled, gpus, tf


def parse(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256, help="pixels per side (default 256)")
    parser.add_argument("--batch", type=int, default=64, help="images (default 64)")
    parser.add_argument("--channels", type=int, default=3, help="3 or 1 (default 3)")
    parser.add_argument("--pipe", default=DEFAULT_PIPE, choices=list(PIPES), help="pipe to time (default bgc)")
    parser.add_argument("--p", type=float, default=0.6, help="strength (default 0.6)")
    parser.add_argument("--repeats", type=int, default=20, help="timed calls (default 20)")
    parser.add_argument("--step-ms", type=float, help="milliseconds of a whole training step without augmentation")
    parser.add_argument("--only", default="", help="comma-separated part names: forward, gradient, r1")
    parser.add_argument("--no-xla", action="store_true", help="plain graphs")
    return parser.parse_args(argv)


def passes(config):
    """Return {name: function(images, p, seed) -> scalar} of the three ways in which training uses the pipeline."""

    def forward(images, p, seed):
        return tf.reduce_sum(augment(images, p, config, seed) ** 2)

    def gradient(images, p, seed):
        with tf.GradientTape() as tape:
            tape.watch(images)
            score = tf.reduce_sum(augment(images, p, config, seed) ** 2)
        return tf.reduce_sum(tape.gradient(score, images) ** 2)

    def r1(images, p, seed):
        # A discriminator in small: a weight on the augmented image, so that the second pass runs back through both passes.
        weight = tf.ones(images.shape)
        with tf.GradientTape() as outer:
            outer.watch(weight)
            with tf.GradientTape() as inner:
                inner.watch(images)
                score = tf.reduce_sum(weight * augment(images, p, config, seed) ** 2)
            penalty = tf.reduce_sum(inner.gradient(score, images) ** 2)
        return tf.reduce_sum(outer.gradient(penalty, weight))

    return {"forward": forward, "gradient": gradient, "r1": r1}


def milliseconds(function, images, p, repeats):
    """Return (compile seconds, median milliseconds of a call)."""
    start = time.perf_counter()
    float(function(images, p, tf.constant([0, 0])))
    first_s = time.perf_counter() - start
    times = []
    for step in range(repeats):
        seed = tf.constant([step, 1])
        start = time.perf_counter()
        float(function(images, p, seed))  # fetching the sum waits for the device
        times.append((time.perf_counter() - start) * 1e3)
    return first_s, float(np.median(times))


def main(argv=None):
    args = parse(argv)
    config = AugmentConfig.from_pipe(args.pipe)
    images = tf.constant(np.random.RandomState(0).randn(args.batch, args.size, args.size, args.channels).astype(np.float32))
    device = gpus()[0].name if gpus() else "CPU"
    mode = "plain graphs" if args.no_xla or IS_TF1 else "XLA"
    print(f"TensorFlow {VERSION}, {device}, {mode}")
    print(f"{args.size}x{args.size}x{args.channels}, batch {args.batch}, pipe {args.pipe}, p {args.p}\n")
    print("{:<10} {:>12} {:>12}".format("pass", "first call s", "median ms"))
    cost = {}
    for name, function in passes(config).items():
        if args.only and name not in args.only.split(","):
            continue
        first_s, cost[name] = milliseconds(compiled(function, not args.no_xla), images, tf.constant(args.p), args.repeats)
        print(f"{name:<10} {first_s:>12.1f} {cost[name]:>12.2f}", flush=True)
    if len(cost) == 3:
        # R1's step replaces nothing: its augmentation comes on top of the other three calls.
        total = cost["gradient"] + 2 * cost["forward"] + cost["r1"] / 16
        print(f"\na training step: gradient + 2 forward + r1 / 16 = {total:.2f} ms")
        if args.step_ms:
            print(f"share of a step of {args.step_ms:g} ms: {100 * total / args.step_ms:.1f} %")


if __name__ == "__main__":
    main()
