"""Choose what to resume: the newest snapshot that is complete and verifies, over the VM's disk and Drive together."""

import os
import re
from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from ..config.options_file import read_run_id
from ..files import FilePath, with_retries
from ..run_files import (
    MANIFEST_PATTERN,
    NETWORKS,
    OPTIONS,
    SNAPSHOT_PATTERN,
    TRAINING_STATE,
    order_of,
    pickle_name,
    state_name,
)
from .check_files import Digest, first_matching, of_another_run, read_counters, record_if_paired, run_of, stamps_of
from .manifest import FileRecord, Manifest, SnapshotRecord, manifest_at
from .training_state import read_meta, verify_state

RUN_FOLDER = re.compile(r"\d{5,}-.+$")


@dataclass(frozen=True)
class Candidate:
    """A snapshot that is complete and verified."""

    run_dir: str
    name: str  # "000012"
    pickle: str  # path of the network pickle
    state: str  # path of the training state
    verified_by: str  # "digest" (manifest.json) or "structure" (read from end to end)
    record: SnapshotRecord  # sizes and SHA-256 as they were verified, under the exact names
    run_id: Optional[str] = None  # the run's identity; None in a run of an older version
    seen_in: Optional[str] = None  # folder in which its files were read, all with their exact names
    stamps: Optional[Dict[str, List[int]]] = None  # of these files, the same before and after: see `stamps_of`

    @property
    def kimg(self) -> int:
        return order_of(self.name)[0]

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Candidate":
        """Build from `dataclasses.asdict`'s result, which JSON can hold."""
        record = saved["record"]
        files = {name: FileRecord(**file) for name, file in record["files"].items()}
        return cls(**dict(saved, record=SnapshotRecord(**dict(record, files=files))))

    def is_newest(self) -> bool:
        """Return whether its folder holds nothing newer, as another process may have written since this was verified."""
        names = RunFolder(self.run_dir).names()
        return self.name in names and max(names, key=order_of) == self.name

    def is_unchanged_in(self, folder: FilePath) -> bool:
        """Return whether its files lie in a folder as they did when this process, or the one that started it, read them there."""
        if self.stamps is None or os.path.realpath(str(folder)) != os.path.realpath(str(self.seen_in)):
            return False
        return stamps_of(folder, self.record.files) == self.stamps

    def moved_to(self, folder: FilePath) -> "Candidate":
        """Return this snapshot as it lies in another folder, to which its files were copied and verified."""
        if os.path.realpath(str(folder)) == os.path.realpath(self.run_dir):
            return self
        paths = [os.path.join(str(folder), file_of(self.name)) for file_of in (pickle_name, state_name)]
        return replace(self, run_dir=str(folder), pickle=paths[0], state=paths[1])


@dataclass(frozen=True)
class Choice:
    """What to resume, or None, and a sentence for each newer thing that was passed over."""

    candidate: Optional[Candidate]
    skipped: Tuple[str, ...]


