"""The verbs `train` and `resume`: their flags and help, the dry run, and the start of training."""

import argparse
import os
from dataclasses import fields, replace
from typing import Any

from ..compile.cache import use_for_run
from ..config.estimate import estimate
from ..config.options import GROUPS, TrainOptions, flag_of, switch
from ..config.options_file import options_text
from ..config.resume_check import resumable
from ..errors import UserError
from ..native_log import filtered
from ..runs.cluster import find_cluster
from ..runs.launch import Job, launch
from ..runs.plan import RunPlan, bring_here, plan_run
from ..shape import size_words
from ..storage.choose import run_names
from ..storage.places import find_places, results_places, usual_results


def register(verbs: Any) -> None:
    """Add the verbs to the argparse subparsers `verbs`."""
    begin = _add_verb(
        verbs,
        "train",
        "sg2ada train --outdir=DIR --data=DIR [options]",
        "Train StyleGAN2 with adaptive augmentation on a dataset of TFRecords. Options and defaults are those of NVIDIA's "
        "train.py; the others are ours. Options may be abbreviated as long as they are unmistakable.",
    )
    _add_flags(begin, fields(TrainOptions), required=("outdir", "data"))
    begin.set_defaults(run=run_train)

    again = _add_verb(
        verbs,
        "resume",
        "sg2ada resume [RUN] [options]",
        "Go on with a run from its newest complete snapshot, in the same folder, as if it had never stopped. Options that are "
        "not given stay as they were.",
    )
    again.add_argument(
        "run_folder", metavar="RUN", nargs="?", default=".",
        help="folder of the run, or folder of runs, of which the one with the newest snapshot goes on (default: this folder, or "
        "the workspace's results)",
    )  # fmt: skip
    shown = [f for f in fields(TrainOptions) if resumable(f.name) or f.default is False or f.name == "gpus"]
    _add_flags(again, shown)
    # Flags of train are understood, not shown: none is taken for the beginning of another, and each is refused with the reason.
    for option in fields(TrainOptions):
        if option not in shown:
            _add_flag(again, option, required=False, hidden=True)
    again.set_defaults(run=run_resume)


def _add_verb(verbs, name, usage, description):
    # The help is laid out without argparse's own group titles and usage, which differ between Python versions.
    parser = verbs.add_parser(
        name,
        usage=usage,
        help=description.split(". ")[0][0].lower() + description.split(". ")[0][1:],
        description=description,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=26, width=110),
        add_help=False,
    )
    _prefer_nvidia(parser)
    return parser


def _prefer_nvidia(parser):
    """Let abbreviations that NVIDIA's program understands mean the same here, though we have more flags."""
    nvidia = {flag_of(f.name) for f in fields(TrainOptions) if f.metadata["nvidia"]}
    all_matches = parser._get_option_tuples

    def matches(text):
        found = all_matches(text)
        first = [match for match in found if match[1] in nvidia]
        return first if len(first) == 1 else found

    parser._get_option_tuples = matches


def _add_flags(parser, options, required=()):
    groups = {}
    for group, title, description in GROUPS:
        members = [f for f in options if f.metadata["group"] == group]
        if members:
            groups[group] = parser.add_argument_group(title, description)
            for option in members:
                _add_flag(groups[group], option, option.name in required)
    groups["general"].add_argument("-h", "--help", action="help", help="show this help and stop")


