"""A FUSE file system that plays Google Drive's mount, with its faults: a FAKE, driven by a JSON file.

Run as a program: `python drive_fuse.py MOUNTPOINT CACHE CLOUD CONTROL COUNTS`. Files are written into CACHE, as DriveFS does on
the VM's disk, and reach CLOUD later, in the background; a lost VM is played by killing this program and starting another
on an empty CACHE, which begins as a copy of CLOUD. COUNTS gets how often each fault happened, and when those that its user
meets did, see `fault_counts.py`. CONTROL is a JSON file that is read again whenever it changes:

    upload_delay_s      how long a closed file waits before it is uploaded
    upload_bytes_s      speed of the upload to CLOUD (null: at once)
    bytes_s             speed of writes and of reads through the mount (null: as fast as it goes)
    quota_bytes         ENOSPC beyond this size of CACHE (null: none)
    silent_quota_bytes  like it, but DriveFS accepts the bytes and never uploads the file
    dead                every call answers ENOTCONN
    dead_on_write       probability that a write breaks the mount: from there on, for up to half a second, all is ENOTCONN
    eio                 probability that a call answers EIO
    eio_on_write        probability that a write answers EIO
    short_write         probability that a write keeps half of its bytes and reports success
    twin_rename         probability that a rename over an existing file shows both in CLOUD, one as "name (1).ext"
    list_delay_s        how long a listing takes
    lose_put            probability that an upload gets stuck for good and leaves zero bytes or half of the file in CLOUD
    no_ids              true: the file system does not tell whether a file is uploaded
    eager_metadata      true: deletions reach CLOUD before uploads that were asked for earlier
"""

import contextlib
import errno
import json
import os
import random
import shutil
import stat
import sys
import threading
import time

try:
    import mfusepy as fuse
except ImportError:  # Python 3.7 has only the elder of the two
    import fuse

from fault_counts import FaultCounts

CHUNK = 1 << 18


class Control:
    def __init__(self, path, counts):
        self.path, self.counts, self.signature, self.values = path, FaultCounts(counts), None, {}

    def __getitem__(self, key):
        try:
            found = os.stat(self.path)
            signature = (found.st_mtime_ns, found.st_size)
            if signature != self.signature:
                with open(self.path) as file:
                    self.values = json.load(file)
                self.signature = signature
        except (OSError, ValueError):
            pass  # the test is writing it just now
        return self.values.get(key)

    def happens(self, key, kind):
        """Return whether the fault of a probability happens now; count it."""
        happens = random.random() < (self[key] or 0)
        if happens:
            self.counts.add(kind)
        return happens