class RunFolder:
    """A run folder as listed once: which files belong to which snapshot, what the manifests say, and which run it is of.

    Args:
        path: Of the folder.
        digest: What reads its files in place of `sha256_of`, such as `CopiesOnTheWay.digest`.
    """

    def __init__(self, path: FilePath, digest: Optional[Digest] = None) -> None:
        self.path, self.problems, self._digest = str(path), [], digest
        # snapshot name -> {NETWORKS: [file names], TRAINING_STATE: [...]}, exact names first
        self.files: Dict[str, Dict[str, List[str]]] = {}
        self.manifests: List[Manifest] = []
        self.run_id = read_run_id(self.path)
        self.is_listed = self._has_options = False
        try:
            names = sorted(list_folder(self.path))
        except OSError as error:
            self.problems.append(f"{self.path} cannot be listed ({error.strerror or error}).")
            return
        self.is_listed, self._has_options = True, OPTIONS in names
        for file_name in sorted(names, key=lambda one: (" (" in one, one)):
            match = SNAPSHOT_PATTERN.match(file_name)
            if match:
                self.files.setdefault(match.group(2), {}).setdefault(match.group(1), []).append(file_name)
            elif MANIFEST_PATTERN.match(file_name):
                self._add_manifest(file_name)
        if self.files and not self.manifests:
            self.problems.append(f"{self.path} has no usable manifest.json; snapshots are read from end to end.")

    def _add_manifest(self, file_name):
        path = os.path.join(self.path, file_name)
        try:
            manifest = with_retries(lambda: manifest_at(path))
        except ValueError as error:
            self.problems.append(f"{path} {error}.")
            return
        except OSError as error:
            self.problems.append(f"{path} cannot be read ({error.strerror or error}).")
            return
        self.run_id = self.run_id or manifest.run_id
        if manifest.run_id not in (None, self.run_id):
            self.problems.append(f"{path} {of_another_run(manifest.run_id, self.run_id)}; it is not believed.")
        else:
            self.manifests.append(manifest)

    def records(self, name: str) -> List[SnapshotRecord]:
        """Return what the manifests say of one snapshot (several when Drive shows duplicates of manifest.json)."""
        return [record for record in (manifest.get(name) for manifest in self.manifests) if record]

    def names(self) -> Set[str]:
        """Return every snapshot name that occurs as a file or in a manifest."""
        listed = [record.name for manifest in self.manifests for record in manifest.snapshots]
        return set(self.files) | set(listed)

    def has_finished_snapshots(self) -> bool:
        """Return whether the networks of a snapshot that was written to the end lie here, complete now or not."""
        pickles = {name for name, kinds in self.files.items() if kinds.get(NETWORKS)}
        listed = {record.name for manifest in self.manifests for record in manifest.snapshots}
        return bool(pickles & listed if self.manifests else pickles)

    def has_states(self) -> bool:
        """Return whether training states lie here, complete or not: then it is a run of this program."""
        return bool(self.states())

    def states(self) -> List[Tuple[str, str]]:
        """Return [(snapshot's name, path)] of the training states that lie here, complete or not."""
        found = [(name, kinds.get(TRAINING_STATE, [])) for name, kinds in self.files.items()]
        return [(name, os.path.join(self.path, one)) for name, files in found for one in files]

    def lacks_files(self, record: SnapshotRecord) -> bool:
        """Return whether files of a `SnapshotRecord` are gone, and no duplicate of theirs is there."""
        kinds = self.files.get(record.name, {})
        matches: List[Any] = [SNAPSHOT_PATTERN.match(file_name) for file_name in record.files]
        return self.is_listed and any(match.group(1) not in kinds for match in matches)

    def newest_time(self) -> float:
        """Return when this run last wrote a snapshot: the manifest's time or a file's, whichever is later; 0 if never."""
        times = [record.time for manifest in self.manifests for record in manifest.snapshots]
        for kinds in self.files.values():
            for file_name in (one for files in kinds.values() for one in files):
                try:
                    times.append(os.path.getmtime(os.path.join(self.path, file_name)))
                except OSError:
                    continue
        return max(times) if self.files and times else 0.0

    def check(self, name: str) -> Tuple[Optional[Candidate], List[str]]:
        """Return (Candidate or None, sentences) for one snapshot of this folder."""
        kinds = self.files.get(name, {})
        pickles = [os.path.join(self.path, one) for one in kinds.get(NETWORKS, [])]
        states = [os.path.join(self.path, one) for one in kinds.get(TRAINING_STATE, [])]
        where = os.path.join(self.path, pickle_name(name))
        if not pickles and not states:
            return None, [f"{where} is listed in manifest.json, but its files are gone."]
        if not states:
            lone = "{} has no {} beside it: its weights can start a new run, but not continue this one."
            return None, [lone.format(where, state_name(name))]
        if not pickles:
            return None, [f"{os.path.join(self.path, state_name(name))} has no {pickle_name(name)} beside it."]
        sentences: List[str] = []
        records = self.records(name)
        exact = (pickle_name(name), state_name(name))
        before = stamps_of(self.path, exact)
        # What contradicts the manifest is never taken; where it is silent, files that read from end to end are.
        found = self._by_digest(records, pickles, states, sentences) if records else self._by_reading(pickles, states, sentences)
        if found is None:
            return None, sentences
        pickle, state, record, run_id = found
        used = [path for path in (pickle, state) if " (" in os.path.basename(path)]
        instead = [f"Used {path} in place of the damaged file that it duplicates." for path in used]
        verified_by = "digest" if records else "structure"
        stamps = before if not used and stamps_of(self.path, exact) == before else None
        candidate = Candidate(self.path, name, pickle, state, verified_by, record, run_id, self.path, stamps)
        return candidate, (sentences if instead else []) + instead

    def _by_digest(self, records, pickles, states, sentences):
        for record in records:
            pickle, state = [first_matching(paths, record, sentences, self._digest) for paths in (pickles, states)]
            if pickle and state:
                meta, problem = read_counters(state, read_meta)
                problem = problem or self._foreign(state, meta, listed=True)
                if problem is None:
                    assert meta is not None, "counters that cannot be read are a problem"
                    return pickle, state, record, run_of(meta)
                sentences.append(problem)
        return None

    def _by_reading(self, pickles, states, sentences):
        """Return (pickle, state, record, run_id) of the first pair that reads from end to end and belongs together, else None."""
        for state in states:
            meta, problem = read_counters(state, verify_state)
            problem = problem or self._foreign(state, meta, listed=False)
            if problem:
                sentences.append(problem)
                continue
            assert meta is not None, "counters that cannot be read are a problem"
            for pickle in pickles:
                record, problem = record_if_paired(pickle, state, meta, self._digest)
                if problem is None:
                    return pickle, state, record, run_of(meta)
                sentences.append(problem)
        return None

    def _foreign(self, state, meta, listed):
        """Return a sentence where a training state names another run than this folder's, else None."""
        run_id = run_of(meta)
        if run_id is None or run_id == self.run_id:
            return None
        if self.run_id is None and (listed or not (self.manifests or self._has_options)):
            return None  # nothing here says which run this is, or the manifest of an older version lists this very file
        name = (meta.get("snapshot") or {}).get("run")
        return f"{state} {of_another_run(run_id, self.run_id, name)}; it is not taken."


