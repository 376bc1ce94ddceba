"""Download a file into the cache, so that only what is complete and checked is kept; networks by URL or published name."""

import hashlib
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import Any, Callable, Dict, Optional

from ..byte_source import FileSource, Refused
from ..config.presets import RESUME_PRESETS
from ..errors import UserError
from ..files import FilePath, Written, atomic_file, remove_parts, sha256_of, write_text
from ..machine import cache_folder
from ..unpickler import load
from ..words import shown
from .export_safetensors import read_safetensors
from .read import ALL_GLOBALS, CHECKPOINT_STARTS, MAX_FILE_BYTES, is_safetensors, kind_of, read_snapshot

ATTEMPTS = 3
TIMEOUT_S = 30  # without a byte
ANSWER_S = 90  # until the answer's head is there
WINDOW_S, WINDOW_BYTES = 60, 1 << 20  # a server that sends less than so much in such a time is given up
CHUNK_BYTES = 1 << 16
SHIPPED = {"flags": "demo_network"}  # networks that come with the package: name → folder in it
NOTED = ".sha256"  # beside a download whose digest is not known beforehand
HUB, HUB_FILE = "hf://", "https://huggingface.co/{repo}/resolve/main/{file}"
URL = re.compile(r"https?://", re.IGNORECASE)
ELSEWHERE = "download the file elsewhere and give its path"


def local_snapshot(
    name: FilePath, folder: Optional[FilePath] = None, progress: Optional[Callable[[int, Optional[int]], Any]] = None
) -> str:
    """Return the path of a local file for what a user typed.

    Args:
        name: A path; a URL (http or https), which may end in `#sha256=HEX` to be checked; a preset, a key of `RESUME_PRESETS`;
            hf://USER/NAME/FILE of the Hugging Face Hub; or a network that comes with the package, a key of `SHIPPED`.
        folder: Where downloads are kept; None: the cache folder.
        progress: Optional function of (bytes so far, bytes in all or None), called while downloading.

    Raises:
        UserError: No network, no such file at the URL, a web page instead of a file, cut short, or another digest than expected.
    """
    found = snapshot_on_disk(name, folder)
    if found is not None:
        return found
    url, sha256 = _split_digest(_address(str(name)))
    path = _place(url, folder or cache_folder())
    remembered = noted_digest(path)
    digest = download(url, path, sha256, _no_network, lambda part: _check_complete(url, part), progress)
    if sha256 is None and remembered not in (None, digest):
        _forget(path)
        raise UserError(
            f"{url} is another file than when it was first downloaded.", f"SHA-256 {remembered}, got {digest}",
            "if it was replaced on purpose, run the command again: the new file is then taken",
        )  # fmt: skip
    note_digest(path, digest)
    return path


def snapshot_on_disk(name: FilePath, folder: Optional[FilePath] = None) -> Optional[str]:
    """Return the path that `local_snapshot` gives for a name where nothing has to be downloaded for it, else None.

    Raises UserError for an address that cannot be one, and where the file has another digest than the address wants.
    """
    name = str(name)
    # NVIDIA publishes no digests of the presets; that of the first download is remembered and checked from then on.
    if not os.path.exists(name):
        if name in SHIPPED:
            return shipped_network(name)
        name = _address(name)
    if not URL.match(name):
        return name
    url, sha256 = _split_digest(name)
    path = _place(url, folder or cache_folder())
    remembered = noted_digest(path)
    if not remembered or not os.path.isfile(path) or sha256_of(path)[1] != remembered:
        return None
    _check_digest(url, remembered, sha256)
    return path


def _address(name: str) -> str:
    """Return the URL of a preset or of hf://USER/NAME/FILE; another name as it is."""
    if not name.startswith(HUB):
        return RESUME_PRESETS.get(name, name)
    parts = name[len(HUB) :].split("/")
    if len(parts) < 3 or not all(parts) or ".." in parts:
        raise UserError(f"{name} names no file of the Hugging Face Hub.", "hf://USER/NAME/FILE",
                        "write it so, such as hf://someone/flags/network.pkl")  # fmt: skip
    return HUB_FILE.format(repo="/".join(parts[:2]), file="/".join(parts[2:]))


