"""The verbs `train` and `resume`: their flags and help, the dry run, and the start of training."""

import argparse
import glob
import os
import shutil
from dataclasses import fields

from ..colab.places import find_run, newest_run, results_places, run_places, usual_results
from ..colab.runtime import gpu_memory_bytes
from ..errors import UserError
from ..metrics.catalogue import parse_metric
from ..runs import compile_cache
from ..snapshots.choose import newest_good
from ..snapshots.verified_copy import fetch_run
from ..training.config import DatasetInfo
from ..training.estimate import GIB, estimate
from ..training.fit_card import resolve_for_card
from ..training.options import GROUPS, TrainOptions, flag_of, switch
from ..training.options_file import FILE_NAME, options_text, read_config
from ..training.refusals import together
from ..training.resolve import option_refusals, resolve
from ..training.resume_check import check_resume, continued
from ..training.run_name import run_folder


def register(verbs):
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
        "Go on with a run from its newest whole snapshot, in the same folder, as if it had never stopped. Options that are "
        "not given stay as they were.",
    )
    again.add_argument(
        "run_folder", metavar="RUN", nargs="?", default=".",
        help="folder of the run, or folder of runs, whose newest is taken (default: this folder, or the workspace's results)",
    )  # fmt: skip
    _add_flags(again, [f for f in fields(TrainOptions) if f.metadata["resumable"] or f.default is False])
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


def _add_flag(group, option, required):
    flag = option.metadata
    help_text = flag["help"] if required else flag["help"].replace(" (required)", "")
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


def run_train(args):
    return train(TrainOptions.from_args(args))


def train(options):
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
    latest = newest_run(options.outdir, FILE_NAME) if options.resume == "latest" else None
    if latest:
        return go_on(latest, options)
    config = resolve_for_card(options, *open_data(options), check_metric=parse_metric, memory_bytes=gpu_memory_bytes())
    taken = [run_folder(place, config.run_description) for place in results_places(options.outdir)]
    places = run_places(os.path.join(options.outdir, max(map(os.path.basename, taken))))
    print_plan(config, places, options)
    if options.dry_run:
        return 0
    _check_network_file(config.resume_pkl)
    _check_disk(config, os.path.dirname(places.here))
    return start(config, places.here, resume=False, quiet=options.quiet, drive_dir=places.drive)


def run_resume(args):
    return resume(args.run_folder, TrainOptions.from_args(args))


def resume(folder, options):
    """Go on with a run; return the exit code.

    In Colab a run on Drive and its copy on the machine's disk are one: the newest whole snapshot of both is taken.

    Args:
        folder: The run's folder, or a folder of runs, whose newest is taken.
        options: `TrainOptions`; what is given must be the run's, or be free to change.

    Raises:
        UserError: There is no run of ours, the data are others, or an option would make another run of it.
    """
    places = find_run(folder, FILE_NAME)
    if places is None and folder == os.curdir:
        places = newest_run(usual_results(), FILE_NAME)
    if places is None:
        raise UserError(
            "There is no run in {}.".format(folder),
            "The folder of a run, or one that has such folders: each with a {}.".format(FILE_NAME),
            "Name the folder that was --outdir of sg2ada train, or begin a run: sg2ada train --help.",
        )
    return go_on(places, options)


def go_on(places, options):
    """Go on with the run in `places` (a `RunPlaces`), as `resume` does."""
    run_dir = places.folder_with(FILE_NAME)
    saved = read_config(run_dir)
    given = {name: value for name, value in options.given().items() if name not in ("outdir", "resume", "dry_run", "quiet")}
    wished = TrainOptions(**dict(saved.options, **given))
    opened = open_data(wished)
    as_begun = resolve(TrainOptions(**saved.options), *opened, check_metric=parse_metric)
    config = continued(saved, as_begun, resolve(wished, *opened, check_metric=parse_metric))
    changes = ["Changed:           {}".format(difference) for difference in check_resume(saved, config, run_dir)]
    has_snapshots = any(glob.glob(os.path.join(glob.escape(one), "network-snapshot-*.pkl")) for one in places.folders)
    if not has_snapshots:
        changes.append("The run was stopped before its first snapshot: it begins anew.")
    candidate = newest_of(places) if has_snapshots and places.drive else None
    if candidate:
        changes.append("Going on from:     {}".format(candidate.pickle))
    print_plan(config, places, options, changes)
    if options.dry_run:
        return 0
    if candidate:
        fetch_run(candidate, os.path.dirname(places.here), None if options.quiet else print)
    return start(config, places.here, resume=has_snapshots, quiet=options.quiet, drive_dir=places.drive)