class Uploader(threading.Thread):
    """Carry closed files, deletions and renames from CACHE to CLOUD in the background."""

    def __init__(self, cache, cloud, control):
        super().__init__(daemon=True)
        self.cache, self.cloud, self.control = cache, cloud, control
        self.lock, self.queue, self.pending = threading.Lock(), [], {}

    def add(self, kind, path, other=None):
        with self.lock:
            self.queue.append((time.monotonic(), kind, path, other))
            if kind == "put":
                self.pending[path] = self.pending.get(path, 0) + 1

    def run(self):
        while True:
            with self.lock:
                job = self._next()
            if job is None:
                time.sleep(0.005)
                continue
            _, kind, path, other = job
            stuck = False
            with contextlib.suppress(OSError):
                stuck = getattr(self, "_" + kind)(path, other)
            if kind == "put" and not stuck:
                with self.lock:
                    self.pending[path] -= 1

    def _next(self):
        due = time.monotonic() - (self.control["upload_delay_s"] or 0)
        order = list(range(len(self.queue)))
        if self.control["eager_metadata"]:
            order.sort(key=lambda index: (self.queue[index][1] == "put", index))
        for index in order:
            if self.queue[index][0] <= due or self.queue[index][1] != "put":
                if any(one[1] == "put" for one in self.queue[:index]):
                    self.control.counts.add("deletions before uploads")
                return self.queue.pop(index)
        return None

    def _put(self, path, other):
        limit = self.control["silent_quota_bytes"]
        size = os.path.getsize(self.cache + path)
        if limit is not None and size + folder_bytes(self.cloud) > limit:
            self.control.counts.add("uploads refused silently")
            return True
        speed, started, sent = self.control["upload_bytes_s"], time.monotonic(), 0
        stuck = self.control.happens("lose_put", "stuck uploads")
        keep = random.choice([0, size // 2]) if stuck else size
        with open(self.cache + path, "rb") as source, open(self.cloud + path, "wb") as target:
            while sent < keep:
                chunk = source.read(min(CHUNK, keep - sent))
                if not chunk:
                    break
                target.write(chunk)
                target.flush()
                sent += len(chunk)
                if speed:
                    self.control.counts.add("slow uploads")
                    time.sleep(max(0, sent / speed - (time.monotonic() - started)))
        return stuck

    def _delete(self, path, other):
        os.unlink(self.cloud + path)

    def _mkdir(self, path, other):
        os.makedirs(self.cloud + path, exist_ok=True)

    def _rename(self, path, other):
        if os.path.exists(self.cloud + other) and self.control.happens("twin_rename", "twin renames"):
            stem, extension = os.path.splitext(other)
            os.replace(self.cloud + other, f"{self.cloud}{stem} (1){extension}")
        if os.path.exists(self.cloud + path):
            os.replace(self.cloud + path, self.cloud + other)


def folder_bytes(folder):
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.path.getsize(os.path.join(where, name))
            except OSError:
                continue
    return total


class Drive(fuse.Operations):
    def __init__(self, cache, cloud, control, counts):
        self.cache, self.control, self.dead_until = cache, Control(control, counts), 0.0
        self.uploader = Uploader(cache, cloud, self.control)
        self.uploader.start()
        self.dirty, self._pipe = set(), threading.Lock()  # "lock" is the name of an operation

    def _pace(self, count):
        speed, started = self.control["bytes_s"], time.time()
        if speed:
            with self._pipe:  # one for all
                time.sleep(count / speed)
            self.control.counts.held_up(started, time.time() - started)

    def getattr(self, path, fh=None):
        found = os.lstat(self.cache + path)
        names = ("st_atime", "st_ctime", "st_gid", "st_mode", "st_mtime", "st_nlink", "st_size", "st_uid")
        return {name: getattr(found, name) for name in names}

    def readdir(self, path, fh):
        if self.control["list_delay_s"]:
            self.control.counts.add("slow listings")
            self.control.counts.held_up(time.time(), self.control["list_delay_s"])
            time.sleep(self.control["list_delay_s"])
        return [".", ".."] + os.listdir(self.cache + path)

    def getxattr(self, path, name, position=0):
        if name != "user.drive.id" or self.control["no_ids"]:
            raise fuse.FuseOSError(errno.ENODATA)
        os.lstat(self.cache + path)
        pending = self.uploader.pending.get(path) or path in self.dirty
        return ("local-1" if pending else "1AbCdEf").encode()

    def listxattr(self, path):
        return ["user.drive.id"]

    def mkdir(self, path, mode):
        os.mkdir(self.cache + path, mode)
        self.uploader.add("mkdir", path)

    def rmdir(self, path):
        os.rmdir(self.cache + path)

    def statfs(self, path):
        found = os.statvfs(self.cache)
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_ffree", "f_files", "f_frsize", "f_namemax")
        values = {name: getattr(found, name) for name in names}
        if self.control["quota_bytes"] is not None:
            free = max(0, self.control["quota_bytes"] - folder_bytes(self.cache))
            values.update(f_bfree=free // found.f_frsize, f_bavail=free // found.f_frsize)
        return values

    def create(self, path, mode, fi=None):
        self.dirty.add(path)
        return os.open(self.cache + path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, stat.S_IMODE(mode))

    def open(self, path, flags):
        return os.open(self.cache + path, flags & ~os.O_APPEND)

    def read(self, path, size, offset, fh):
        self._pace(size)
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        self._pace(len(data))
        if self.control["bytes_s"]:
            self.control.counts.add("slow writes")
        if self.control.happens("eio_on_write", "EIO"):
            raise fuse.FuseOSError(errno.EIO)
        if self.control.happens("dead_on_write", "writes that broke the mount"):
            self.dead_until = time.monotonic() + random.random() / 2
            raise fuse.FuseOSError(errno.ENOTCONN)
        limit = self.control["quota_bytes"]
        if limit is not None and folder_bytes(self.cache) + len(data) > limit:
            self.control.counts.add("ENOSPC")
            raise fuse.FuseOSError(errno.ENOSPC)
        self.dirty.add(path)
        kept = data[: len(data) // 2] if self.control.happens("short_write", "short writes") else data
        os.pwrite(fh, kept, offset)
        return len(data)

    def truncate(self, path, length, fh=None):
        self.dirty.add(path)
        os.truncate(self.cache + path, length)
        if fh is None:
            self._changed(path)

    def flush(self, path, fh):
        return 0

    def fsync(self, path, datasync, fh):
        return os.fsync(fh)  # onto the VM's disk, as with DriveFS: nothing waits for the upload

    def release(self, path, fh):
        os.close(fh)
        self._changed(path)

    def _changed(self, path):
        if path in self.dirty:
            self.dirty.discard(path)
            self.uploader.add("put", path)

    def rename(self, old, new):
        os.rename(self.cache + old, self.cache + new)
        self.uploader.add("rename", old, new)
        if self.uploader.pending.get(old) or old in self.dirty:
            self.dirty.discard(old)
            self.uploader.add("put", new)

    def unlink(self, path):
        os.unlink(self.cache + path)
        self.dirty.discard(path)
        self.uploader.add("delete", path)

    def utimens(self, path, times=None):
        os.utime(self.cache + path, times)

    def chmod(self, path, mode):
        os.chmod(self.cache + path, mode)

    def chown(self, path, uid, gid):
        pass


def with_faults(name, operation):
    """Return an operation that may answer with the errors that CONTROL asks for."""

    def call(self, path, *args):
        if self.control["dead"] or time.monotonic() < self.dead_until:
            self.control.counts.add("ENOTCONN")
            raise fuse.FuseOSError(errno.ENOTCONN)
        if name not in NEVER_EIO and self.control.happens("eio", "EIO"):
            raise fuse.FuseOSError(errno.EIO)
        try:
            return operation(self, path, *args)
        except fuse.FuseOSError:
            raise
        except OSError as error:
            raise fuse.FuseOSError(error.errno) from error

    return call


NEVER_EIO = ("getattr", "release", "flush", "getxattr", "listxattr")
for _name, _operation in list(vars(Drive).items()):
    if callable(_operation) and not _name.startswith("_"):
        setattr(Drive, _name, with_faults(_name, _operation))


def main(mountpoint, cache, cloud, control, counts):
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(cloud, cache)
    libfuse = getattr(fuse, "fuse_version_major", 2)  # the elder module knows version 2 alone
    large_writes = {"big_writes": True, "max_write": 131072} if libfuse == 2 else {}  # libfuse 3 has no others
    fuse.FUSE(Drive(cache, cloud, control, counts), mountpoint, foreground=True, nothreads=False, **large_writes)


if __name__ == "__main__":
    main(*sys.argv[1:])
