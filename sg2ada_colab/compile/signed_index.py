"""The list of the compiled programs in a folder, with a code that only this user's key makes; imports no TensorFlow.

A program is native code: whoever may write into a folder of results that is shared could put one there, and a digest beside it.
So the list carries a message authentication code (HMAC-SHA256, RFC 2104), and the key lies where only this user writes: in Drive
itself, outside of the folders that are shared, where the programs are on Drive; else in the user's folder of settings.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
from contextlib import suppress
from typing import Dict, Mapping, Tuple

from ..files import FilePath, atomic_file, write_text
from ..json_text import parse_json
from ..machine import config_folder

INDEX_FILE, AUTOTUNE_FILE = "index.json", "autotuning.pbtxt"
KEY_FILE = "compiled-programs.key"
KEY_BYTES = 32
ON_DRIVE = re.compile(r"^(.*/drive)/(?:MyDrive|Shareddrives|\.shortcut-targets-by-id)(?:/|$)")  # how Colab mounts it


def key_folder(folder: FilePath) -> str:
    """Return where the key for a folder of programs lies: My Drive for one on Drive, else the user's folder of settings."""
    match = ON_DRIVE.match(os.path.abspath(str(folder)).replace(os.sep, "/"))
    return os.path.join(match.group(1), "MyDrive", ".sg2ada_colab") if match else config_folder()


def key_for(folder: FilePath) -> bytes:
    """Return the user's key for a folder of programs, made at the first call.

    Raises:
        OSError: The key can be neither read nor kept.
    """
    path = os.path.join(key_folder(folder), KEY_FILE)
    for _ in range(2):
        with suppress(FileNotFoundError):
            return _read_key(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with atomic_file(path, private=True) as file:
            file.write(secrets.token_bytes(KEY_BYTES).hex().encode("ascii") + b"\n")
    raise OSError(f"{path} cannot be read back")


def _read_key(path):
    with open(path, "rb") as file:
        text = file.read(1000).strip()
    if not re.match(rb"[0-9a-f]{64}$", text):
        raise OSError(f"{path} is not a key: delete it")
    return bytes.fromhex(text.decode("ascii"))


def code_of(key: bytes, folder: FilePath, entries: Mapping[str, str]) -> str:
    """Return the code of a list; it holds for one kind of device, whose name the folder has, wherever the folder lies."""
    text = json.dumps([os.path.basename(str(folder)), entries], sort_keys=True)
    return hmac.new(key, text.encode("utf-8"), hashlib.sha256).hexdigest()


def read_index(folder: FilePath, key: bytes) -> Tuple[Dict[str, str], bool]:
    """Return (dict of a file's name → SHA-256, whether all of it was made with this key); without that the dict is empty."""
    try:
        with open(os.path.join(folder, INDEX_FILE), "rb") as file:
            index = parse_json(file.read())
        entries, code = index["entries"], index["code"]
        texts = isinstance(code, str) and all(isinstance(digest, str) for digest in entries.values())
        if texts and hmac.compare_digest(code.encode("utf-8"), code_of(key, folder, entries).encode("ascii")):
            return entries, True
    except FileNotFoundError:
        return {}, not holds_programs(folder)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    return {}, False


def write_index(folder: FilePath, key: bytes, entries: Mapping[str, str]) -> None:
    index = {"entries": entries, "code": code_of(key, folder, entries)}
    write_text(os.path.join(folder, INDEX_FILE), json.dumps(index))


def holds_programs(folder: FilePath) -> bool:
    """Return whether a folder has programs, or results of autotuning, at all."""
    try:
        return any(is_entry(name) for name in os.listdir(folder))
    except OSError:
        return False


def is_entry(name: str) -> bool:
    """Return whether a file of this name is complete: an executable under its final name, or the autotuning results."""
    return name == AUTOTUNE_FILE or (name.endswith(".pb") and "xla_compile_cache" in name)
