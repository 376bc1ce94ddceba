"""Keep what XLA compiled between processes: executables and the results of its autotuning; imports no TensorFlow.

Compiling a training step takes minutes on a GPU, most of it timing convolution algorithms. TensorFlow can save each
executable under a digest of its program, and XLA can save which algorithms won. Both are valid only for the same kind of
device, TensorFlow and cuDNN, so each combination has a folder of its own; another network simply adds its own entries. Algorithms
that are shipped for this GPU (`known_algorithms`) are in it from the start.

TensorFlow ends with an error where an entry is cut short or the disk is full. So an index with digests is written once all is
compiled, only entries that it names and that verify are used again, and a disk without room keeps nothing.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import threading
from contextlib import suppress
from typing import NamedTuple, Optional

from ..snapshots.atomic import write_text
from . import known_algorithms

ENVIRONMENT = "SG2ADA_COMPILE_CACHE"  # a folder; "off" keeps nothing
DEFAULT_FOLDER = os.path.join("~", ".cache", "sg2ada_colab", "compiled")
INDEX_FILE, AUTOTUNE_FILE = "index.json", "autotuning.pbtxt"
TRACED = "traced "  # in the index: what was traced to become one of its programs
MAX_BYTES = 2 * 2**30  # of one combination; beyond it the entries that were not used longest go
FETCH_S = 60  # longest wait for Drive before training starts; what comes later serves the next start
FREE_BYTES = 2**30  # with less room on the disk nothing is kept

_current = None


class CompileCache(NamedTuple):
    """Where this process keeps its compiled programs."""

    folder: str  # of this kind of device and this TensorFlow
    autotuning: Optional[str]  # file that XLA rewrites after autotuning a program; None on a processor, which has none
    remote: Optional[str]  # the same folder on Drive, or None
    programs: set  # digests of the programs, as they were traced, that were asked for

    def has_program(self, traced):
        """Return whether a program was kept before, by its graph as bytes; `keep` remembers it."""
        name = TRACED + hashlib.sha256(traced).hexdigest()
        self.programs.add(name)
        return name in self.known_programs()

    def known_programs(self):
        """Return the names in the index of the programs that were kept before."""
        return {name for name in _read_index(self.folder) if name.startswith(TRACED)}

    def sentence(self):
        """Return what is there, and for what it is valid, in words."""
        programs = sum(name.endswith(".pb") for name in _entries(self.folder))
        valid = os.path.basename(self.folder)
        timed = known_algorithms.count(_read(os.path.join(self.folder, AUTOTUNE_FILE)))
        if not programs and not timed:
            return "Nothing is kept yet for {}: this takes minutes, later starts find it done.".format(valid)
        algorithms = " and the fastest algorithms of {} operations".format(timed) if timed else ""
        sentence = "Kept for {}, and valid for it alone: {} program{}{}; networks of another form are compiled anew."
        return sentence.format(valid, programs, "" if programs == 1 else "s", algorithms)

    def keep(self):
        """Write down what was compiled so far, for later processes; call it when nothing is being compiled."""
        try:
            if self.autotuning and os.path.isfile(self.autotuning):
                os.replace(self.autotuning, os.path.join(self.folder, AUTOTUNE_FILE))
            index = {name: _digest(os.path.join(self.folder, name)) for name in _entries(self.folder)}
            index.update(dict.fromkeys(self.programs | self.known_programs(), ""))
            write_text(os.path.join(self.folder, INDEX_FILE), json.dumps(index))
        except OSError:
            return  # it costs time at the next start, and nothing else
        if self.remote:  # never waited for: Drive may be slow, or gone
            _aside(lambda: _copy(self.folder, self.remote, index))


def current():
    """Return the CompileCache of this process, or None."""
    return _current


def use(root=None, drive=None):
    """Let this process keep its compiled programs; call it before TensorFlow is imported.

    Args:
        root: Folder of all combinations; None asks the environment variable SG2ADA_COMPILE_CACHE, then the default.
        drive: Such a folder on Drive: what it has is fetched first, and `keep` copies to it.

    Returns:
        CompileCache, or None where nothing is kept: TensorFlow 1, "off", or a folder without room or that cannot be made.
    """
    global _current
    root = root or os.environ.get(ENVIRONMENT) or DEFAULT_FOLDER
    version = _tensorflow_version()
    if root == "off" or version is None or version.startswith("1."):
        return None
    device, processor = device_name(), _processor()
    cudnn = "" if device == processor else cudnn_version()
    name = combination(device, version, cudnn)
    folder = os.path.join(os.path.expanduser(root), name)
    remote = os.path.join(drive, name) if drive else None
    try:
        os.makedirs(folder, exist_ok=True)
        if remote:
            _aside(lambda: _fetch(remote, folder)).join(FETCH_S)
        tidy(folder)
        if shutil.disk_usage(folder).free < FREE_BYTES:
            return None
        if device != processor:
            _add_known(folder, known_algorithms.shipped(device, version, cudnn))
    except OSError:
        return None
    _add_flags("TF_XLA_FLAGS", ["--tf_xla_persistent_cache_directory=" + folder])
    autotuning = None
    if device != processor:
        autotuning = os.path.join(folder, "{}.{}".format(os.getpid(), AUTOTUNE_FILE))
        _add_flags("XLA_FLAGS", _gpu_flags(version, autotuning, os.path.join(folder, AUTOTUNE_FILE)))
    _current = CompileCache(folder, autotuning, remote, set())
    return _current


def prefer_fast_deterministic_scatters():
    """Let XLA make sums at given places repeatable on a GPU by sorting; call it before TensorFlow is imported.

    By default it adds one element after another, which makes a training step with augmentation take twenty seconds.
    """
    version = _tensorflow_version()
    if version and _at_least(version, 2, 20) and device_name() != _processor():  # an unknown flag ends the process
        _add_flags("XLA_FLAGS", ["--xla_gpu_enable_scatter_determinism_expander=true"])


def _at_least(version, *wanted):
    return tuple(int(part) for part in version.split(".")[:2]) >= wanted


def _gpu_flags(version, autotuning, kept):
    # Splitting a program for several threads (xla_gpu_enable_llvm_module_compilation_parallelism) costs more than it saves.
    flags = [
        # Trying Triton on each small matrix product, and on each fusion, takes minutes and gained nothing that could be measured.
        "--xla_gpu_enable_triton_gemm=false",
        "--xla_gpu_autotune_level=2",  # without comparing the algorithms' results, which XLA would only log
        "--xla_gpu_dump_autotune_results_to=" + autotuning,
    ]
    if _at_least(version, 2, 21):  # an unknown flag ends the process
        flags.append("--xla_gpu_experimental_enable_fusion_autotuner=false")
    if os.path.isfile(kept):
        flags.append("--xla_gpu_load_autotune_results_from=" + kept)
    return flags


def combination(device, version, cudnn=""):
    """Return the name of the folder for a device, a TensorFlow and a cuDNN, such as "Tesla-T4-tf2.20.0-cudnn9.8.0"."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", "{}-tf{}{}".format(device, version, cudnn and "-cudnn" + cudnn))