def _add_flag(group, option, required, hidden=False):
    flag = option.metadata
    help_text = flag["help"] if required else flag["help"].replace(" (required)", "")
    help_text = argparse.SUPPRESS if hidden else help_text
    if flag["kind"] is bool:
        group.add_argument(*flag["names"], flag_of(option.name), action="store_true", help=flag["help"])
        return
    more = {"nargs": "?", "const": True} if flag["kind"] is switch else {}
    group.add_argument(
        flag_of(option.name), type=flag["kind"], metavar=flag["metavar"], choices=flag["choices"], required=required,
        help=help_text, **more
    )  # fmt: skip
    for name in flag["names"]:  # other spellings: understood, not shown twice
        group.add_argument(name, dest=option.name, type=flag["kind"], default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run_train(args: argparse.Namespace) -> int:
    return train(TrainOptions.from_args(args))


def train(options: TrainOptions) -> int:
    """Check the options, begin a run or go on with one for resume="latest", and train; return the exit code.

    Args:
        options: `TrainOptions`; `outdir` and `data` must be given.

    Raises:
        UserError: Something is wrong with the options or the data; nothing was started.
    """
    missing = [flag_of(name) for name in ("outdir", "data") if not getattr(options, name)]
    if missing:
        raise UserError(
            "Not given: {}.".format(", ".join(missing)),
            "A folder for runs and the folder of a dataset.",
            "Pass --outdir=<folder> and --data=<folder>.",
        )
    return execute(plan_run(options, results_places(str(options.outdir)), new_run=options.resume != "latest"), options)


def run_resume(args: argparse.Namespace) -> int:
    options = TrainOptions.from_args(args)
    if options.outdir is not None:
        raise UserError(
            "--outdir is given, but a run goes on in its own folder.",
            "The run's folder, or the folder of runs, without a flag.",
            f"sg2ada resume {options.outdir}",
        )
    if options.resume is not None:
        raise UserError(
            f"--resume={options.resume} is given, but `sg2ada resume` goes on from the run's own snapshots.",
            "The run's folder alone; a network to begin a new run with is for `sg2ada train`.",
            f"Leave it out, or begin a new run: sg2ada train --resume={options.resume} --outdir=DIR --data=DIR.",
        )
    return resume(args.run_folder, options)


def resume(folder: str, options: TrainOptions) -> int:
    """Go on with a run; return the exit code.

    In Colab a run on Drive and its copy on the machine's disk are one: the newest complete snapshot of both is taken.

    Args:
        folder: The run's folder, or a folder of runs, of which `runs.plan` chooses.
        options: `TrainOptions`; what is given must be the run's, or be free to change.

    Raises:
        UserError: There is no run of this program, its dataset is another, or an option would make another run of it.
    """
    places = find_places(folder)
    if folder == os.curdir and places.run is None and not any(map(run_names, places.results)):
        places = results_places(usual_results())
    return execute(plan_run(options, places), options)


def execute(plan: RunPlan, options: TrainOptions) -> int:
    """Print a `RunPlan`, and train unless it is a dry run or there is nothing left to train; return the exit code."""
    cluster, sharing = find_cluster(plan.config, plan.gpus)
    print_plan(replace(plan, sentences=plan.sentences + ((sharing,) if sharing else ())), options)
    if options.dry_run or plan.is_finished:
        return 0
    plan = bring_here(plan, None if options.quiet else print)
    return start(plan, options.quiet) if cluster is None else launch(Job.of_plan(plan, options.quiet), cluster)


def print_plan(plan: RunPlan, options: TrainOptions) -> None:
    """Print the settings as NVIDIA's program does, where gamma came from, notes, and for a dry run the estimate.

    Args:
        plan: `RunPlan`.
        options: `TrainOptions`, of which `dry_run` and `quiet` count here.
    """
    if options.quiet and not options.dry_run:
        return
    config = plan.config
    lines = [
        "",
        "Training options:",
        options_text(config, plan.run_dir),
        "",
        f"Output directory:  {plan.run_dir}",
        f"Training data:     {config.data.path}",
        f"Training length:   {config.schedule.total_kimg} kimg",
        f"Resolution:        {size_words(config.size)}",
        f"Number of GPUs:    {config.schedule.num_gpus}",
        f"Gamma:             {config.losses.r1_gamma} ({config.losses.gamma_rule})",
    ]
    lines += [f"Copied to:         {plan.drive_dir}"] if plan.drive_dir else []
    if options.dry_run:  # otherwise the run's log begins with them
        lines += [f"Note:              {note}" for note in config.notes]
    lines += [sentence for sentence in plan.sentences if sentence not in config.notes]
    lines += estimate(config, plan.gpus).lines() if options.dry_run else []
    kimg = config.schedule.total_kimg
    lines += [f"The run has trained for its {kimg:g} kimg; to train longer, pass a larger --kimg."] if plan.is_finished else []
    lines += ["", "Dry run; exiting."] if options.dry_run else [""]
    print("\n".join(lines))


def start(plan: RunPlan, quiet: bool = False) -> int:
    """Train a `RunPlan` that `bring_here` has made ready, in this process; return the exit code."""
    config = plan.config
    cache = use_for_run(config.engine.xla, config.engine.deterministic, plan.drive_dir)
    with filtered(quiet):
        from ..runs import start as runs  # imports TensorFlow: only now, when all is checked

        return runs.start(
            config, plan.run_dir, plan.candidate, quiet=quiet, drive_dir=plan.drive_dir, cache=cache, store=plan.store
        )
