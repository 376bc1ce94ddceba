"""Keep what XLA compiled between processes: executables and the results of its autotuning; imports no TensorFlow.

Compiling a training step takes minutes on a GPU, most of it timing convolution algorithms. TensorFlow can save each
executable under a digest of its program, and XLA can save which algorithms won. Both are valid only for the same kind of
device, TensorFlow and cuDNN, so each combination has a folder of its own; another network simply adds its own entries. Algorithms
that are shipped for this GPU (`known_algorithms`) are in it from the start.

TensorFlow ends with an error where an entry is cut short or the disk is full. So an index with digests is written once all is
compiled, only entries that it names and that verify are used again, and nothing is kept on a full disk. The index is signed
(`signed_index`): what another user put into a folder of results is not run, and the log says so.
"""

import hashlib
import os
import re
import shutil
import sys
import threading
from contextlib import suppress
from typing import Any, Callable, List, Mapping, Optional, Sequence, Set

from ..files import DamagedSourceError, FilePath, replace_with_copy, sha256_of, write_text
from ..machine import cache_folder, cudnn_version, device_name, processor_name, tensorflow_version
from ..words import counted, shown
from . import autotune_results as known_algorithms
from .signed_index import AUTOTUNE_FILE, INDEX_FILE, is_entry, key_folder, key_for, read_index, write_index

ENVIRONMENT = "SG2ADA_COMPILE_CACHE"  # a folder; "off" keeps nothing
TRACED = "traced "  # in the index: what was traced to become one of its programs
MAX_BYTES = 2 * 2**30  # of one combination; beyond it the entries that were not used longest go
FETCH_S = 60  # longest wait for Drive before training starts; what comes later serves the next start
FREE_BYTES = 2**30  # with less space on the disk nothing is kept


class CompileCache:
    """Where a process keeps its compiled programs; `use` makes one.

    Args:
        folder: Of this kind of device and this TensorFlow.
        key: Bytes that sign the index of `folder`.
        autotuning: File that XLA rewrites after autotuning a program; None on a processor, which has none.
        remote: The same folder on Drive, or None.
        refused: Sentences on what was not taken, as this user did not keep it.
        leads: Whether `keep` writes anything; False in a process that finds here what another one of the run compiles and keeps.
    """

    def __init__(
        self,
        folder: str,
        key: bytes,
        autotuning: Optional[str] = None,
        remote: Optional[str] = None,
        refused: Sequence[str] = (),
        leads: bool = True,
    ) -> None:
        self.folder, self.key, self.autotuning, self.remote, self.refused = folder, key, autotuning, remote, refused
        self.leads = leads
        self.programs: Set[str] = set()  # digests of the programs, as they were traced, that were asked for
        self._listed: Set[str] = set()  # what `keep` has written down

    def has_program(self, traced: bytes) -> bool:
        """Return whether a program was kept before, by its graph as bytes; `keep` remembers it."""
        name = TRACED + hashlib.sha256(traced).hexdigest()
        self.programs.add(name)
        return name in self.known_programs()

    def known_programs(self) -> Set[str]:
        """Return the names in the index of the programs that were kept before."""
        return {name for name in read_index(self.folder, self.key)[0] if name.startswith(TRACED)}

    def sentence(self) -> str:
        """Return what is there, for what it is valid, and what was refused, in words."""
        return "\n".join([self._kept()] + list(self.refused))

    def _kept(self):
        programs = sum(name.endswith(".pb") for name in _entries(self.folder))
        valid = os.path.basename(self.folder)
        timed = known_algorithms.count(_read(os.path.join(self.folder, AUTOTUNE_FILE)))
        if not programs and not timed:
            return f"Nothing is kept yet for {valid}: this takes minutes, later starts find it done."
        algorithms = f" and the fastest algorithms of {timed} operations" if timed else ""
        sentence = "Kept for {}, and valid for it alone: {}{}; networks of another form are compiled anew."
        return sentence.format(valid, counted(programs, "program", "programs"), algorithms)

    def keep(self) -> None:
        """Write down what was compiled so far, for other processes; call it when nothing is being compiled."""
        if not self.leads or self._listed and self._listed == self.programs | set(_entries(self.folder)):
            return
        try:
            if self.autotuning and os.path.isfile(self.autotuning):
                os.replace(self.autotuning, os.path.join(self.folder, AUTOTUNE_FILE))
            index = {name: sha256_of(os.path.join(self.folder, name))[1] for name in _entries(self.folder)}
            index.update(dict.fromkeys(self.programs | self.known_programs(), ""))
            write_index(self.folder, self.key, index)
            self._listed = self.programs | set(_entries(self.folder))
        except OSError:
            return  # it costs time at the next start, and nothing else
        if self.remote:  # never waited for: Drive may be slow, or gone
            in_background(lambda: _send(self.folder, self.remote, index))


