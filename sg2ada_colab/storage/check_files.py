"""A snapshot's two files: whether they read, belong together, and to which run; what is wrong is one sentence."""

import os
import re
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ..errors import UserError
from ..files import FilePath, sha256_of, with_retries
from ..formats.network_pickle import read_network_pickle
from ..run_files import order_of, pickle_name, state_name
from .manifest import FileRecord, SnapshotRecord

Digest = Callable[[str], Tuple[int, str]]  # of a path: size in bytes and SHA-256, as `files.sha256_of`


def first_matching(
    paths: Sequence[str], record: SnapshotRecord, sentences: List[str], digest: Optional[Digest] = None
) -> Optional[str]:
    """Return the first of a file and its duplicates that has the size and SHA-256 of a `SnapshotRecord`, else None.

    Args:
        paths: Of the file and its duplicates.
        record: `SnapshotRecord`.
        sentences: List that gets a sentence for each that is not taken.
        digest: What reads a file in place of `sha256_of`.
    """
    ending = os.path.splitext(paths[0])[1]
    expected = next((file for name, file in record.files.items() if name.endswith(ending)), None)
    if expected is None:
        sentences.append(f"{paths[0]} is not the file that manifest.json describes.")
        return None
    for path in paths:
        try:
            size = with_retries(partial(os.path.getsize, path))
            if size != expected.bytes:
                sentences.append(_wrong_size(path, size, expected.bytes))
            elif with_retries(partial(digest or sha256_of, path))[1] == expected.sha256:
                return path
            else:
                sentences.append(f"{path} does not have the SHA-256 that manifest.json gives.")
        except OSError as error:
            sentences.append(f"{path} cannot be read ({error.strerror or error}).")
    return None


def stamps_of(folder: FilePath, names: Iterable[str]) -> Optional[Dict[str, List[int]]]:
    """Return {file name: [bytes, time of the last change in ns, inode, device]}; None where one of the files is not there."""
    stamps = {}
    for name in names:
        try:
            found = os.stat(os.path.join(str(folder), name))
        except OSError:
            return None
        stamps[name] = [found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev]
    return stamps


def read_counters(state: str, read: Callable[[str], Dict[str, Any]]) -> Tuple[Optional[Dict[str, Any]], Optional[str]]:
    """Return (a training state's counters, None), or (None, a sentence) where `read` (`read_meta`, `verify_state`) refuses it."""
    try:
        return with_retries(lambda: read(state)), None
    except (UserError, OSError) as error:
        return None, _zero_or(state, getattr(error, "what", error))


def run_of(meta: Mapping[str, Any]) -> Optional[str]:
    """Return the identity of the run that a training state was written by; None where an older version wrote it."""
    return (meta.get("snapshot") or {}).get("run_id")


def of_another_run(run_id: str, own: Optional[str], name: Optional[str] = None) -> str:
    """Return the end of a sentence: which run something belongs to. The name comes from a file, so it is cleaned."""
    called = " ({})".format(re.sub(r"[^\w.-]", "?", name)[:80]) if name else ""
    this = f"this run's is {own[:8]}…" if own else "this run has none yet"
    return f"belongs to another run{called}: its identity is {re.sub(r'[^0-9a-f]', '?', run_id[:8])}…, {this}"


def record_if_paired(
    pickle: str, state: str, meta: Mapping[str, Any], digest: Optional[Digest] = None
) -> Tuple[Optional[SnapshotRecord], Optional[str]]:
    """Return (`SnapshotRecord`, None) of a pickle and a training state that read and belong together, else (None, a sentence)."""
    bound, digest = meta.get("snapshot") or {}, digest or sha256_of
    try:
        of_pickle = FileRecord(*with_retries(lambda: digest(pickle)))
        problem = _pickle_problem(pickle, of_pickle, bound.get("pickle"))
        if problem:
            return None, problem
        of_state = FileRecord(*with_retries(lambda: digest(state)))
        when = bound.get("time") or os.path.getmtime(state)
    except OSError as error:
        return None, f"{pickle} cannot be read ({error.strerror or error})."
    name = re.search(r"-(\d{6,}(?:-\d+)?)", os.path.basename(state)).group(1)  # type: ignore[union-attr]
    files = {pickle_name(name): of_pickle, state_name(name): of_state}
    return SnapshotRecord(name, order_of(name)[0], meta.get("nimg"), when, files), None


def _pickle_problem(path, found, named):
    """Return why a pickle does not go with a training state that names its size and SHA-256, or None when it does."""
    if found.bytes == 0:
        return f"{path} has zero bytes."
    if named:
        if found.bytes != named["bytes"]:
            return _wrong_size(path, found.bytes, named["bytes"])
        return None if found.sha256 == named["sha256"] else f"{path} does not have the SHA-256 that its training state gives."
    try:
        read_network_pickle(path)
    except Exception as error:  # whatever a reader makes of damaged bytes, the answer is the next older snapshot
        return "{} cannot be read ({}: {}).".format(path, type(error).__name__, getattr(error, "what", error))
    return None


def _wrong_size(path, size, expected_size):
    if size == 0:
        return f"{path} has zero bytes."
    short = "is cut short: " if size < expected_size else "has another size: "
    return f"{path} {short}{size:,} of {expected_size:,} bytes."


def _zero_or(path, message):
    try:
        if os.path.getsize(path) == 0:
            return f"{path} has zero bytes."
    except OSError:
        pass
    return str(message)
