"""What the notebook's training cell is about to do: begin a run, or go on with the newest good one of the same images."""

import argparse
import os
from dataclasses import dataclass, fields
from typing import Optional, Tuple

from ..dataset import open_dataset
from ..errors import UserError
from ..metrics.catalogue import parse_metric
from ..snapshots.choose import RunFolder, newest_good, run_names
from ..training.config import DatasetInfo, TrainConfig
from ..training.fit_card import resolve_for_card
from ..training.options import TrainOptions, flag_of
from ..training.options_file import FILE_NAME, read_config
from ..training.resolve import resolve
from ..training.resume_check import check_resume, continued
from ..training.run_name import next_run_number
from .runtime import gpu_memory_bytes

NOT_OF_A_RESUME = ("outdir", "resume", "dry_run", "quiet", "start_kimg")  # what a run was begun with stays


@dataclass(frozen=True)
class RunPlan:
    """A run as it is about to be trained."""

    config: TrainConfig
    run_dir: str  # on this machine
    drive_dir: Optional[str]  # the same run on Drive; None where `run_dir` is where it stays
    candidate: Optional[object]  # `choose.Candidate` to go on from; None: begin
    sentences: Tuple[str, ...] = ()  # for the user

    @property
    def start_kimg(self):
        return self.candidate.kimg if self.candidate else self.config.start_kimg

    @property
    def is_finished(self):
        return self.candidate is not None and self.candidate.kimg >= self.config.total_kimg


def find_dataset(workspace, name=None):
    """Return the path of a dataset: a path as it is, a name in the workspace, or the one that was prepared last.

    Raises:
        UserError: There is none, or more than one to choose from.
    """
    names = _dataset_names(workspace)
    wanted = name or workspace.choices.get("dataset")
    if wanted and os.path.exists(os.path.expanduser(str(wanted))) and os.sep in str(wanted):
        return os.path.abspath(os.path.expanduser(str(wanted)))
    if wanted in names:
        return os.path.join(workspace.datasets, wanted)
    if not name and len(names) == 1:
        return os.path.join(workspace.datasets, names[0])
    there = "the workspace holds {}".format(", ".join(names)) if names else "the workspace holds none yet"
    raise UserError(
        "There is no dataset {!r}.".format(name) if name else "It is not clear which dataset to take.",
        "the name of a dataset in {}; {}".format(workspace.datasets, there),
        "write one of these names" if names else "run the notebook that prepares a dataset first",
    )


def _dataset_names(workspace):
    try:
        names = sorted(os.listdir(workspace.datasets))
    except OSError:
        return []
    whole = [name for name in names if not name.startswith(".") and not name.endswith(".partial")]
    return [name for name in whole if os.path.isdir(os.path.join(workspace.datasets, name)) or name.endswith(".zip")]


def runs_of(workspace, digest=None):
    """Return [(run name, its folders, the nearest first)] of the runs in a workspace, the newest first.

    Args:
        digest: Only runs on the dataset with this digest.
    """
    places = {}
    for results in workspace.places():
        for name in run_names(results):
            places.setdefault(name, []).append(os.path.join(results, name))
    if digest is not None:
        places = {name: folders for name, folders in places.items() if _is_of(folders, digest)}
    newest = {name: max(RunFolder(folder).newest_time() for folder in folders) for name, folders in places.items()}
    return sorted(places.items(), key=lambda item: (newest[item[0]], item[0]), reverse=True)


def _is_of(folders, digest):
    for folder in folders:
        try:
            return read_config(folder).data_digest == digest
        except UserError:  # another program's run, or its options are not there
            continue
    return False


def plan_run(workspace, data_path, options, new_run=False):
    """Choose between a new run and going on, and check all options; nothing is written and TensorFlow is not imported.

    Args:
        workspace: `Workspace`.
        data_path: Folder of the dataset, on a fast disk.
        options: Dict of `TrainOptions` fields that were given.
        new_run: Begin a new run in any case.

    Returns:
        RunPlan.

    Raises:
        UserError: An option is wrong, or would make another run of the one to go on with.
    """
    wished = parse_options(dict(options, data=str(data_path), outdir=workspace.results))
    skipped = []
    for name, folders in [] if new_run else runs_of(workspace, open_dataset(str(data_path)).digest()):
        choice = newest_good(folders)
        skipped += choice.skipped
        if choice.candidate:
            return _go_on(workspace, name, choice.candidate, wished, skipped)
        skipped.append("Run {} has no complete snapshot yet.".format(name))
    config = resolve_for_card(wished, *_open_data(wished), check_metric=parse_metric, memory_bytes=gpu_memory_bytes())
    number = max(next_run_number(place) for place in workspace.places())
    name = "{:05d}-{}".format(number, config.run_description)
    return _plan(workspace, name, config, None, skipped + ["Beginning the run {}.".format(name)])


def parse_options(options):
    """Return the `TrainOptions` of a dict; values that are text, as forms give them, are read as on the command line.

    Raises:
        UserError: A name or a value that `sg2ada train` does not know.
    """
    kinds = {f.name: f.metadata["kind"] for f in fields(TrainOptions)}
    unknown = [name for name in options if name not in kinds]
    if unknown:
        raise UserError(
            "train() does not know the options {}.".format(", ".join(unknown)),
            "options of `sg2ada train` with underscores, such as batch_gpu=8",
            "see them all with: !python -m sg2ada_colab train --help",
        )
    parsed = {}
    for name, value in options.items():
        try:
            parsed[name] = kinds[name](value) if isinstance(value, str) else value
        except (ValueError, argparse.ArgumentTypeError):
            raise UserError(
                "{}={!r} cannot be read.".format(name, value), "a value as for {} of `sg2ada train`".format(flag_of(name)),
                "see what it takes with: !python -m sg2ada_colab train --help",
            ) from None  # fmt: skip
    return TrainOptions(**parsed)


def _open_data(options):
    """Return the `DatasetInfo`s of the training data and of the metrics' (None where not given)."""
    return [None if path is None else DatasetInfo.open(path) for path in (options.data, options.metricdata)]


def _go_on(workspace, name, candidate, wished, skipped):
    saved = read_config(_with_options(workspace, name))
    given = {key: value for key, value in wished.given().items() if key not in NOT_OF_A_RESUME}
    merged = TrainOptions(**dict(saved.options, **given))
    opened = _open_data(merged)
    as_begun = resolve(TrainOptions(**saved.options), *opened, check_metric=parse_metric)
    config = continued(saved, as_begun, resolve(merged, *opened, check_metric=parse_metric))
    try:
        differences = check_resume(saved, config, name)
    except UserError as error:
        advice = error.next_step + " In a notebook: or begin a new run with the new settings, with new_run=True."
        raise UserError(error.what, error.expected, advice) from None
    # Where the data lie on this machine is no news: in Colab each session has its own copy.
    changes = ["Changed: {}".format(one) for one in differences if one.setting not in ("data_path", "metric_data_path")]
    sentence = "Going on with {} at {} kimg.".format(name, candidate.kimg)
    return _plan(workspace, name, config, candidate, skipped + changes + [sentence])


def _with_options(workspace, name):
    folders = [os.path.join(results, name) for results in workspace.places()]
    return next((folder for folder in folders if os.path.isfile(os.path.join(folder, FILE_NAME))), folders[0])


def _plan(workspace, name, config, candidate, sentences):
    here, there = os.path.join(workspace.machine_results, name), os.path.join(workspace.results, name)
    return RunPlan(config, here, None if here == there else there, candidate, tuple(sentences))
