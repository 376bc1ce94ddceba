"""One data set being written: into a partial folder, by many processes, in any order, so that a kill costs little."""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shutil

import numpy as np

from .. import __version__
from ..errors import UserError
from ..images.progress import Progress
from ..images.workers import run_parallel
from .convert import Conversion, convert_some
from .disk import check_space, flush
from .manifest import JOURNAL_NAME, sha256_of_file, write_manifest
from .plan import no_images_error, record_order
from .pyramid import resolutions
from .records import RecordLayout

CHUNK_BYTES = 2 << 20  # pixels that one job holds: little enough to stay in a cache
CHUNK_RECORDS = 128
LOCK_NAME = "lock"


@contextlib.contextmanager
def locked(folder):
    """Make the folder and hold a lock in it, so that two runs cannot write the same data set."""
    folder.mkdir(exist_ok=True)
    path = folder / LOCK_NAME
    with open(str(path), "w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # no file locks on this system
        except OSError as error:
            if error.errno in (11, 13):
                raise UserError(
                    "{} is being written by another process".format(folder), "one conversion at a time", "wait for it, or stop it"
                ) from error
        yield


class Build:
    """One data set being written into its partial folder."""

    def __init__(self, source, plan, labels, options, folder, name):
        self.source, self.plan, self.labels, self.options = source, plan, labels, options
        self.folder, self.name = folder, name
        self.order = record_order(len(plan.tasks), options.shuffle)
        self.stored = resolutions(plan.resolution, options.full_only)
        self.paths = {r: str(folder / "{}-r{:02d}.tfrecords".format(name, r.bit_length() - 1)) for r in self.stored}
        self.layouts = {r: RecordLayout(plan.channels, r, r) for r in self.stored}
        self.failures = {}  # record position -> (kind, text)
        self.hashes = self._new_hashes()

    def _new_hashes(self):
        return _PrefixHashes(self.paths, {r: layout.record_bytes for r, layout in self.layouts.items()}, len(self.order))

    def chunks(self):
        """Return the record positions of each job: neighbours in the file, or in the source where that must be read in order."""
        per_image = self.plan.channels * self.plan.resolution**2
        size = max(1, min(CHUNK_RECORDS, CHUNK_BYTES // per_image))
        count = len(self.order)
        positions = np.arange(count)
        if self.source.in_order or len(np.unique(self.plan.tasks[:, 0])) < count:  # several regions of one image
            positions = np.argsort(self.order)
        return [tuple(int(p) for p in positions[start : start + size]) for start in range(0, count, size)]

    def identity(self):
        """Return a text that is equal for two runs that would write the same bytes."""
        facts = dataclasses.asdict(dataclasses.replace(self.options, workers=None, strict=False))
        parts = [__version__, facts, self.source.path, self.source.fingerprint(), self.name]
        parts += [self.plan.resolution, self.plan.channels, len(self.order)]
        parts.append(self.labels and hashlib.sha256(self.labels.rows.tobytes()).hexdigest())
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def convert(self, progress):
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
        """Return the numbers of chunks that an earlier, equal run has written; start the folder anew for any other run."""
        path = self.folder / JOURNAL_NAME
        lines, done = [json.dumps(self.identity())], set()
        for line in _json_lines(path, lines[0]):
            number, failures = json.loads(line)
            failures = {position: (kind, text) for position, kind, text in failures}
            if any(kind == "unreadable" for kind, _ in failures.values()):
                continue  # the disk's fault, perhaps for that time alone
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
        """Return whether these records stand in all files: a machine that crashed may have lost what it had promised to write."""
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
        check_space(self.folder.parent, needed - written, "the data set", advice)

    def finish(self):
        """Close up the places of failed images, write labels and manifest, flush all; return the manifest."""
        journal = self.folder / JOURNAL_NAME
        if self.failures:
            journal.unlink()  # from here on records change their places: a run that is killed now must start anew
            self._close_up()
        files, digests = {}, self.hashes.finish()
        for resolution, path in self.paths.items():
            flush(path)
            files[os.path.basename(path)] = {"bytes": os.path.getsize(path), "sha256": digests[resolution]}
        if self.labels:
            path = self.folder / "{}-rxx.labels".format(self.name)
            rows = self.labels.rows[self.plan.tasks[self.order, 0]]
            with open(str(path), "wb") as file:
                np.save(file, rows)
            flush(path)
            files[path.name] = {"bytes": path.stat().st_size, "sha256": sha256_of_file(path)}
        content = self._facts()
        write_manifest(self.folder, content, files)
        if journal.exists():
            journal.unlink()
        return dict(content, files=files)

    def _facts(self):
        return {
            "name": self.name,
            "resolution": self.plan.resolution,
            "channels": self.plan.channels,
            "num_images": len(self.order),
            "label_size": self.labels.rows.shape[1] if self.labels else 0,
            "classes": self.labels.classes if self.labels else None,
            "full_only": self.options.full_only,
            "source": self.source.path,
            "options": dataclasses.asdict(dataclasses.replace(self.options, fit=dataclasses.replace(self.options.fit, boxes={}))),
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
            with open(path + ".tmp", "wb") as file:
                for start in range(0, len(take), step):
                    file.write(old[take[start : start + step]])
            del old
            os.replace(path + ".tmp", path)
        self.hashes = self._new_hashes()
        self.hashes.add(np.arange(len(take)))


class _PrefixHashes:
    """The SHA-256 of files whose records are written in any order, the same in all: hashes what is complete from the start."""

    def __init__(self, paths, record_bytes, count):
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
                    raise OSError(errno.EIO, "{} is shorter than what was written to it".format(path))
                digest.update(block)
                left -= len(block)

    def finish(self):
        """Return {resolution: digest as hex}; all records must be written."""
        assert self.hashed == len(self.written), "record {} of {} is not written".format(self.hashed, self.paths)
        return {resolution: digest.hexdigest() for resolution, digest in self.digests.items()}


def _json_lines(path, first):
    """Return the lines of a journal that begins with this line, up to where it breaks off; none for any other journal."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    if lines[:1] != [first]:
        return []
    whole = []
    for line in lines[1:]:
        try:
            json.loads(line)
        except ValueError:
            break
        whole.append(line)
    return whole
