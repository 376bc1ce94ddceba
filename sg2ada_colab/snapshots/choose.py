"""Choose what to resume: the newest snapshot that is complete and verifies, over the VM's disk and Drive together."""
import os
import re
from dataclasses import dataclass
from typing import Optional, Tuple

from ..errors import UserError
from .atomic import sha256_of
from .manifest import MANIFEST_FILE, SNAPSHOT_FILE, order_of, parse_manifest, pickle_name, state_name
from .retry import with_retries
from .training_state import verify_state

RUN_FOLDER = re.compile(r"\d{5,}-.+$")


@dataclass(frozen=True)
class Candidate:
    """A snapshot that is complete and verified."""

    run_dir: str
    name: str  # "000012"
    pickle: str  # path of the network pickle
    state: str  # path of the training state
    verified_by: str  # "digest" (manifest.json) or "structure" (read from end to end)

    @property
    def kimg(self):
        return order_of(self.name)[0]


@dataclass(frozen=True)
class Choice:
    """What to resume, or None, and a sentence for each newer thing that was passed over."""

    candidate: Optional[Candidate]
    skipped: Tuple[str, ...]


class RunFolder:
    """A run folder as listed once: which files belong to which snapshot, and what the manifests say."""

    def __init__(self, path):
        self.path, self.problems = str(path), []
        self.files = {}  # snapshot name -> {"network-snapshot": [file names], "training-state": [...]}, exact names first
        self.manifests = []
        try:
            names = sorted(list_folder(self.path))
        except OSError as error:
            self.problems.append("{} cannot be listed ({}).".format(self.path, error.strerror or error))
            return
        for file_name in sorted(names, key=lambda one: (" (" in one, one)):
            match = SNAPSHOT_FILE.match(file_name)
            if match:
                self.files.setdefault(match.group(2), {}).setdefault(match.group(1), []).append(file_name)
            elif MANIFEST_FILE.match(file_name):
                self._add_manifest(file_name)
        if self.files and not self.manifests:
            self.problems.append("{} has no usable manifest.json; snapshots are read from end to end.".format(self.path))

    def _add_manifest(self, file_name):
        path = os.path.join(self.path, file_name)
        try:
            self.manifests.append(parse_manifest(with_retries(lambda: read_text(path))))
        except ValueError as error:
            self.problems.append("{} {}.".format(path, error))
        except OSError as error:
            self.problems.append("{} cannot be read ({}).".format(path, error.strerror or error))

    def records(self, name):
        """Return what the manifests say of one snapshot (several when Drive shows twins of manifest.json)."""
        return [record for record in (manifest.get(name) for manifest in self.manifests) if record]

    def names(self):
        """Return every snapshot name that occurs as a file or in a manifest."""
        listed = [record.name for manifest in self.manifests for record in manifest.snapshots]
        return set(self.files) | set(listed)

    def newest_time(self):
        """Return when this run last wrote a snapshot: the manifest's time or a file's, whichever is later; 0 if never."""
        times = [record.time for manifest in self.manifests for record in manifest.snapshots]
        for kinds in self.files.values():
            for file_name in (one for files in kinds.values() for one in files):
                try:
                    times.append(os.path.getmtime(os.path.join(self.path, file_name)))
                except OSError:
                    continue
        return max(times) if self.files and times else 0.0

    def check(self, name, read_pickle):
        """Return (Candidate or None, sentences) for one snapshot of this folder."""
        kinds = self.files.get(name, {})
        pickles = [os.path.join(self.path, one) for one in kinds.get("network-snapshot", [])]
        states = [os.path.join(self.path, one) for one in kinds.get("training-state", [])]
        where = os.path.join(self.path, pickle_name(name))
        if not pickles and not states:
            return None, ["{} is listed in manifest.json, but its files are gone.".format(where)]
        if not states:
            lone = "{} has no {} beside it: its weights can start a new run, but not continue this one."
            return None, [lone.format(where, state_name(name))]
        if not pickles:
            return None, ["{} has no {} beside it.".format(os.path.join(self.path, state_name(name)), pickle_name(name))]
        sentences, records = [], self.records(name)
        pair = self._matching_pair(records, pickles, states, sentences)
        verified_by = "digest"
        if pair is None:
            # The manifest may be stale, but where it contradicts a pickle only the digest in the training state is trusted.
            reader = None if records else read_pickle
            pair, verified_by = _readable_pair(pickles, states, reader, sentences), "structure"
        if pair is None:
            return None, sentences
        used = [path for path in pair if " (" in os.path.basename(path)]
        twins = ["Used {} in place of the damaged file whose twin it is.".format(path) for path in used]
        return Candidate(self.path, name, pair[0], pair[1], verified_by), (sentences if twins else []) + twins

    def _matching_pair(self, records, pickles, states, sentences):
        for record in records:
            pair = [_first_matching(paths, record, sentences) for paths in (pickles, states)]
            if all(pair):
                return pair
        return None


def read_text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def list_folder(path):
    """Return the names in a folder, none when it is absent; try again when Drive fails."""
    try:
        return with_retries(lambda: os.listdir(str(path)))
    except FileNotFoundError:
        return []


