"""Retention: keep the last few snapshots, one every N kimg, and the best; delete the others."""

import os
from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional

from ..files import FilePath, delete_file
from ..run_files import order_of, pickle_name, state_name


@dataclass(frozen=True)
class Retention:
    """What to keep of a run's snapshots."""

    keep_last: int = 3  # newest verified ones; Drive can lose the last, so at least 2 where the run is kept there; 0: all
    keep_every_kimg: Optional[int] = None  # also the first one every KIMG; None keeps none of these


@dataclass(frozen=True)
class Entry:
    """A snapshot as retention sees it."""

    name: str  # "000012"
    verified: bool  # known to be complete where it counts (on Drive, when the run is kept there)


def what_to_delete(
    entries: Iterable[Entry], keep_last: int, keep_every_kimg: Optional[int] = None, best: Iterable[str] = ()
) -> List[str]:
    """Return the names that may be deleted, old to new.

    Nothing is deleted unless `keep_last` verified snapshots are newer than it; so an unverified snapshot never pushes out a
    verified one, and the newest verified one always stays.

    Args:
        entries: `Entry` objects in any order.
        keep_last: How many of the newest verified snapshots stay; 0 keeps all.
        keep_every_kimg: Also keep the first snapshot of every N kimg, and the first verified one; None for none.
        best: Names that stay in any case.
    """
    if not keep_last:
        return []
    entries = sorted(entries, key=lambda entry: order_of(entry.name))
    verified = [entry.name for entry in entries if entry.verified]
    if len(verified) < keep_last:
        return []
    oldest_of_last = order_of(verified[-keep_last])
    # What an earlier session left as a milestone is not verified in this one; it stays, beside the first that is.
    milestones = _milestones(verified, keep_every_kimg) | _milestones([entry.name for entry in entries], keep_every_kimg)
    kept = set(best) | milestones
    return [entry.name for entry in entries if order_of(entry.name) < oldest_of_last and entry.name not in kept]


def _milestones(names, every_kimg):
    """Return the first name at or after each positive multiple of `every_kimg`, within that multiple's span."""
    first: Dict[int, str] = {}
    for name in names:
        span = order_of(name)[0] // every_kimg if every_kimg else 0
        if span:
            first.setdefault(span, name)
    return set(first.values())


def delete_files(folder: FilePath, name: str, truncate: bool = False) -> None:
    """Delete the two files of a snapshot; what is already gone is passed over.

    Args:
        folder: Run folder.
        name: Snapshot name such as "000012".
        truncate: True on Drive, where a deleted file sits in the trash and counts against the quota: cut it to zero first.
    """
    # The state goes last: a lone state is known to be ours, and `tidy` takes it away; a lone pickle could be a person's.
    for file_name in (pickle_name(name), state_name(name)):
        delete_file(os.path.join(str(folder), file_name), truncate)