def newest_of(places):
    """Return the newest whole snapshot of a run, on this machine and on Drive together; print what is passed over.

    Raises:
        UserError: None is whole.
    """
    choice = newest_good(places.folders)
    for sentence in choice.skipped:
        print("Passed over:       " + sentence)
    if choice.candidate is None:
        raise UserError(
            "{} has no snapshot to go on from, neither here nor on Drive.".format(os.path.basename(places.here)),
            "a network-snapshot-NNNNNN.pkl with its training-state-NNNNNN.npz, both whole",
            "begin a new run: sg2ada train",
        )
    return choice.candidate


def open_data(options):
    """Return the `DatasetInfo`s of --data and --metricdata (None where not given); all that is wrong comes in one UserError."""
    opened, problems = [], option_refusals(options, parse_metric)
    for name in ("data", "metricdata"):
        path = getattr(options, name)
        try:
            opened.append(None if path is None else DatasetInfo.open(path))
        except UserError as problem:
            what = "{}: {}".format(flag_of(name), problem.what)
            problems.append(UserError(what, problem.expected, problem.next_step))
    if problems:
        raise together(problems)
    return opened


def _check_network_file(path):
    if path is None or "://" in path or os.path.isfile(path):
        return
    raise UserError(
        "--resume: {} does not exist.".format(path),
        "A network pickle, its URL, one of NVIDIA's names (see --help), or latest.",
        "Check the path.",
    )


def _check_disk(config, outdir):
    """Refuse a run whose first two snapshots would not fit on the disk: the second is whole before the first may go."""
    cost, folder = estimate(config), os.path.abspath(outdir)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free, needed = shutil.disk_usage(folder).free, 2 * (cost.snapshot_bytes + cost.state_bytes)
    if free < needed:
        raise UserError(
            "The disk of {} has {:.1f} GiB free.".format(folder, free / GIB),
            "{:.1f} GiB for two snapshots; the whole run takes about {:.1f} GiB.".format(needed / GIB, cost.disk_bytes / GIB),
            "Delete what is not needed, or choose an --outdir on another disk.",
        )


def print_plan(config, places, options, changes=()):
    """Print the settings as NVIDIA's program does, where gamma came from, notes, changes and, for a dry run, the estimate.

    Args:
        config: `TrainConfig`.
        places: `RunPlaces` of the run.
        options: `TrainOptions`, of which `dry_run` and `quiet` count here.
        changes: Lines on what is new when a run goes on.
    """
    if options.quiet and not options.dry_run:
        return
    lines = [
        "",
        "Training options:",
        options_text(config, places.here),
        "",
        "Output directory:  {}".format(places.here),
        "Training data:     {}".format(config.data_path),
        "Training length:   {} kimg".format(config.total_kimg),
        "Resolution:        {}".format(config.resolution),
        "Number of GPUs:    {}".format(config.num_gpus),
        "Gamma:             {} ({})".format(config.r1_gamma, config.gamma_rule),
    ]
    lines += ["Copied to:         {}".format(places.drive)] if places.drive else []
    lines += ["Note:              {}".format(note) for note in config.notes]
    lines += changes
    lines += estimate(config).lines() if options.dry_run else []
    lines += ["", "Dry run; exiting."] if options.dry_run else [""]
    print("\n".join(lines))


def start(config, run_dir, resume, quiet=False, drive_dir=None):
    """Train, in this process; return the exit code.

    Args:
        config: `TrainConfig`.
        run_dir: The run's folder; made if `resume` is false.
        resume: Go on from the newest whole snapshot in it.
        quiet: Print nothing.
        drive_dir: The run's folder on Drive, to which it is copied in the background; None: none.
    """
    try:
        os.makedirs(run_dir, exist_ok=True)
    except OSError as problem:
        raise UserError(
            "The folder {} cannot be made: {}.".format(run_dir, problem.strerror),
            "A folder that can be written to.",
            "Choose another --outdir.",
        ) from problem
    if config.xla:
        compile_cache.use(drive=os.path.join(os.path.dirname(drive_dir), "compiled") if drive_dir else None)
        if config.deterministic:
            compile_cache.prefer_fast_deterministic_scatters()
    from ..runs import start as runs  # imports TensorFlow: only now, when all is checked

    return runs.start(config, run_dir, resume=resume or None, quiet=quiet, drive_dir=drive_dir)
