"""Print how fast several processes train together on this machine, and how long their messages take.

    python benchmarks/scaling.py                                            # processors: 1 and 2 processes, 32²
    python benchmarks/scaling.py --ranks 1 2 4 8 --gpus --size 256 --cfg paper256 --batch-gpu 64

Weak scaling gives each process --batch-gpu images of a minibatch, strong scaling divides a minibatch of --batch. `img/s` is what
the training loop makes of random images held in memory, after the first groups; `of N` is that against N times one process.
`message` is the size of what one minibatch sends, all its phases in their proper share, `sum ms` how long its sums take with
nothing else to do, `share` what part of a minibatch that is. Processes on one processor share its cores: there the table only
shows that it works.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

from train_speed import RandomImages, make_config, make_parser, sizes_of

COLUMNS = ("scaling", "ranks", "batch", "rounds", "img/s", "of N", "message", "sum ms", "share")
WARM_UP_GROUPS = 4  # all phases come once in 16 minibatches


def parse(argv=None):
    parser = make_parser(__doc__)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2], help="numbers of processes (default 1 2)")
    parser.add_argument("--gpus", action="store_true", help="a GPU for each process (default: processors)")
    parser.add_argument("--groups", type=int, default=8, help="groups of four minibatches that are timed (default 8)")
    parser.add_argument("--scaling", nargs="+", default=["strong", "weak"], choices=["strong", "weak"], help="default both")
    parser.add_argument("--alone", type=float, help="img/s of one process, where --ranks has none")
    parser.add_argument("--cache", help="folder of compiled programs, filled and used as training does (default none)")
    parser.add_argument("--xla", type=int, default=1, choices=[0, 1])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def measure(args, batch):
    """Return what one process of a run with a minibatch of `batch` images measures, as a dict."""
    from sg2ada_colab.compile import cache as compile_cache

    cache = compile_cache.use(args.cache or "off", leads=not args.rank)
    from sg2ada_colab.training.ranks import join

    ranks = join()
    from dataclasses import replace

    from sg2ada_colab.compile.warm_up import warm_up, warm_up_together
    from sg2ada_colab.config.shared_rounds import share_rounds
    from sg2ada_colab.dataset import TrainingStream
    from sg2ada_colab.runs.build import build_phases, build_state
    from sg2ada_colab.training.loop import MINIBATCHES_PER_GROUP, Callback, train
    from sg2ada_colab.training.state import flat

    args.batch = batch
    config, _ = share_rounds(make_config(args, sizes_of(args)[0], (args.aug or ["noaug"])[0], args.xla), ranks.count)
    groups = WARM_UP_GROUPS + args.groups
    kimg = groups * MINIBATCHES_PER_GROUP * batch / 1000
    config = replace(config, schedule=replace(config.schedule, total_kimg=kimg))
    state = build_state(config)
    phases = build_phases(config, state, ranks)
    if args.xla:
        programs, variables = phases.programs(), flat(state.variables()) + phases.variables()
        if ranks.count > 1:
            warm_up_together(programs, variables, cache, not args.rank, lambda: ranks.gather([0.0]))
        else:
            warm_up(programs, variables, cache)
        if cache:
            cache.keep()

    class Clock(Callback):
        times = []

        def on_group(self, progress):
            self.times.append(time.perf_counter())

    images = RandomImages(sizes_of(args)[0], args.labels, channels=config.channels)
    stream = TrainingStream(images, config.schedule.minibatch_gpu, 0)
    train(state, phases, stream, config, [Clock()], lambda: None)
    seconds = Clock.times[-1] - Clock.times[WARM_UP_GROUPS - 1]
    minibatch_s = seconds / args.groups / MINIBATCHES_PER_GROUP
    bytes_sent, sum_s = messages(ranks, phases)
    return {
        "batch": batch,
        "rounds": len(phases.own_rounds),
        "img/s": batch / minibatch_s,
        "message": bytes_sent,
        "sum ms": 1000 * sum_s,
        "share": sum_s / minibatch_s,
    }


def messages(ranks, phases, repeats=10):
    """Return (bytes, seconds) of what a minibatch sends, each phase as often as it is called."""
    from sg2ada_colab.tf import tf

    if ranks.count == 1:
        return 0, 0.0
    total_bytes = total_s = 0.0
    for phase in phases.generator + phases.discriminator:
        if not phase.interval:
            continue
        vector = tf.zeros([phase.message_size])
        best = float("inf")
        for _ in range(repeats):
            ranks.gather([0.0])  # all begin together
            began = time.perf_counter()
            ranks.sum(vector)[0].numpy()
            best = min(best, time.perf_counter() - began)
        total_bytes += 4 * phase.message_size / phase.interval
        total_s += best / phase.interval
    return total_bytes, total_s


def in_processes(args, count, batch):
    """Return what the first of `count` new processes measures."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        workers = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
    cards = visible.split(",") if args.gpus else ["-1"] * count
    children = []
    for index, card in zip(range(count), cards):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        environment = dict(os.environ, CUDA_VISIBLE_DEVICES=card, TF_CONFIG=json.dumps(task))
        command = [sys.executable, __file__] + sys.argv[1:] + ["--one", str(batch), "--rank", str(index)]
        children.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
    printed = [child.communicate()[0] for child in children]
    for child in children:
        if child.returncode:
            sys.exit(f"a process ended with {child.returncode}")
    return json.loads(printed[0].decode().splitlines()[-1])


def rows(args):
    """Yield the table's rows as dicts."""
    schedule = make_config(args, sizes_of(args)[0], "noaug", args.xla).schedule
    alone, measured = {}, {}
    for scaling in args.scaling:
        for count in args.ranks:
            batch = schedule.minibatch_size if scaling == "strong" else schedule.minibatch_gpu * count
            if scaling == "strong" and batch % count:
                continue
            if (count, batch) not in measured:
                measured[count, batch] = in_processes(args, count, batch)
            row = dict(measured[count, batch])
            if count == 1:
                alone[scaling] = row["img/s"]
            row.update(scaling=scaling, ranks=count)
            row["of N"] = row["img/s"] / (count * alone.get(scaling, args.alone or float("nan")))
            row["message"] = "{:.1f} MB".format(row["message"] / 1e6)
            yield row


def main():
    args = parse()
    if args.one:
        print(json.dumps(measure(args, int(args.one))))
        return
    print(" ".join(f"{name:>10}" for name in COLUMNS))
    for row in rows(args):
        print(" ".join("{:>10}".format(f"{row[c]:.3f}" if isinstance(row[c], float) else row[c]) for c in COLUMNS), flush=True)


if __name__ == "__main__":
    main()