def use_for_run(
    xla: bool, deterministic: bool, drive_dir: Optional[FilePath] = None, leads: bool = True
) -> Optional[CompileCache]:
    """Let a run keep its compiled programs, on Drive in a folder beside it, too; call it before TensorFlow is imported.

    Args:
        xla, deterministic: Of the run's config.
        drive_dir: The run's folder on Drive, or None.
        leads: As for `use`.

    Returns:
        CompileCache, or None where nothing is kept.
    """
    if not xla:
        return None
    cache = use(drive=folder_on_drive(drive_dir), leads=leads)
    if deterministic:
        prefer_fast_deterministic_scatters()
    return cache


def folder_on_drive(drive_dir: Optional[FilePath]) -> Optional[str]:
    """Return the folder of all combinations beside a run's folder on Drive; None without one."""
    return os.path.join(os.path.dirname(drive_dir), "compiled") if drive_dir else None


def use_for_pictures() -> Optional[CompileCache]:
    """Let a verb that makes pictures keep its compiled programs; call it before TensorFlow is imported.

    They lie apart from those of runs: the leader of a folder deletes what its index lacks, such as what a run compiles now.

    Returns:
        CompileCache, or None where nothing is kept, also where TensorFlow is there already.
    """
    root = None if "tensorflow" in sys.modules else root_folder()
    return use(os.path.join(root, "pictures")) if root else None


def use(root: Optional[str] = None, drive: Optional[str] = None, leads: bool = True) -> Optional[CompileCache]:
    """Let this process keep its compiled programs; call it before TensorFlow is imported.

    Args:
        root: Folder of all combinations; None asks the environment variable SG2ADA_COMPILE_CACHE, then the default.
        drive: Such a folder on Drive: what it has is fetched first, and `keep` copies to it.
        leads: False in those processes of a run that share the folder with the first one of their machine: that one deletes
            what the index does not list before any of them compiles, and lists what all of them have compiled.

    Returns:
        CompileCache, or None where nothing is kept: TensorFlow 1, "off", or a folder on a full disk or that cannot be made.
    """
    root, version = root_folder(root), tensorflow_version()
    if root is None or version is None or version.startswith("1."):
        return None
    device, processor = device_name(), processor_name()
    cudnn = "" if device == processor else cudnn_version()
    name = combination(device, version, cudnn)
    folder = os.path.join(root, name)
    remote = os.path.join(drive, name) if drive else None
    refused: List[str] = []
    try:
        os.makedirs(folder, exist_ok=True)
        key = key_for(folder)
        if leads:
            _clear(folder, key, remote, refused)
        if shutil.disk_usage(folder).free < FREE_BYTES:
            return None
        if leads and device != processor:
            _add_known(folder, key, known_algorithms.shipped(device, version, cudnn))
    except OSError:
        return None
    _add_flags("TF_XLA_FLAGS", ["--tf_xla_persistent_cache_directory=" + folder])
    autotuning = None
    if device != processor:
        autotuning = os.path.join(folder, f"{os.getpid()}.{AUTOTUNE_FILE}")
        _add_flags("XLA_FLAGS", _gpu_flags(version, autotuning, os.path.join(folder, AUTOTUNE_FILE)))
    return CompileCache(folder, key, autotuning, remote, refused, leads)


def root_folder(root: Optional[str] = None) -> Optional[str]:
    """Return the folder of all combinations, None where nothing is to be kept; `root` as for `use`."""
    root = root or os.environ.get(ENVIRONMENT) or os.path.join(cache_folder(), "compiled")
    return None if root == "off" else os.path.expanduser(root)