def list_folder(path: FilePath) -> List[str]:
    """Return the names in a folder, none when it is absent; try again when Drive fails."""
    try:
        return with_retries(lambda: os.listdir(str(path)))
    except (FileNotFoundError, NotADirectoryError):
        return []


def newest_good(run_dirs: Iterable[FilePath]) -> Choice:
    """Choose the newest complete, verified snapshot of ONE run that may lie in several places; return a `Choice`.

    Args:
        run_dirs: Folders of the same run, the preferred place first (the VM's disk before Drive).
    """
    return newest_in([RunFolder(path) for path in run_dirs])


def newest_in(folders: Sequence[RunFolder], before: Optional[str] = None) -> Choice:
    """Choose as `newest_good` does.

    Args:
        folders: `RunFolder`s of one run, the preferred place first.
        before: Name of a snapshot; only older ones are looked at.
    """
    folders, skipped = _of_one_run(folders)
    names = {name for folder in folders for name in folder.names()}
    for name in sorted(names, key=order_of, reverse=True):
        if before is not None and order_of(name) >= order_of(before):
            continue
        for folder in folders:
            if name in folder.names():
                candidate, sentences = folder.check(name)
                skipped += [sentence for sentence in sentences if sentence not in skipped]
                if candidate:
                    return Choice(candidate, tuple(skipped))
    return Choice(None, tuple(skipped))


def _of_one_run(folders):
    """Return (the folders that are of the first one's run, sentences about them and the rest)."""
    first = next((folder for folder in folders if folder.run_id), None)
    sentences = [problem for folder in folders for problem in folder.problems]
    for folder in folders:
        if first and folder.run_id is None:
            folder.run_id = first.run_id
        elif first and folder.run_id != first.run_id:
            sentences.append(
                f"{folder.path} {of_another_run(folder.run_id, first.run_id)} in {first.path}; nothing of it is taken."
            )
    return [folder for folder in folders if first is None or folder.run_id == first.run_id], sentences


def run_names(results_dir: FilePath, problems: Optional[List[str]] = None) -> List[str]:
    """Return the names of the run folders in a results folder, sorted; note in `problems` when it cannot be listed."""
    try:
        return sorted(name for name in list_folder(results_dir) if RUN_FOLDER.match(name))
    except OSError as error:
        if problems is not None:
            problems.append(f"{results_dir} cannot be listed ({error.strerror or error}).")
        return []
