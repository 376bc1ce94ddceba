"""Decide what is trained: a new run, or one that goes on; the same for the command line, the notebooks and the crash tests.

1. A run that is named is the only one considered.
2. In a folder of runs, only runs on the dataset that is given are considered; its digest decides, wherever the files lie.
3. Of these, the run that wrote a complete snapshot last goes on, from its newest complete one, here or on Drive.
4. A run that has snapshots, but no complete one, is passed over with a sentence, and the next older run is considered.
5. A run that never finished a snapshot comes after every run that has one, newer or not. It begins again in its own folder.
6. Where no run is left, a new one begins under the next number; `sg2ada resume`, which begins none, says so.
7. A run keeps the options that it was begun with, start_kimg among them. One given now that would make another run of it is
   refused; --resume, the network that a run begins with, matters only to a run that begins.
8. What can be checked is checked here, before TensorFlow starts: options, data, the network to begin with, disk space. A folder
   of runs that cannot be listed is an error: what lies in it may be the run to go on with.
"""

import os
from dataclasses import dataclass, replace
from typing import Callable, Optional, Tuple

from ..config.estimate import GIB, estimate
from ..config.fit_card import resolve_for_card
from ..config.options import TrainOptions, flag_of
from ..config.refusals import together
from ..config.resolve import option_refusals, resolve
from ..config.resume_check import by_options, resumed
from ..config.train_config import DatasetInfo, TrainConfig
from ..errors import UserError
from ..machine import disk_bytes, gpu_memory_bytes
from ..run_files import OPTIONS
from ..storage.choose import Candidate, RunFolder
from ..storage.places import Places
from ..storage.saved_config import saved_config
from ..storage.store import RunStore
from ..storage.verified_copy import CopiesOnTheWay, fetch_run
from ..storage.which_run import FoundRun, choose_run, listed, named_run, next_number
from .new_folder import check_can_be_made
from .transfer import planned_start

NOT_OF_A_RESUME = ("outdir", "resume", "dry_run", "quiet", "gpus")  # where, how and from what a run is trained, not what it is


@dataclass(frozen=True)
class RunPlan:
    """A run as it is about to be trained."""

    config: TrainConfig
    run_dir: str  # on this machine
    drive_dir: Optional[str]  # the same run on Drive; None where `run_dir` is where it stays
    candidate: Optional[Candidate]  # verified snapshot to go on from; None: begin
    sentences: Tuple[str, ...] = ()  # for the user
    gpus: int = 1  # that --gpus asks for now, or that the run was begun with
    processes: int = 1  # that will train, where that is known
    store: Optional[RunStore] = None  # of `run_dir`, once `bring_here` has opened it
    copies: Optional[CopiesOnTheWay] = None  # what was copied while the candidate was chosen, for `bring_here`

    @property
    def start_kimg(self) -> float:
        return self.candidate.kimg if self.candidate else self.config.start.kimg

    @property
    def is_finished(self) -> bool:
        return self.candidate is not None and self.candidate.kimg >= self.config.schedule.total_kimg


def plan_run(options: TrainOptions, places: Places, new_run: bool = False) -> RunPlan:
    """Choose between a new run and going on, and check everything; TensorFlow is not imported.

    Nothing is written but copies of what is read on Drive, unless it is a dry run; they go where the plan is not carried out.

    Args:
        options: What was given. Without `outdir` no new run is begun; without `data` runs on any dataset are considered.
        places: Where runs lie, and which of them was named.
        new_run: Begin a new run in any case.

    Raises:
        UserError: There is nothing to go on with or to begin; an option is wrong, or would make another run of the one to go on
            with; the disk is too full.
    """
    copies = None if options.dry_run or places.drive is None else CopiesOnTheWay(places.results[0])
    digest = copies.digest if copies else None
    if new_run:
        found = FoundRun(None)
    elif places.run is not None:
        found = named_run(places.folders(places.run), digest)
    else:
        found = _run_on(options, places, digest)
    if found.name is None and options.outdir is None:
        raise _nothing_in(places, None, found.sentences)
    plan = _begin(options, places, found.sentences) if found.name is None else _go_on(options, places, found)
    if not plan.is_finished:
        _check_disk(plan)
    return replace(plan, copies=copies, gpus=options.gpus or plan.config.schedule.num_gpus)


def bring_here(plan: RunPlan, say: Optional[Callable[[str], None]] = None) -> RunPlan:
    """Make a planned run ready to start: its folder can be made, and the snapshot to go on from lies in it.

    Args:
        plan: What `plan_run` returned.
        say: Gets a sentence where the snapshot is copied from Drive.

    Returns:
        The plan with the snapshot's place on this machine and the only `RunStore` of its folder.

    Raises:
        UserError: The folder cannot be made, or Drive does not hand the snapshot over complete.
    """
    check_can_be_made(plan.run_dir)
    if plan.candidate is None:
        return plan
    store = fetch_run(plan.candidate, os.path.dirname(plan.run_dir), say, plan.copies)
    if plan.copies is not None:
        plan.copies.close()
    return replace(plan, candidate=plan.candidate.moved_to(store.run_dir), store=store, copies=None)


# --- which run


def _run_on(options, places, digest):
    """Return the `FoundRun` in a folder of runs, on the options' dataset where one is given."""
    data, problems, sentences = _dataset_of(options), [], []

    def is_wanted(folders):
        try:
            config, _, _ = saved_config(folders)
        except UserError as problem:
            if isinstance(problem.__cause__, OSError) and not isinstance(problem.__cause__, FileNotFoundError):
                raise  # the disk fails: this may be the run to go on with
            problems.append(problem)
            if any(RunFolder(folder).has_states() for folder in folders):  # of ours, or it was
                sentences.append(problem.what)
            return False
        return data is None or _is_on(config, data)

    found = choose_run(places.results, is_wanted, digest)
    if found.name is None and options.outdir is None:
        raise problems[0] if problems and not found.sentences else _nothing_in(places, data, sentences + list(found.sentences))
    return replace(found, sentences=tuple(sentences) + found.sentences)