def _clear(folder: str, key: bytes, remote: Optional[str], refused: List[str]) -> None:
    """Fetch what Drive has, then delete what the index lacks or has otherwise."""
    if not read_index(folder, key)[1]:
        refused.append(refusal(folder))
    if remote:
        in_background(lambda: _fetch(remote, folder, key, refused)).join(FETCH_S)
    tidy(folder, read_index(folder, key)[0])


def prefer_fast_deterministic_scatters() -> None:
    """Let XLA make sums at given places repeatable on a GPU by sorting; call it before TensorFlow is imported.

    By default it adds one element after another, which makes a training step with augmentation take twenty seconds.
    """
    version = tensorflow_version()
    if version and _at_least(version, 2, 20) and device_name() != processor_name():  # an unknown flag ends the process
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


def combination(device: str, version: str, cudnn: str = "") -> str:
    """Return the name of the folder for a device, a TensorFlow and a cuDNN, such as "Tesla-T4-tf2.20.0-cudnn9.8.0"."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", "{}-tf{}{}".format(device, version, cudnn and "-cudnn" + cudnn))


def refusal(folder: FilePath) -> str:
    """Return the sentence on a folder whose programs are not run."""
    return (
        f"The programs in {shown(folder)} are not taken: they are native code, and nothing shows that you kept them "
        f"(their list is not signed with the key in {shown(key_folder(folder))}). What is compiled now takes their place."
    )


def tidy(folder: FilePath, index: Mapping[str, str], max_bytes: int = MAX_BYTES) -> None:
    """Delete what the index lacks or has otherwise, then the entries that were not used longest until `max_bytes` are left."""
    entries = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name == INDEX_FILE or not os.path.isfile(path):
            continue
        if index.get(name) != sha256_of(path)[1]:
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


def _add_known(folder, key, text):
    """Add shipped results of autotuning to those that are kept, which come first."""
    path = os.path.join(folder, AUTOTUNE_FILE)
    kept = _read(path)
    both = known_algorithms.merged(kept, text)
    if both != kept:
        write_text(path, both)
        write_index(folder, key, dict(read_index(folder, key)[0], **{AUTOTUNE_FILE: sha256_of(path)[1]}))


def _read(path):
    """Return a file's text, "" where it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def _entries(folder):
    """Return the names of the files that are complete."""
    return [name for name in sorted(os.listdir(folder)) if is_entry(name)]


def in_background(work: Callable[[], Any]) -> threading.Thread:
    """Start `work` in a thread that does not keep the process alive, and whose file errors cost nothing; return the thread."""

    def run():
        with suppress(OSError):
            work()

    thread = threading.Thread(target=run, name="compiled programs", daemon=True)
    thread.start()
    return thread


def _fetch(remote, folder, key, refused):
    """Copy what Drive has and this folder has not; nothing gets its name here before its digest is checked."""
    if not os.path.isdir(remote):
        return
    there, is_ours = read_index(remote, key_for(remote))
    if not is_ours:
        refused.append(refusal(remote))
    index = dict(read_index(folder, key)[0])
    for name, digest in there.items():
        if name.startswith(TRACED) or index.get(name) == digest:
            index.setdefault(name, digest)
        elif name not in index and os.path.basename(name) == name and is_entry(name):
            with suppress(FileNotFoundError, DamagedSourceError):
                replace_with_copy(os.path.join(remote, name), os.path.join(folder, name), digest)
                index[name] = digest
    write_index(folder, key, index)


def _send(folder, remote, index):
    """Copy to Drive what it lacks or has otherwise, then write its index."""
    os.makedirs(remote, exist_ok=True)
    key = key_for(remote)
    there, _ = read_index(remote, key)
    for name, digest in index.items():
        path = os.path.join(folder, name)
        if there.get(name) != digest and os.path.isfile(path):
            replace_with_copy(path, os.path.join(remote, name))
    write_index(remote, key, index)


def _add_flags(variable, flags):
    """Add flags to an environment variable, before those that are there: the user's own win."""
    os.environ[variable] = " ".join(flags + os.environ.get(variable, "").split())