def _first_matching(paths, record, sentences):
    """Return the first of a file and its twins that has the size and SHA-256 of the manifest."""
    expected = next((file for name, file in record.files.items() if name.endswith(os.path.splitext(paths[0])[1])), None)
    if expected is None:
        return None
    for path in paths:
        try:
            size = os.path.getsize(path)
            if size != expected.bytes:
                sentences.append(_wrong_size(path, size, expected.bytes))
            elif with_retries(lambda path=path: sha256_of(path))[1] == expected.sha256:
                return path
            else:
                sentences.append("{} does not have the SHA-256 that manifest.json gives.".format(path))
        except OSError as error:
            sentences.append("{} cannot be read ({}).".format(path, error.strerror or error))
    return None


def _wrong_size(path, size, expected_size):
    if size == 0:
        return "{} has zero bytes.".format(path)
    short = "is cut short: " if size < expected_size else "has another size: "
    return "{} {}{:,} of {:,} bytes.".format(path, short, size, expected_size)


def _readable_pair(pickles, states, read_pickle, sentences):
    """Return the first (pickle, state) that reads from end to end and belongs together, else None."""
    for state in states:
        try:
            binding = with_retries(lambda state=state: verify_state(state)).get("snapshot", {}).get("pickle")
        except (UserError, OSError) as error:
            sentences.append(_zero_or(state, getattr(error, "what", error)))
            continue
        for pickle in pickles:
            problem = _pickle_problem(pickle, binding, read_pickle)
            if problem is None:
                return pickle, state
            sentences.append(problem)
    return None


def _pickle_problem(path, binding, read_pickle):
    """Return why a pickle does not go with a training state that names its size and SHA-256, or None when it does."""
    try:
        size, sha256 = with_retries(lambda: sha256_of(path))
        if size == 0:
            return "{} has zero bytes.".format(path)
        if binding and (size, sha256) == (binding["bytes"], binding["sha256"]):
            return None
        if binding:
            if size != binding["bytes"]:
                return _wrong_size(path, size, binding["bytes"])
            return "{} does not have the SHA-256 that its training state gives.".format(path)
        if read_pickle is None:
            return "{} is not the file that manifest.json describes.".format(path)
        read_pickle(path)
    except Exception as error:  # whatever a reader makes of damaged bytes, the answer is the next older snapshot
        return "{} cannot be read ({}: {}).".format(path, type(error).__name__, getattr(error, "what", error))
    return None


def _zero_or(path, message):
    try:
        if os.path.getsize(path) == 0:
            return "{} has zero bytes.".format(path)
    except OSError:
        pass
    return str(message)


def read_pickle_by_default(path):
    """Read a network pickle with this package's restricted reader."""
    from .network_pickle import read_network_pickle

    return read_network_pickle(path)


def newest_good(run_dirs, read_pickle=None):
    """Choose the newest complete, verified snapshot of ONE run that may lie in several places.

    Args:
        run_dirs: Folders of the same run, the preferred place first (the VM's disk before Drive).
        read_pickle: Callable of a path that raises on a damaged pickle; by default the package's reader. It is asked
            only for a pickle that neither a manifest nor its training state vouches for.

    Returns:
        Choice.
    """
    return _newest_good([RunFolder(path) for path in run_dirs], read_pickle or read_pickle_by_default)


def _newest_good(folders, read_pickle):
    skipped = [problem for folder in folders for problem in folder.problems]
    for name in sorted({name for folder in folders for name in folder.names()}, key=order_of, reverse=True):
        for folder in folders:
            if name in folder.names():
                candidate, sentences = folder.check(name, read_pickle)
                skipped += [sentence for sentence in sentences if sentence not in skipped]
                if candidate:
                    return Choice(candidate, tuple(skipped))
    return Choice(None, tuple(skipped))


def latest_run(results_dirs, read_pickle=None):
    """Choose the run to go on with, and its snapshot, over several results folders.

    The run that wrote a snapshot last comes first; a run without any good snapshot is passed over with a sentence.

    Args:
        results_dirs: Folders that hold run folders `NNNNN-name`, the preferred place first; a single path is allowed.
            Folders of the same name in two places are one run.
        read_pickle: As for `newest_good`.

    Returns:
        Choice.
    """
    if isinstance(results_dirs, (str, os.PathLike)):
        results_dirs = [results_dirs]
    runs, skipped = {}, []
    for results_dir in results_dirs:
        for name in run_names(results_dir, skipped):
            runs.setdefault(name, []).append(RunFolder(os.path.join(str(results_dir), name)))
    # By time, then by run number, so that two runs without any snapshot are looked at from the newest back.
    newest_first = sorted(runs.items(), key=lambda one: (max(f.newest_time() for f in one[1]), one[0]), reverse=True)
    for name, folders in newest_first:
        choice = _newest_good(folders, read_pickle or read_pickle_by_default)
        skipped += choice.skipped
        if choice.candidate:
            return Choice(choice.candidate, tuple(skipped))
        skipped.append("Run {} has no complete snapshot.".format(name))
    return Choice(None, tuple(skipped))


def run_names(results_dir, problems=None):
    """Return the names of the run folders in a results folder, sorted; note in `problems` when it cannot be listed."""
    try:
        return sorted(name for name in list_folder(results_dir) if RUN_FOLDER.match(name))
    except OSError as error:
        if problems is not None:
            problems.append("{} cannot be listed ({}).".format(results_dir, error.strerror or error))
        return []
