"""Print how fast training is on this machine, phase by phase, for one or several configurations.

    python benchmarks/train_speed.py                         # the CPU size: 32², 128 channels, batch 8
    python benchmarks/train_speed.py --size 256 --cfg paper256 --batch-gpu 64 --aug noaug
    python benchmarks/train_speed.py --size 64 --size 128 --xla 1 --xla 0
    python benchmarks/train_speed.py --size 256 --shape 512x128 --shape 128x512 --alpha     # squares and rectangles, RGBA

Each combination runs in a process of its own, over random images held in memory, so that compilation is measured from a
cold start. `s/kimg` weighs the phases as training does: G and D main at every minibatch, path length at every 4th, R1 at
every 16th, each timed alone until the device has finished it. `loop` is what 16 minibatches of the training loop take, data
included, where the device is given one phase while it still works on another; `img/s` and `floor`, the least time that the
arithmetic and the memory of this device need (floor.py), belong to it. `first step` is the time from the start of the process to
the end of the first minibatch with all four phases; with `--cache`, `again` is the same for a second process.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time

STARTED = time.time()
COLUMNS = (
    "size",
    "batch",
    "rounds",
    "aug",
    "fp16",
    "xla",
    "G_main",
    "G_reg",
    "D_main",
    "D_reg",
    "average",
    "s/kimg",
    "loop",
    "floor",
    "img/s",
    "first step",
    "again",
    "peak GPU",
    "at start",
)


def make_parser(description):
    """Return a parser of the options that name configurations."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, action="append", help="image side in pixels; may be given again (default 32)")
    parser.add_argument("--shape", type=shape, action="append", help="images of WIDTHxHEIGHT pixels; may be given again")
    parser.add_argument("--alpha", action="store_true", help="images with transparency, RGBA")
    parser.add_argument("--aug", action="append", choices=["noaug", "ada"], help="may be given again (default noaug)")
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32"], help="default auto: float16 on GPUs")
    parser.add_argument("--cfg", default="auto", help="base configuration (default auto)")
    parser.add_argument("--batch", type=int, help="images a minibatch (default 8 at 32 px, else the configuration's)")
    parser.add_argument("--batch-gpu", type=int, help="images a round")
    parser.add_argument("--cbase", type=int, help="channels: 2·fmap_base (default 4096 at 32 px)")
    parser.add_argument("--cmax", type=int, help="most channels of a layer (default 128 at 32 px)")
    parser.add_argument("--labels", type=int, default=0, help="classes (default 0)")
    return parser


def shape(text):
    """Return (height, width) of a text such as 768x512, width first."""
    from sg2ada_colab.errors import UserError
    from sg2ada_colab.shape import network_shape, parse_size

    try:
        network_shape(*parse_size(text))
    except UserError as error:
        raise argparse.ArgumentTypeError(f"{error.what} Expected: {error.expected}") from None
    return parse_size(text)


def sizes_of(args):
    """Return the sizes of the options, each a side or (height, width), px."""
    return (args.size or []) + (args.shape or []) or [32]


