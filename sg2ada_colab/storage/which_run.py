"""Which run of a folder of runs goes on: the one that wrote a complete snapshot last, over this machine and Drive together.

A run that has snapshots, but no complete one, is passed over. One that never finished a snapshot comes after all others.
"""

import os
import re
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from ..errors import UserError
from .check_files import Digest
from .choose import Candidate, RunFolder, list_folder, newest_in, run_names


@dataclass(frozen=True)
class FoundRun:
    """The run that goes on."""

    name: Optional[str]  # of its folder; None: there is none to go on with
    candidate: Optional[Candidate] = None  # None: it begins again
    sentences: Tuple[str, ...] = ()  # what was passed over, and why


def choose_run(
    results_dirs: Sequence[str],
    is_wanted: Callable[[List[str]], bool] = lambda folders: True,
    digest: Optional[Digest] = None,
) -> FoundRun:
    """Return the run to go on with over a folder of runs.

    Args:
        results_dirs: As for `runs_of`.
        is_wanted: Says of a run's folders whether it is considered.
        digest: What reads files of all folders but the first, as `CopiesOnTheWay` does.

    Raises:
        UserError: A folder cannot be listed, and no snapshot was found elsewhere.
    """
    sentences: List[str] = []
    unfinished = None
    for name, places in runs_of(results_dirs):
        if not is_wanted(places):
            continue
        folders = [RunFolder(place, None if os.path.dirname(place) == str(results_dirs[0]) else digest) for place in places]
        choice = newest_in(folders)
        sentences += choice.skipped
        if choice.candidate is not None:
            return FoundRun(name, choice.candidate, tuple(sentences))
        _check_are_listed(folders)
        if any(folder.has_finished_snapshots() for folder in folders):
            sentences.append(f"Run {name} has no complete snapshot.")
        else:
            unfinished = unfinished or name
    return FoundRun(unfinished, None, tuple(sentences))


def named_run(places: Sequence[str], digest: Optional[Digest] = None) -> FoundRun:
    """Return the run that lies in these folders, the nearest first; without a name where none of them is there.

    Args:
        places: The folders.
        digest: As for `choose_run`.

    Raises:
        UserError: It has snapshots, and none is complete; or a folder cannot be listed.
    """
    folders = [RunFolder(place, digest if number else None) for number, place in enumerate(places)]
    choice = newest_in(folders)
    if choice.candidate is None:
        _check_are_listed(folders)
        if any(folder.has_finished_snapshots() for folder in folders):
            raise nothing_to_go_on_from(folders[0].path, choice.skipped)
    is_there = any(os.path.isdir(folder.path) for folder in folders)
    return FoundRun(os.path.basename(folders[0].path) if is_there else None, choice.candidate, choice.skipped)


def runs_of(results_dirs: Sequence[str]) -> List[Tuple[str, List[str]]]:
    """Return [(run name, its folders, the nearest first)]; the run that wrote a snapshot last is first, those without any last.

    Args:
        results_dirs: Folders of runs that are one, the nearest first.

    Raises:
        UserError: One of them cannot be listed.
    """
    folders: Dict[str, List[str]] = {}
    for results_dir in results_dirs:
        problems: List[str] = []
        for name in run_names(results_dir, problems):
            folders.setdefault(name, []).append(os.path.join(str(results_dir), name))
        if problems:
            raise _does_not_answer(problems[0])
    newest = {name: max(RunFolder(place).newest_time() for place in places) for name, places in folders.items()}
    return sorted(folders.items(), key=lambda run: (newest[run[0]], _number(run[0]), run[0]), reverse=True)


def next_number(results_dirs: Sequence[str]) -> int:
    """Return one more than the highest number that begins the name of a folder in any of `results_dirs`; 0 without any.

    Raises:
        UserError: One of them cannot be listed.
    """
    numbers = [-1]
    for results_dir in map(str, results_dirs):
        try:
            names = list_folder(results_dir)
        except OSError as error:
            raise _does_not_answer(f"{results_dir} cannot be listed ({error.strerror or error}).") from error
        numbers += [_number(name) for name in names if os.path.isdir(os.path.join(results_dir, name))]
    return max(numbers) + 1


def _number(name):
    match = re.match(r"\d+", name)
    return int(match.group()) if match else -1


def nothing_to_go_on_from(run_dir: str, skipped: Sequence[str]) -> UserError:
    """Return the error of a run that has snapshots, none of them complete; `skipped` are the sentences on them."""
    return UserError(
        f"{run_dir} has no snapshot to go on from.{listed(skipped)}",
        "a network-snapshot-NNNNNN.pkl with its training-state-NNNNNN.npz, both complete",
        "begin a new run: sg2ada train",
    )


def listed(sentences: Sequence[str]) -> str:
    """Return sentences as lines that follow an error's first one."""
    return "".join("\n    " + sentence for sentence in sentences)


def _check_are_listed(folders):
    """Raise a UserError where a run's folder may hold snapshots that do not show."""
    for folder in folders:
        if not folder.is_listed:
            raise _does_not_answer(folder.problems[0])


def _does_not_answer(sentence):
    return UserError(
        f"A folder of runs does not answer: {sentence}",
        "a folder that can be listed, as the run to go on with may lie in it",
        "in Colab run the cell that connects Drive again, then this; elsewhere see whether the disk is there",
    )
