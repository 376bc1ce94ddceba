"""One dataset being written: into a partial folder, by many processes, in any order, so that little is lost if it is killed."""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np

from .. import __version__
from ..errors import UserError
from ..files import sha256_of
from ..images.progress import Progress
from ..images.source import Source
from ..images.workers import run_parallel
from ..json_text import parse_json
from ..shape import sides_of
from . import source_files
from .convert import Conversion, convert_some
from .disk import LOCK_NAME, check_partial, check_space, flush
from .manifest import JOURNAL_NAME, boxes_digest, write_manifest
from .options import PrepareOptions
from .plan import Plan, no_images_error, record_order
from .pyramid import level_sizes
from .records import RecordLayout

CHUNK_BYTES = 2 << 20  # pixels that one job holds: small enough to stay in a CPU cache
CHUNK_RECORDS = 128


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder and hold a lock in it, so that two runs cannot write the same dataset.

    Raises UserError where another process holds the lock.
    """
    check_partial(folder)
    folder.mkdir(exist_ok=True)
    with open(str(folder / LOCK_NAME), "a") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # no file locks on this system
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise UserError(
                    f"{folder} is being written by another process", "one conversion at a time", "wait for it, or stop it"
                ) from error
            # A file system without locks, as a mounted Drive is: conversion goes on without it.
            reason = error.strerror or error
            print(f"{folder} cannot be locked ({reason}): start no second conversion into it", file=sys.stderr)
        yield


class Build:
    """One dataset being written into its partial folder."""

    def __init__(
        self, source: Source, plan: Plan, labels: Any, options: PrepareOptions, folder: Path, name: str, contents: str
    ) -> None:
        self.source, self.plan, self.labels, self.options, self.contents = source, plan, labels, options, contents
        self.folder, self.name = folder, name
        self.order = record_order(len(plan.tasks), options.shuffle)
        sizes = level_sizes(plan.resolution, options.full_only)
        self.paths = {r: str(folder / f"{name}-r{r.bit_length() - 1:02d}.tfrecords") for r in sizes}
        self.layouts = {r: RecordLayout(plan.channels, *size) for r, size in sizes.items()}
        self.failures: Dict[int, Tuple[str, str]] = {}  # record position -> (kind, text)
        self.hashes = self._new_hashes()

    def _new_hashes(self):
        return _PrefixHashes(self.paths, {r: layout.record_bytes for r, layout in self.layouts.items()}, len(self.order))

    def chunks(self) -> List[Tuple[int, ...]]:
        """Return the record positions of each job: neighbours in the file, or in the source where that must be read in order."""
        height, width = sides_of(self.plan.resolution)
        per_image = self.plan.channels * height * width
        size = max(1, min(CHUNK_RECORDS, CHUNK_BYTES // per_image))
        count = len(self.order)
        positions = np.arange(count)
        if self.source.in_order or len(np.unique(self.plan.tasks[:, 0])) < count:  # several regions of one image
            positions = np.argsort(self.order)
        return [tuple(int(p) for p in positions[start : start + size]) for start in range(0, count, size)]

    def identity(self) -> str:
        """Return a text that is equal for two runs that would write the same bytes."""
        facts = dataclasses.asdict(dataclasses.replace(self.options, workers=None, strict=False))
        parts: List[Any] = [__version__, facts, self.source.path, self.source.fingerprint(), self.name]
        parts += [self.plan.resolution, self.plan.channels, len(self.order)]
        parts.append(self.labels and hashlib.sha256(self.labels.rows.tobytes()).hexdigest())
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def convert(self, progress: Any) -> None:
        """Write all records that are not written yet, and note the images that could not be read in the plan."""
        chunks = self.chunks()
        done = self._open_journal(chunks)
        self._check_space(done)
        left = [i for i in range(len(chunks)) if i not in done]
        for positions in (chunks[i] for i in done):
            self._note(positions, [])
        conversion = Conversion(
            self.source, self.plan.tasks, self.order, self.paths, self.plan.resolution,
            self.options.read_options(self.plan.channels), self.options.fit, self.options.full_only,
        )  # fmt: skip
        jobs = [chunks[i] for i in left]
        number = {chunks[i]: i for i in left}
        with Progress(progress, len(self.order), "Converting") as bar, open(str(self.folder / JOURNAL_NAME), "a") as journal:
            bar.update(len(self.order) - sum(map(len, jobs)))
            for positions, failures in run_parallel(convert_some, conversion, jobs, self.options.workers):
                journal.write(json.dumps([number[positions], failures]) + "\n")
                journal.flush()
                self._note(positions, failures)
                bar.update(len(positions))
        for position in sorted(self.failures):
            name = self.source.names[self.plan.tasks[self.order[position], 0]]
            self.plan.problems.append((name,) + self.failures[position])

    def _note(self, positions, failures):
        for position, kind, text in failures:
            self.failures[position] = (kind, text)
        if not self.failures:
            self.hashes.add(positions)

    def _open_journal(self, chunks):
        """Return the numbers of chunks that an earlier, equal run has written; empty the folder for any other run."""
        path = self.folder / JOURNAL_NAME
        lines, done = [json.dumps(self.identity())], set()
        for line, (number, failures) in _journal_entries(path, lines[0], chunks):
            failures = {position: (kind, text) for position, kind, text in failures}
            if any(kind == "unreadable" for kind, _ in failures.values()):
                continue  # an error of the disk, perhaps a transient one
            if self._is_written([position for position in chunks[number] if position not in failures]):
                lines.append(line)
                done.add(number)
                self.failures.update(failures)
        if not done:
            self._empty()
        path.write_text("".join(line + "\n" for line in lines))
        return done

    def _empty(self):
        for entry in self.folder.iterdir():
            if entry.name != LOCK_NAME:
                shutil.rmtree(str(entry)) if entry.is_dir() else entry.unlink()
        for file in self.paths.values():
            open(file, "wb").close()

    def _is_written(self, positions):
        """Return whether these records are in all files: a machine that crashed may have lost data that it had accepted."""
        for resolution, path in self.paths.items():
            layout = self.layouts[resolution]
            if not os.path.exists(path):
                return False
            with open(path, "rb") as file:
                for position in positions:
                    file.seek(position * layout.record_bytes)
                    record = np.frombuffer(file.read(layout.record_bytes), np.uint8)[None]
                    if record.shape[1] != layout.record_bytes or not layout.is_sealed(record).all():
                        return False
        return True

    def _check_space(self, done):
        needed = sum(layout.record_bytes for layout in self.layouts.values()) * len(self.order)
        written = sum(os.path.getsize(path) for path in self.paths.values()) if done else 0
        advice = "choose another folder or a smaller --resolution, or save a quarter with --full-only"
        check_space(self.folder.parent, needed - written, "the dataset", advice)

    def finish(self) -> Dict[str, Any]:
        """Remove the records of failed images, write labels and manifest, flush all files; return the manifest."""
        journal = self.folder / JOURNAL_NAME
        if self.failures:
            journal.unlink()  # from here on records change their places: a run that is killed now must start over
            self._close_up()
        files, digests = {}, self.hashes.finish()
        for resolution, path in self.paths.items():
            flush(path)
            files[os.path.basename(path)] = {"bytes": os.path.getsize(path), "sha256": digests[resolution]}
        if self.labels:
            file_of_labels = self.folder / f"{self.name}-rxx.labels"
            rows = self.labels.rows[self.plan.tasks[self.order, 0]]
            with open(str(file_of_labels), "wb") as file:
                np.save(file, rows)
            flush(file_of_labels)
            files[file_of_labels.name] = {"bytes": file_of_labels.stat().st_size, "sha256": sha256_of(file_of_labels)[1]}
        content = self._facts()
        write_manifest(self.folder, content, files)
        if journal.exists():
            journal.unlink()
        return dict(content, files=files)

    def _facts(self):
        return {
            "name": self.name,
            "resolution": self.plan.resolution if isinstance(self.plan.resolution, int) else list(self.plan.resolution),
            "channels": self.plan.channels,
            "num_images": len(self.order),
            "label_size": self.labels.rows.shape[1] if self.labels else 0,
            "classes": self.labels.classes if self.labels else None,
            "full_only": self.options.full_only,
            "source": self.source.path,
            "source_contents": self.contents,
            "source_files": source_files.record(self.source, self.options.workers),
            "options": dataclasses.asdict(dataclasses.replace(self.options, fit=dataclasses.replace(self.options.fit, boxes={}))),
            "boxes_sha256": boxes_digest(self.options.fit.boxes),
            "left_out": len(self.plan.problems),
            "ignored": dict(self.source.ignored),
        }

    def _close_up(self):
        """Rewrite the files without the failed records, in the order that a set without those images has."""
        old_position = np.empty(len(self.order), np.int64)
        old_position[self.order] = np.arange(len(self.order))
        tasks = [t for t in range(len(self.order)) if old_position[t] not in self.failures]
        if not tasks:
            raise no_images_error(self.source, self.plan.problems)
        self.plan.tasks = self.plan.tasks[tasks]
        self.order = record_order(len(tasks), self.options.shuffle)
        take = old_position[np.asarray(tasks)[self.order]]
        for resolution, path in self.paths.items():
            record_bytes = self.layouts[resolution].record_bytes
            old = np.memmap(path, np.uint8, "r", shape=(os.path.getsize(path) // record_bytes, record_bytes))
            step = max(1, (16 << 20) // record_bytes)
            with open(path + ".tmp", "wb") as file:  # a fixed name: after a kill the next run writes over it
                for start in range(0, len(take), step):
                    file.write(old[take[start : start + step]])
                file.flush()
                os.fsync(file.fileno())
            del old
            os.replace(path + ".tmp", path)
        self.hashes = self._new_hashes()
        self.hashes.add(np.arange(len(take)))


class _PrefixHashes:
    """The SHA-256 of files whose records are written in any order, the same in all: hashes what is complete from the start."""

    def __init__(self, paths: Dict[int, str], record_bytes: Dict[int, int], count: int) -> None:
        self.paths, self.record_bytes = paths, record_bytes
        self.written, self.hashed = np.zeros(count, bool), 0
        self.digests = {resolution: hashlib.sha256() for resolution in paths}

    def add(self, positions):
        """Note that the records at these positions are written."""
        self.written[np.asarray(positions)] = True
        last = self.hashed
        while last < len(self.written):
            block = self.written[last : last + 1024]
            complete = len(block) if block.all() else int(block.argmin())
            last += complete
            if complete < len(block):
                break
        if last > self.hashed:
            for resolution, path in self.paths.items():
                self._hash(path, self.record_bytes[resolution], last, self.digests[resolution])
            self.hashed = last

    def _hash(self, path, record_bytes, last, digest):
        with open(path, "rb", buffering=0) as file:
            file.seek(self.hashed * record_bytes)
            left = (last - self.hashed) * record_bytes
            while left:
                block = file.read(min(left, 1 << 22))
                if not block:
                    raise OSError(errno.EIO, f"{path} is shorter than what was written to it")
                digest.update(block)
                left -= len(block)

    def finish(self):
        """Return {resolution: digest as hex}; all records must be written."""
        assert self.hashed == len(self.written), f"record {self.hashed} of {self.paths} is not written"
        return {resolution: digest.hexdigest() for resolution, digest in self.digests.items()}


def _journal_entries(path, first, chunks):
    """Return [(line, (number of a chunk, failures))] of a journal that begins with this line, up to where it breaks off.

    A journal that begins otherwise belongs to another conversion and gives none.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    if lines[:1] != [first]:
        return []
    entries = []
    for line in lines[1:]:
        try:
            number, failures = parse_json(line)
            if not (isinstance(number, int) and 0 <= number < len(chunks)):
                raise ValueError("no such chunk")
            if not all(p in chunks[number] and isinstance(k, str) and isinstance(t, str) for p, k, t in failures):
                raise ValueError("no failures")
        except (ValueError, TypeError):
            break
        entries.append((line, (number, failures)))
    return entries