def shipped_network(name: str) -> str:
    """Return the path of a network that comes with the package, a key of `SHIPPED`; raise a UserError where it was left out."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), SHIPPED[name])
    files = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found = [file for file in files if file.endswith((".pkl", ".safetensors"))]
    if not found:
        raise UserError(
            f"The network {name!r} is not part of this installation.", f"a network file in {folder}",
            "install sg2ada_colab again, or name another network",
        )  # fmt: skip
    return os.path.join(folder, found[0])


def _place(url, folder):
    """Return the path in the cache for a URL; older versions had a folder of their own for networks."""
    name = cached_name(url)
    older = os.path.join(folder, "downloads", name)
    return older if os.path.isfile(older) else os.path.join(folder, name)


def cached_name(url: str) -> str:
    """Return a file name for a URL: a few digits of its digest, then the end of its path."""
    end = urllib.parse.unquote(_parts(url).path).rsplit("/", 1)[-1]
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", end)[-100:].lstrip(".")
    return "{}-{}".format(hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:12], safe or "download.pkl")


def _parts(url):
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "file" and not parts.hostname:
            raise ValueError("it names no server")
        assert parts.port is None or parts.port >= 0, "urlsplit gives no such port"
        return parts
    except ValueError as error:
        raise _not_an_address(url, error) from error


def _not_an_address(url, error):
    return UserError(
        f"{url} is not a valid address: {error}.", "http:// or https://, a server, and a path", "correct the address"
    )


def _no_network(head):
    """Return what is wrong with the first bytes of a network; whether a torch.save file is one shows when it is complete."""
    return "" if head.startswith(CHECKPOINT_STARTS) else kind_of(head)[0]


def _check_complete(url, path):
    """Raise UserError where a download cannot be read: a connection that ends early may look like the end of the file."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            file.seek(0)
            if is_safetensors(file):
                read_safetensors(path)
            elif head.startswith(CHECKPOINT_STARTS):
                _check_checkpoint(url, path)
            else:
                load(FileSource(file), ALL_GLOBALS)
    except Refused as error:
        raise UserError(
            f"The file at {url} cannot be read: {error}.", "a complete network", f"try again, or {ELSEWHERE}"
        ) from error


def _check_checkpoint(url, path):
    try:
        read_snapshot(path)
    except UserError as error:
        raise UserError(error.what.replace(str(path), url), error.expected, error.next_step) from error


def _split_digest(name):
    """Return (URL, digest or None) for a URL that may end in #sha256=HEX."""
    url, _, fragment = name.partition("#")
    match = re.match(r"sha256=([0-9a-fA-F]{64})$", fragment)
    if fragment.startswith("sha256") and not match:
        raise UserError(f"{name} ends in a digest that is not valid.", "#sha256= and 64 hexadecimal digits", "correct the URL")
    return url, match.group(1).lower() if match else None


def noted_digest(path: FilePath) -> Optional[str]:
    """Return the SHA-256 that was noted beside a download, or None."""
    try:
        with open(str(path) + NOTED, encoding="ascii") as file:
            digest = file.read(100).strip()
        return digest if re.match(r"[0-9a-f]{64}$", digest) else None
    except (OSError, UnicodeError):
        return None


def note_digest(path: FilePath, digest: str) -> None:
    write_text(str(path) + NOTED, digest + "\n")


def downloaded_digests() -> Dict[Optional[str], str]:
    """Return dict SHA-256 (hex) → path of the files that were downloaded before and are still there."""
    found = {}
    for folder in (cache_folder(), os.path.join(cache_folder(), "downloads")):
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            path = os.path.join(folder, name[: -len(NOTED)])
            if name.endswith(NOTED) and os.path.isfile(path):
                found[noted_digest(path)] = path
    return found


def _forget(path):
    for name in (path, path + NOTED):
        if os.path.exists(name):
            os.unlink(name)


def _check_digest(url, digest, expected):
    if expected is not None and not digest.startswith(expected):
        raise UserError(
            f"{url} has the wrong digest: SHA-256 {digest}.", f"SHA-256 {expected}",
            "do not use the file; check the URL and the digest with whoever published them",
        )  # fmt: skip


def web_page(head: bytes) -> str:
    """Return what is wrong with the first bytes of a file of any other kind: that they are a web page's."""
    kind, _ = kind_of(head)
    return kind if "web page" in kind else ""


def download(
    url: str,
    path: FilePath,
    sha256: Optional[str] = None,
    wrong_start: Callable[[bytes], str] = web_page,
    check: Optional[Callable[[str], Any]] = None,
    progress: Optional[Callable[[int, Optional[int]], Any]] = None,
) -> str:
    """Download to `path`, which comes into being only when all is checked; return the SHA-256.

    Args:
        url: Its address.
        path: Where to; its folder is made. What killed downloads left there is removed.
        sha256: The expected SHA-256 or its beginning, None where it is not known.
        wrong_start: Function of the first bytes that returns what is wrong with them, "" for nothing.
        check: Optional function of the path of the complete file under a temporary name; what it raises stops all.
        progress: Optional function of (bytes so far, bytes in all or None).

    Raises:
        UserError: It cannot be had, is not complete, or not what was expected; nothing is left in the folder.
    """
    folder = os.path.dirname(str(path))
    try:
        os.makedirs(folder, exist_ok=True)
        remove_parts(folder)
    except OSError as error:
        raise _cannot_keep(folder, error) from error
    for attempt in range(ATTEMPTS):
        last = attempt == ATTEMPTS - 1
        try:
            return _download_once(url, str(path), sha256, wrong_start, check, progress)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 or last:
                raise _server_refuses(url, error) from error
        except (urllib.error.URLError, socket.timeout, HTTPException, ConnectionError, EOFError) as error:
            if last:
                raise _connection_fails(url, error) from error
        except OSError as error:
            raise _cannot_keep(folder, error) from error
        time.sleep(attempt + 1)
    raise AssertionError("the last attempt returns or raises")


