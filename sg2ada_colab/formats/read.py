"""Open a snapshot of any family: say which one it is, and what the file is when it is not a snapshot."""

import os
from typing import Any, BinaryIO, Tuple

from ..byte_source import FileSource, Refused, Truncated
from ..errors import UserError
from ..files import FilePath
from ..unpickler import MALFORMED, load
from . import torch_file
from .export_safetensors import read_safetensors
from .network_data import NetworkSnapshot, Unsupported, check_snapshot
from .network_pickle import A_SNAPSHOT, TF_GLOBALS, snapshot_of
from .rosinality import EXTRA_GLOBALS, is_checkpoint, snapshot_of_checkpoint
from .torch_layout import snapshot_of_modules
from .torch_pickle import TORCH_GLOBALS

MAX_FILE_BYTES = 4 << 30  # a 1024x1024 snapshot has about 360 MB
KNOWN = (
    "a snapshot (G, D, Gs) of stylegan2, stylegan2-ada, stylegan2-ada-pytorch, stylegan3 (`--cfg=stylegan2`) or of this program"
)
OTHER_KINDS = (
    (b"version https://git-lfs", "is a Git LFS pointer: a few lines that stand for the file, not the file itself",
     "run `git lfs pull` in that repository, or download the file with the button on its page"),
    (b"PK\x03\x04", "is a zip archive, such as `torch.save` or NumPy write, not a network snapshot",
     "use the .pkl that the training program saved, not a file of bare weights"),
    (torch_file.HEAD, "is a file of bare weights that `torch.save` wrote (the form before torch 1.6), not a network snapshot",
     "use the .pkl that the training program saved, not a file of bare weights"),
    (b"\x1f\x8b", "is compressed with gzip", "decompress it with `gunzip` first"),
    (b"\x89HDF", "is an HDF5 file, such as Keras writes", "use the .pkl that the training program saved"),
)  # fmt: skip
CHECKPOINT_STARTS = (b"PK\x03\x04", torch_file.HEAD)
HTML_STARTS = (b"<!doctype", b"<html", b"<head", b"<?xml")


def read_snapshot(path: FilePath) -> NetworkSnapshot:
    """Read a snapshot of any family; nothing in the file is run.

    Args:
        path: A local file: a TensorFlow or PyTorch pickle, a checkpoint of rosinality's program, or our safetensors form.

    Returns:
        NetworkSnapshot, arrays in TensorFlow layouts, whichever program wrote the file.

    Raises:
        UserError: There is no such file, or it is not a snapshot; the message says what it is.
    """
    path = str(path)
    checkpoint = _check_file(path)
    try:
        snapshot = _read_by_family(path) if checkpoint is None else snapshot_of_checkpoint(checkpoint)
        check_snapshot(snapshot)
        return snapshot
    except (Refused, OSError, MemoryError) as error:
        raise _refusal(path, error) from error


def _read_by_family(path):
    """Return the NetworkSnapshot of a safetensors file or a pickle."""
    with open(path, "rb") as file:
        if is_safetensors(file):
            return read_safetensors(path)
        return snapshot_of_content(load(FileSource(file), ALL_GLOBALS))


def _refusal(path, error):
    """Return the UserError of a file that was opened and is not read."""
    if isinstance(error, Truncated):
        return UserError(
            f"{path} ({os.path.getsize(path):,} bytes) is cut short: {error}.",
            KNOWN,
            "copy or download it again and compare the sizes; while a run is writing, wait for it to end",
        )
    if isinstance(error, Unsupported):
        return UserError(f"{path} cannot be used: {error.sentence}.", error.expected, error.next_step)
    if isinstance(error, Refused):
        return UserError(
            f"{path} cannot be read: {error}.",
            f"{KNOWN}. Nothing in the file was run",
            "get the file again from where you trust it; `sg2ada inspect FILE` tells what a snapshot is",
        )
    if isinstance(error, MemoryError):
        return UserError(
            f"{path} ({os.path.getsize(path):,} bytes) does not fit into memory.", KNOWN, "free memory and try again"
        )
    return UserError(
        f"{path} cannot be read to its end: {error.strerror or error}.",
        KNOWN,
        "try again; on a mounted Drive, copy the file to a local disk first",
    )


ALL_GLOBALS = dict(TORCH_GLOBALS, **TF_GLOBALS)


def snapshot_of_content(content: Any) -> NetworkSnapshot:
    """Return the NetworkSnapshot for what a stream with ALL_GLOBALS described; raise Refused if that is not a snapshot."""
    try:
        if not isinstance(content, dict):
            return snapshot_of(content)
        if any(key in content for key in ("G", "D", "G_ema")):
            return snapshot_of_modules(content)
    except MALFORMED as error:
        raise Refused(f"its networks are put together in an unknown way ({type(error).__name__})") from error
    raise Unsupported("it is a pickle of something else: a dictionary without G, D and G_ema", *A_SNAPSHOT)


def is_safetensors(file: BinaryIO) -> bool:
    """Return whether a binary file begins as a safetensors file does; its position is at the start again."""
    head = file.read(9)
    file.seek(0)
    return len(head) == 9 and head[8:] == b"{" and head[5:8] == b"\0\0\0"


def _check_file(path):
    """Raise UserError for what cannot be a network, by its first bytes; return the content of a torch checkpoint, or None."""
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder.", "a file, " + KNOWN, "name a .pkl inside of it")
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", KNOWN, "check the path") from None
    except OSError as error:
        raise UserError(f"{path} cannot be opened: {error.strerror}.", KNOWN, "check the file and its rights") from error
    if not size:
        raise UserError(f"{path} is empty.", KNOWN, "copy or download it again")
    if size > MAX_FILE_BYTES:
        raise UserError(f"{path} has {size:,} bytes.", f"a snapshot of at most {MAX_FILE_BYTES:,}", "check the path")
    checkpoint = _checkpoint(path, size) if head.startswith(CHECKPOINT_STARTS) else None
    kind, advice = kind_of(head)
    if kind and checkpoint is None:
        raise UserError(f"{path} {kind}.", KNOWN, advice)
    return checkpoint


def _checkpoint(path, size):
    """Return the content of a checkpoint of rosinality's program; None for another zip archive or torch.save file."""
    try:
        with open(path, "rb") as file:
            content = torch_file.checkpoint_in(file, size, EXTRA_GLOBALS)
    except Refused:
        return None
    return content if is_checkpoint(content) else None


def kind_of(head: bytes) -> Tuple[str, str]:
    """Return (what a file is, what to do) by its first bytes, or ("", "") where it may be a snapshot."""
    for start, kind, advice in OTHER_KINDS:
        if head.startswith(start):
            return kind, advice
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(HTML_STARTS):
        return ("is a web page saved under this name, not the file behind it",
                "open the link in a browser, log in or accept its warning, and download the file itself")  # fmt: skip
    if head[:1] == b"\x80" or (head[5:9] == b"\0\0\0{"):
        return "", ""
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return "is a text file", "use the .pkl that the training program saved"
    return "is not a pickle", "use the .pkl that the training program saved"
