"""From what a user calls a network to the network: a file, an address, a preset, a shipped network, a run."""

import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..errors import UserError
from ..files import FilePath, sha256_of
from ..formats.download import local_snapshot
from ..formats.network_data import NetworkSnapshot
from ..formats.read import read_snapshot
from ..run_files import NETWORKS, order_of
from ..storage.choose import RunFolder, run_names

BEST = ":best"
NAMES = (
    "a file, an address (https://… or hf://USER/NAME/FILE), a preset such as ffhq256, flags (the network that ships), "
    "the folder or number of a run, or RUN:best"
)


class FoundNetwork(NamedTuple):
    """A network that was read."""

    path: str  # of the file on this machine
    title: str  # what to call it in messages
    snapshot: NetworkSnapshot
    notes: Tuple[str, ...]  # what was passed over on the way

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        return sha256_of(self.path)[1]


def find_network(
    name: Union[FilePath, int],
    results_dirs: Sequence[FilePath] = (),
    progress: Optional[Callable[[int, Optional[int]], Any]] = None,
) -> FoundNetwork:
    """Read the network that a user names.

    Args:
        name: A path; an address; a preset; "flags"; a run's folder, name or number, which means its newest snapshot that reads,
            or with ":best" behind it the one that was measured best.
        results_dirs: Folders of runs, the nearest first, in which names and numbers are looked up.
        progress: Of a download, see `local_snapshot`.

    Returns:
        FoundNetwork.

    Raises:
        UserError: There is no such network, or it cannot be read.
    """
    name = str(name)
    run, best = (name[: -len(BEST)], True) if name.endswith(BEST) else (name, False)
    folders = run_folders(run, results_dirs)
    if folders:
        return _best_of_run(folders) if best else _newest_of_run(folders)
    if best or run.isdigit():
        raise _no_run(run, results_dirs)
    path = local_snapshot(name, progress=progress)
    if not os.path.exists(path) and path == name:
        raise UserError(f"There is no network {name!r}.", NAMES, _known_runs(results_dirs) or "check the path")
    snapshot = read_snapshot(path)
    return FoundNetwork(path, os.path.basename(name), snapshot, ())


def run_folders(run: str, results_dirs: Sequence[FilePath] = ()) -> List[str]:
    """Return the folders of a run, the nearest first, by its folder, name or number; an empty list where there is no such run.

    Of a folder of runs it is the one that wrote a snapshot last.

    Raises UserError where several runs have the number.
    """
    if os.path.isdir(run):
        runs = [] if RunFolder(run).files else [os.path.join(run, name) for name in run_names(run)]
        return [max(runs, key=lambda path: (RunFolder(path).newest_time(), path))] if runs else [run]
    found = []
    for results_dir in results_dirs:
        for name in run_names(results_dir):
            if name == run or (run.isdigit() and int(name.split("-")[0]) == int(run)):
                found.append(os.path.join(str(results_dir), name))
    if len({os.path.basename(path) for path in found}) > 1:
        raise UserError(f"Several runs have the number {run}.", "one run",
                        "name one: " + ", ".join(sorted({os.path.basename(path) for path in found})))  # fmt: skip
    return found


def run_pickles(folders: Sequence[FilePath]) -> Dict[str, List[str]]:
    """Return {snapshot name: [paths]} of a run's network pickles, new to old, the nearest folder first."""
    found: Dict[str, List[str]] = {}
    for folder in folders:
        for name, kinds in RunFolder(folder).files.items():
            found.setdefault(name, []).extend(os.path.join(folder, one) for one in kinds.get(NETWORKS, []))
    return {name: found[name] for name in sorted(found, key=order_of, reverse=True) if found[name]}


def _newest_of_run(folders):
    """Return the newest snapshot of a run that reads; what does not is passed over with a sentence."""
    passed_over = []
    pickles = run_pickles(folders)
    for name, paths in pickles.items():
        for path in paths:
            try:
                snapshot = read_snapshot(path)
            except UserError as error:
                passed_over.append(f"Passed over: {error.what}")
                continue
            return FoundNetwork(path, _title(folders, name), snapshot, tuple(passed_over))
    reason = " ".join(passed_over) if pickles else f"{folders[0]} holds no network-snapshot-*.pkl."
    raise UserError(reason, "a run with at least one complete snapshot", "train it for longer, or name a file")


def _best_of_run(folders):
    from ..metrics.snapshots import best_snapshots

    for folder in folders:
        found = best_snapshots(folder)
        for metric in sorted(found, key=lambda one: (not one.startswith("fid"), not one.startswith("kid"), one)):
            value, name, _ = found[metric]
            for path in run_pickles(folders).get(name, []):
                snapshot = read_snapshot(path)
                return FoundNetwork(path, _title(folders, name), snapshot, (f"Best by {metric}: {value:.4g}",))
    raise UserError(
        f"No snapshot of {os.path.basename(folders[0].rstrip(os.sep))} that still exists was measured.",
        "a run with measured snapshots",
        f"sg2ada metrics {folders[0]}, or leave {BEST} out for the newest",
    )


def snapshot_titles(folders: Sequence[FilePath]) -> Dict[str, str]:
    """Return {snapshot name: title such as "120 kimg"} of a run, new to old.

    Where a kimg has several snapshots, their titles have the exact kimg, "2.4 kimg", as the manifests know it.
    """
    names = sorted(run_pickles(folders), key=order_of, reverse=True)
    kimgs = [order_of(name)[0] for name in names]
    manifests = [manifest for folder in folders for manifest in RunFolder(folder).manifests]
    records = [record for manifest in manifests for record in manifest.snapshots]
    exact = {record.name: record.nimg / 1000 for record in records if record.nimg is not None}
    titles: Dict[str, str] = {}
    for name, kimg in zip(names, kimgs):
        title = f"{exact[name]:.1f} kimg" if kimgs.count(kimg) > 1 and name in exact else f"{kimg} kimg"
        if title in titles.values() or (kimgs.count(kimg) > 1 and name not in exact):
            title += f", snapshot {order_of(name)[1] + 1}"
        titles[name] = title
    return titles


def _title(folders, name):
    return f"{os.path.basename(os.path.abspath(folders[0]))} at {snapshot_titles(folders)[name]}"


def _no_run(run, results_dirs):
    return UserError(f"There is no run {run!r}.", NAMES, _known_runs(results_dirs) or "train one, or name a file")


def _known_runs(results_dirs):
    names = sorted({name for results_dir in results_dirs for name in run_names(results_dir)}, reverse=True)
    return "the runs here are " + ", ".join(names[:8]) if names else ""