def _dataset_of(options):
    """Return the `DatasetInfo` of --data, None where it is not given; other options may make sense only with those of the run."""
    try:
        return None if options.data is None else DatasetInfo.open(options.data)
    except UserError:
        _open_data(options)  # says what else is wrong
        raise


def _is_on(config, data):
    """Return whether a run is on a dataset; where a digest is not known, the number of images must do."""
    if None in (config.data.digest, data.digest):
        return config.data.num_images == data.num_images
    return config.data.digest == data.digest


def _nothing_in(places, data, sentences):
    on = "" if data is None else f" on the dataset {data.path}"
    where = places.results[-1] if places.run is None else places.folders(places.run)[-1]
    return UserError(
        f"There is no run{on} in {where}.{listed(sentences)}",
        "The folder of a run, or one that has such folders: each with a training_options.json and a complete snapshot.",
        "Name the folder that was --outdir of sg2ada train, or begin a run: sg2ada train --help.",
    )


# --- with which settings


def _begin(options, places, skipped):
    """Return the `RunPlan` of a new run."""
    data, metric_data = _open_data(options)
    config = resolve_for_card(options, data, metric_data, memory_bytes=gpu_memory_bytes())
    name = places.run or f"{next_number(places.results):05d}-{config.run_description}"
    planned = planned_start(config)
    notes = [note for note in planned.notes if note not in config.notes]
    return _plan(places, name, planned, None, skipped, notes + [f"Beginning the run {name}."])


def _go_on(options, places, found):
    """Return the `RunPlan` of a run that goes on, or begins again in its folder."""
    config, news = _config_of(options, places, found)
    if found.candidate is not None and found.candidate.kimg >= config.schedule.total_kimg:
        news.append(f"The run {found.name} has come to its end, {found.candidate.kimg} kimg: {found.candidate.pickle}.")
    elif found.candidate is not None:
        news.append(f"Going on with {found.name} at {found.candidate.kimg} kimg{_from_where(places, found)}.")
    else:
        config = planned_start(config)
        news.append(f"The run {found.name} was stopped before its first snapshot: it begins again.")
    return _plan(places, found.name, config, found.candidate, found.sentences, news)


def _from_where(places, found):
    """Return where a run's newest snapshot lies, where that is not its own folder on this machine."""
    folders = [os.path.realpath(folder) for folder in places.folders(found.name)]
    folder = os.path.realpath(found.candidate.run_dir)
    if folder == folders[0]:
        return ""
    return ", from Drive" if places.drive and folder in folders else f", from {found.candidate.pickle}"


def _config_of(options, places, found):
    """Return (the `TrainConfig` that a run goes on with, sentences on what is new in it)."""
    folders = places.folders(found.name)
    try:
        saved, folder, sentences = saved_config(folders)
    except UserError as problem:
        if places.run is None or options.data is None or not isinstance(problem.__cause__, FileNotFoundError):
            raise
        # A machine that is lost can leave a run on Drive whose snapshots were uploaded and whose options were not.
        config = resolve(options, *_open_data(options))
        return config, [f"{folders[-1]} has no {OPTIONS}: the options given now are taken for those that it was begun with."]
    given = {name: value for name, value in options.given().items() if name not in NOT_OF_A_RESUME}
    config, differences = resumed(saved, given, _open_data, folder)
    # Where the data lie on this machine is no news: in Colab each session has its own copy.
    news = [one for one in differences if one.setting not in ("data.path", "metrics.data_path")]
    return config, sentences + [f"Changed: {one}" for one in by_options(news, saved.options, given)]


def _plan(places, name, config, candidate, skipped, news):
    sentences = ["Passed over: " + sentence for sentence in skipped] + news
    drive_dir = os.path.join(places.drive, name) if places.drive else None
    return RunPlan(config, places.folders(name)[0], drive_dir, candidate, tuple(sentences))


def _open_data(options):
    """Return the `DatasetInfo`s of --data and --metricdata (None where not given); all that is wrong comes in one UserError."""
    opened, problems = [], option_refusals(options)
    for name in ("data", "metricdata"):
        path = getattr(options, name)
        try:
            opened.append(None if path is None else DatasetInfo.open(path))
        except UserError as problem:
            what = f"{flag_of(name)}: {problem.what}"
            problems.append(UserError(what, problem.expected, problem.next_step))
    if problems:
        raise together(problems)
    return opened


def _check_disk(plan):
    """Refuse a run whose next snapshot would not fit on the disk: it is complete before an older one may go."""
    folder, cost = os.path.abspath(os.path.dirname(plan.run_dir)), estimate(plan.config)
    has_one = plan.candidate is not None and plan.candidate.run_dir == plan.run_dir
    free, needed = disk_bytes(folder)[1], (1 if has_one else 2) * (cost.snapshot_bytes + cost.state_bytes)
    if free < needed:
        raise UserError(
            f"The disk of {folder} has {free / GIB:.1f} GiB free.",
            "{:.1f} GiB for {}; the whole run takes about {:.1f} GiB.".format(
                needed / GIB, "one more snapshot" if has_one else "two snapshots", cost.disk_bytes / GIB
            ),
            "Delete what is not needed there, and run the same command again."
            if plan.candidate is not None
            else "Delete what is not needed, or choose an --outdir on another disk.",
        )