def cudnn_version():
    """Return the version of cuDNN, "" where there is none: a kept program names its algorithms by numbers of one version.

    TensorFlow takes pip's or the system's. Which of them is not known before it is imported, so both are named.
    """
    found = [_version_of(name) for name in ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13")]
    with suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30).stdout.decode()
        paths = re.findall(r"libcudnn\.so\.\d+ .*=> (\S+)", listed)
        found += [os.path.basename(os.path.realpath(path)).partition(".so.")[2] for path in paths]
    return "-".join(sorted({version for version in found if version}))


def device_name():
    """Return the name of the first GPU, or of the processor where there is none."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        names = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30).stdout.decode()
    except (OSError, subprocess.SubprocessError):
        names = ""
    return names.strip().splitlines()[0].strip() if names.strip() else _processor()


def tidy(folder, max_bytes=MAX_BYTES):
    """Delete what the index does not vouch for, then the entries that were not used longest until `max_bytes` are left."""
    index, entries = _read_index(folder), []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name == INDEX_FILE or not os.path.isfile(path):
            continue
        if index.get(name) != _digest(path):
            os.unlink(path)
            continue
        found = os.stat(path)
        entries.append((max(found.st_atime, found.st_mtime), found.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= max_bytes:
            break
        os.unlink(path)
        total -= size


def _add_known(folder, text):
    """Add shipped results of autotuning to those that are kept, which come first."""
    path = os.path.join(folder, AUTOTUNE_FILE)
    kept = _read(path)
    both = known_algorithms.merged(kept, text)
    if both != kept:
        write_text(path, both)
        write_text(os.path.join(folder, INDEX_FILE), json.dumps(dict(_read_index(folder), **{AUTOTUNE_FILE: _digest(path)})))


def _read(path):
    """Return a file's text, "" where it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def _entries(folder):
    """Return the names of the files that are whole: executables under their final names, and the autotuning results."""
    return [n for n in sorted(os.listdir(folder)) if n == AUTOTUNE_FILE or (n.endswith(".pb") and "xla_compile_cache" in n)]


def _read_index(folder):
    try:
        with open(os.path.join(folder, INDEX_FILE), encoding="utf-8") as file:
            index = json.load(file)
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) else {}


def _aside(work):
    """Start `work` in a thread that does not keep the process alive, and whose file errors cost nothing; return the thread."""

    def run():
        with suppress(OSError):
            work()

    thread = threading.Thread(target=run, name="compiled programs", daemon=True)
    thread.start()
    return thread


def _fetch(remote, folder):
    """Copy what Drive has and this folder has not."""
    if os.path.isdir(remote):
        index = dict(_read_index(remote), **_read_index(folder))
        _copy(remote, folder, index)


def _copy(source, target, index):
    """Copy the named files that the target lacks or has otherwise, then write its index."""
    os.makedirs(target, exist_ok=True)
    there = _read_index(target)
    for name, digest in index.items():
        path = os.path.join(source, name)
        if os.path.basename(name) == name and there.get(name) != digest and os.path.isfile(path):
            shutil.copyfile(path, os.path.join(target, name))
    write_text(os.path.join(target, INDEX_FILE), json.dumps(index))


def _digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _processor():
    """Return the processor's model and a digest of its abilities; programs compiled for others may not run."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = dict(_pair(line) for line in file)
        return "{} {}".format(lines["model name"], hashlib.sha256(lines["flags"].encode()).hexdigest()[:8])
    except (OSError, KeyError):
        return platform.processor() or platform.machine()


def _pair(line):
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def _tensorflow_version():
    return _version_of("tensorflow") or _version_of("tensorflow-cpu")


def _version_of(package):
    """Return the version of an installed package, or None."""
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7, which has TensorFlow 1.14 only
        return None
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _add_flags(variable, flags):
    """Add flags to an environment variable, before those that are there: the user's own win."""
    os.environ[variable] = " ".join(flags + os.environ.get(variable, "").split())