def parse(argv=None):
    parser = make_parser(__doc__)
    parser.add_argument("--xla", type=int, action="append", choices=[0, 1], help="may be given again (default 1)")
    parser.add_argument("--repeats", type=int, default=6, help="timed calls of each phase (default 6)")
    parser.add_argument(
        "--processor-time", action="store_true", help="count processor seconds instead of those of the clock: on a shared machine"
    )
    parser.add_argument("--cache", help="folder of compiled programs, filled and used as training does (default none)")
    parser.add_argument("--serial", action="store_true", help="compile one phase after another instead of side by side")
    parser.add_argument("--profile", help="folder for a list of kernels of each phase (default none)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


class RandomImages:
    """A dataset of noise, held in memory."""

    def __init__(self, size, labels, count=512, channels=3):
        import numpy as np

        from sg2ada_colab.shape import image_shape

        random, shape = np.random.RandomState(0), image_shape(size)
        self.resolution, self.height, self.width = shape.resolution, shape.height, shape.width
        self.images = random.randint(0, 255, [count, self.height, self.width, channels]).astype(np.uint8)
        self.labels = (
            np.eye(labels, dtype=np.float32)[random.randint(0, labels, count)] if labels else np.zeros([count, 0], np.float32)
        )
        self.num_images, self.channels, self.label_size = count, channels, labels

    def __len__(self):
        return self.num_images

    def read(self, indices):
        return self.images[indices]


def make_config(args, size, aug, xla):
    from sg2ada_colab.config.options import TrainOptions
    from sg2ada_colab.config.resolve import resolve
    from sg2ada_colab.config.train_config import DatasetInfo
    from sg2ada_colab.shape import image_shape

    images = image_shape(size)
    small = images.height * images.width == 32 * 32 and args.cfg == "auto"
    options = TrainOptions(
        outdir="runs",
        data="random",
        cfg=args.cfg,
        aug=aug,
        batch=args.batch or (8 if small else None),
        batch_gpu=args.batch_gpu,
        cbase=args.cbase or (4096 if small else None),
        cmax=args.cmax or (128 if small else None),
        metrics=[],
        no_xla=not xla,
        fp32=True if args.precision == "fp32" else None,
    )
    channels = 4 if args.alpha else 3
    data = DatasetInfo("random", "random", images.resolution, channels, args.labels, 512, init_res=images.init_res)
    return resolve(options, data)


def measure(args, size, aug, xla, only_first_step=False):
    """Return one row of the table as a dict; everything is set up as a run does it."""
    from floor import floor_of, lines_of, measured_rates

    from sg2ada_colab.compile import cache as compile_cache

    cache = compile_cache.use(args.cache or "off")
    from sg2ada_colab.compile.warm_up import warm_up
    from sg2ada_colab.dataset import TrainingStream
    from sg2ada_colab.draws import SEED_DTYPE
    from sg2ada_colab.runs.build import build_phases, build_state
    from sg2ada_colab.runs.device import peak_gpu_memory_gb, prepare_device
    from sg2ada_colab.seeds import step_seed
    from sg2ada_colab.shape import size_words
    from sg2ada_colab.tf import tf
    from sg2ada_colab.training.state import flat

    config = make_config(args, size, aug, xla)
    prepare_device()
    state = build_state(config)
    phases = build_phases(config, state)
    stream = TrainingStream(RandomImages(size, args.labels, channels=config.channels), config.schedule.minibatch_gpu, 0)
    reals, labels = (tf.constant(x) for x in stream.batch(0))
    half = labels[: max(config.schedule.minibatch_gpu // config.losses.pl_minibatch_shrink, 1)]
    p = tf.constant(0.5 if aug == "ada" else 0.0)
    inputs = {"G_main": (labels, p), "G_reg": (half, p), "D_main": (labels, reals, labels, p), "D_reg": (reals, labels, p)}
    last = config.schedule.rounds - 1
    sys.stderr.write(f"set up after {time.time() - STARTED:.1f} s\n")

    def run(name, step):
        report, _ = phases[name].run(last, tf.constant(step_seed(0, name, step), SEED_DTYPE), *inputs[name])
        return report.numpy()

    clock = time.process_time if args.processor_time else time.perf_counter

    def timed(call):
        began = clock()
        call()
        return clock() - began

    if xla and not args.serial:
        ready = warm_up(phases.programs(), flat(state.variables()) + phases.variables(), cache)
        sys.stderr.write(f"ready after: { ({name: round(seconds, 1) for name, seconds in ready.items()}) }\n")
        if cache:
            cache.keep()
    peak_at_start = peak_gpu_memory_gb(reset=True)
    for name in inputs:
        seconds = timed(lambda n=name: run(n, 0))
        sys.stderr.write(f"first {name} took {seconds:.1f} s\n")
    phases.update_average(tf.constant(0.5))
    first_step_s = time.time() - STARTED
    sys.stderr.write(f"first step after {first_step_s:.1f} s\n")
    if only_first_step:
        return {"first step": first_step_s}
    ms = {name: 1000 * min(timed(lambda n=name, i=i: run(n, i)) for i in range(args.repeats)) for name in inputs}
    ms["average"] = 1000 * min(timed(lambda: phases.update_average(tf.constant(0.5))) for _ in range(args.repeats))
    loop_s = min(train_sixteen(config, state, phases, stream, p, clock) for _ in range(2))
    if args.profile:
        write_profiles(args.profile, f"{size_words(size)}-{aug}", {name: lambda n=name: run(n, 1) for name in inputs})
    rounds = config.schedule.rounds
    minibatch_s = (rounds * (ms["G_main"] + ms["D_main"] + ms["G_reg"] / 4 + ms["D_reg"] / 16) + ms["average"]) / 1000
    row = {
        "size": size_words(size),
        "batch": config.schedule.minibatch_size,
        "rounds": rounds,
        "aug": aug,
        "fp16": state.G.num_fp16_res,
        "xla": xla,
        "s/kimg": minibatch_s * 1000 / config.schedule.minibatch_size,
        "loop": loop_s * 1000 / 16 / config.schedule.minibatch_size,
        "img/s": 16 * config.schedule.minibatch_size / loop_s,
        "first step": first_step_s,
        "again": "-",
        "peak GPU": peak_gpu_memory_gb(),
        "at start": peak_at_start,
    }
    row.update(ms)
    lines, row["floor"] = floor_of(config, phases, measured_rates())
    sys.stderr.write("\n".join(lines_of(lines, row["floor"])) + "\n")
    return row


def train_sixteen(config, state, phases, stream, p, clock=time.perf_counter):
    """Return the seconds that the training loop takes for 16 minibatches, which have every phase in its proper share.

    Args:
        clock: Function that returns seconds: of the clock, or of the processors.
    """
    from sg2ada_colab.tf import tf
    from sg2ada_colab.training.loop import MINIBATCHES_PER_GROUP, Batches, draw_calls, read_ahead, read_reports, run_minibatch

    beta, done = tf.constant(0.5), state.counters.minibatch
    with read_ahead(stream, done * config.schedule.rounds, MINIBATCHES_PER_GROUP * config.schedule.rounds) as batches:
        began = clock()
        for start in range(done, done + 16, MINIBATCHES_PER_GROUP):
            results = []
            for calls in draw_calls(range(start, start + MINIBATCHES_PER_GROUP), phases, stream, config.seed):
                results += run_minibatch(state, phases, calls, Batches(batches, None), p, beta)
            read_reports(results)
        return clock() - began


def write_profiles(folder, name, calls):
    """Write each phase's kernels by falling time to FOLDER/NAME-PHASE.txt."""
    import os
    import tempfile

    from sg2ada_colab.compile.profile import kernels, table, traced

    os.makedirs(folder, exist_ok=True)
    for phase, call in calls.items():
        with tempfile.TemporaryDirectory() as scratch:
            with traced(scratch):
                call()
            rows, busy_ms, span_ms = kernels(scratch)
        with open(os.path.join(folder, f"{name}-{phase}.txt"), "w", encoding="utf-8") as file:
            file.write(f"busy {busy_ms:.2f} ms of {span_ms:.2f} ms\n")
            file.write("\n".join(table(rows, busy_ms, len(rows))) + "\n")


def in_a_process(**what):
    """Return `measure(**what)` of a new process."""
    command = [sys.executable, __file__] + sys.argv[1:] + ["--one", json.dumps(what)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()[-1])


def main():
    args = parse()
    if args.one:
        print(json.dumps(measure(args, **json.loads(args.one))))
        return
    print(
        "phases, average in ms; s/kimg, loop, floor in s a kimg; first step, again in s; peak in GiB, while training and before"
    )
    print(" ".join(f"{name:>10}" for name in COLUMNS))
    for size, aug, xla in itertools.product(sizes_of(args), args.aug or ["noaug"], args.xla or [1]):
        row = in_a_process(size=size, aug=aug, xla=xla)
        if args.cache:
            row["again"] = in_a_process(size=size, aug=aug, xla=xla, only_first_step=True)["first step"]
        print(
            " ".join("{:>10}".format(f"{row[c]:.2f}" if isinstance(row[c], float) else row[c]) for c in COLUMNS),
            flush=True,
        )


if __name__ == "__main__":
    main()