def _server_refuses(url, error):
    return UserError(
        f"{url} cannot be downloaded: the server answers {error.code} {shown(error.reason)}.",
        "a file at this address",
        "check the address, in a browser if possible" if error.code < 500 else "try again later",
    )


def _connection_fails(url, error):
    reason = shown(getattr(error, "reason", None) or error or type(error).__name__)
    return UserError(
        f"{url} cannot be downloaded: {reason}.",
        f"a connection to {_parts(url).netloc or url}",
        f"check the network, or {ELSEWHERE}",
    )


def _cannot_keep(folder, error):
    return UserError(
        f"Nothing can be kept in {folder}: {error.strerror or error}.",
        "a folder that can be written, with disk space for the download",
        "free space or choose another folder with the environment variable SG2ADA_CACHE_DIR",
    )


def _download_once(url, path, sha256, wrong_start, check, progress):
    with _answer(url) as response:
        total = response.headers.get("Content-Length")
        total = int(total) if total and total.isdigit() else None
        if total is not None and total > MAX_FILE_BYTES:
            raise UserError(f"{url} has {total:,} bytes.", f"a file of at most {MAX_FILE_BYTES:,}", "check the URL")
        if total is None and sha256 is None and check is None:
            raise UserError(
                f"The server does not tell the length of {url}, so a part of it could pass for the file.", "a length", ELSEWHERE
            )
        written = Written()
        with atomic_file(path, written) as file:
            done = _receive(response, url, file, total, wrong_start, progress)
            if total is not None and done != total:
                raise EOFError(f"it ended after {done:,} of {total:,} bytes")
            file.flush()
            _check_digest(url, file.raw.sha256, sha256)
            if check:
                check(file.raw.name)
    return written.sha256


def _answer(url):
    """Return the response to a request, once its head is there; a head that drips is not waited for."""
    _parts(url)
    quoted = urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]", errors="surrogatepass")
    outcome, given_up = [], threading.Event()

    def ask():
        try:
            request = urllib.request.Request(quoted, headers={"User-Agent": "sg2ada_colab"})
            outcome.append(urllib.request.urlopen(request, timeout=TIMEOUT_S))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            outcome.append(error)
        if given_up.is_set() and hasattr(outcome[0], "close"):
            outcome[0].close()

    thread = threading.Thread(target=ask, name="download", daemon=True)
    thread.start()
    thread.join(ANSWER_S)
    if not outcome:
        given_up.set()
        raise EOFError(f"no answer in {ANSWER_S} seconds")
    if isinstance(outcome[0], ValueError):
        raise _not_an_address(url, outcome[0])
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _receive(response, url, file, total, wrong_start, progress):
    """Write what comes to a file; return how many bytes came. Raise UserError where it is too slow, too much or a web page."""
    done, window_began, window_done = 0, time.monotonic(), 0
    while True:
        try:
            chunk = response.read1(CHUNK_BYTES)
        except OSError as error:  # of the connection, not of the disk
            raise EOFError(f"it broke off after {done:,} bytes ({error})") from error
        if not chunk:
            return done
        if not done and wrong_start(chunk[:64]):
            raise UserError(
                f"The file at {url} {wrong_start(chunk[:64])}.", "the file itself",
                "open the address in a browser, download the file there and give its path; of a share link use the direct one",
            )  # fmt: skip
        done += len(chunk)
        if done > MAX_FILE_BYTES:
            raise UserError(f"{url} does not end.", f"a file of at most {MAX_FILE_BYTES:,} bytes", "check the URL")
        file.write(chunk)
        if progress:
            progress(done, total)
        now = time.monotonic()
        if now - window_began > WINDOW_S:
            if done - window_done < WINDOW_BYTES:
                raise UserError(
                    f"{url} cannot be downloaded: {done - window_done:,} bytes came in {now - window_began:.0f} seconds.",
                    f"at least {WINDOW_BYTES:,} bytes in {WINDOW_S} seconds", f"try again later, or {ELSEWHERE}",
                )  # fmt: skip
            window_began, window_done = now, done
