"""From what a user typed to a local file: a path, a URL with a cache of downloads, or the name of a published network."""

import hashlib
import os
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException

from ..errors import UserError
from ..training.presets import RESUME_PRESETS
from .atomic import Written, atomic_file, sha256_of, write_text
from .read import MAX_FILE_BYTES, kind_of

CACHE_VARIABLE = "SG2ADA_CACHE_DIR"
ATTEMPTS = 3
TIMEOUT_S = 30  # without a byte
CHUNK_BYTES = 1 << 20
URL = re.compile(r"https?://", re.IGNORECASE)


def local_snapshot(name, cache_folder=None, progress=None):
    """Return the path of a local file for what a user typed.

    Args:
        name: A path; a URL (http or https), which may end in `#sha256=HEX` to be checked; or a preset, a key of `RESUME_PRESETS`.
        cache_folder: Where downloads are kept; by default $SG2ADA_CACHE_DIR, else ~/.cache/sg2ada_colab/downloads.
        progress: Optional function of (bytes so far, bytes in all or None), called while downloading.

    Raises:
        UserError: No network, no such file at the URL, a web page instead of a file, cut short, or another digest than expected.
    """
    name = str(name)
    # NVIDIA publishes no digests of the presets; that of the first download is remembered and checked from then on.
    if not os.path.exists(name):
        name = RESUME_PRESETS.get(name, name)
    if not URL.match(name):
        return name
    url, sha256 = _split_digest(name)
    path = os.path.join(cache_folder or default_cache_folder(), cached_name(url))
    remembered = _remembered_digest(path)
    if remembered and os.path.isfile(path) and sha256_of(path)[1] == remembered:
        _check_digest(url, remembered, sha256)
        return path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest = _download(url, path, sha256, progress)
    if sha256 is None and remembered not in (None, digest):
        _forget(path)
        raise UserError(
            "{} is another file than when it was first downloaded.".format(url), "SHA-256 {}, got {}".format(remembered, digest),
            "if it was replaced on purpose, run the command again: the new file is then taken",
        )  # fmt: skip
    write_text(path + ".sha256", digest + "\n")
    return path


def default_cache_folder():
    return os.environ.get(CACHE_VARIABLE) or os.path.join(os.path.expanduser("~"), ".cache", "sg2ada_colab", "downloads")


def cached_name(url):
    """Return a file name for a URL: a few digits of its digest, then the end of its path."""
    end = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rsplit("/", 1)[-1]
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", end)[-100:].lstrip(".")
    return "{}-{}".format(hashlib.sha256(url.encode("utf-8")).hexdigest()[:12], safe or "download.pkl")


def _split_digest(name):
    """Return (URL, digest or None) for a URL that may end in #sha256=HEX."""
    url, _, fragment = name.partition("#")
    match = re.match(r"sha256=([0-9a-fA-F]{64})$", fragment)
    if fragment.startswith("sha256") and not match:
        raise UserError("{} ends in a digest that is none.".format(name), "#sha256= and 64 hexadecimal digits", "correct the URL")
    return url, match.group(1).lower() if match else None


def _remembered_digest(path):
    try:
        with open(path + ".sha256", encoding="ascii") as file:
            digest = file.read().strip()
        return digest if re.match(r"[0-9a-f]{64}$", digest) else None
    except (OSError, UnicodeError):
        return None


def _forget(path):
    for name in (path, path + ".sha256"):
        if os.path.exists(name):
            os.unlink(name)


def _check_digest(url, digest, expected):
    if expected is not None and digest != expected:
        raise UserError(
            "{} has the wrong digest: SHA-256 {}.".format(url, digest), "SHA-256 {}".format(expected),
            "do not use the file; check the URL and the digest with whoever published them",
        )  # fmt: skip


def _download(url, path, sha256, progress):
    """Download to `path`, which comes into being only when all is checked; return the SHA-256."""
    for attempt in range(ATTEMPTS):
        try:
            return _download_once(url, path, sha256, progress)
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == ATTEMPTS - 1:
                raise UserError(
                    "{} cannot be downloaded: the server answers {} {}.".format(url, error.code, error.reason),
                    "a file at this address",
                    "check the address, in a browser if possible" if error.code < 500 else "try again later",
                ) from error  # fmt: skip
        except (urllib.error.URLError, socket.timeout, HTTPException, ConnectionError, EOFError) as error:
            if attempt == ATTEMPTS - 1:
                raise UserError(
                    "{} cannot be downloaded: {}.".format(url, getattr(error, "reason", None) or error or type(error).__name__),
                    "a connection to {}".format(urllib.parse.urlsplit(url).netloc),
                    "check the network, or download the file elsewhere and give its path",
                ) from error
        time.sleep(attempt + 1)
    raise AssertionError("the last attempt returns or raises")


def _download_once(url, path, sha256, progress):
    request = urllib.request.Request(url, headers={"User-Agent": "sg2ada_colab"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        total = response.headers.get("Content-Length")
        total = int(total) if total and total.isdigit() else None
        if total is not None and total > MAX_FILE_BYTES:
            raise UserError(
                "{} has {:,} bytes.".format(url, total), "a snapshot of at most {:,}".format(MAX_FILE_BYTES), "check the URL"
            )
        written, done = Written(), 0
        with atomic_file(path, written) as file:
            while True:
                chunk = response.read(CHUNK_BYTES)
                if not chunk:
                    break
                if not done:
                    _check_first_bytes(url, chunk)
                done += len(chunk)
                if done > MAX_FILE_BYTES:
                    raise UserError(
                        "{} does not end.".format(url), "a snapshot of at most {:,} bytes".format(MAX_FILE_BYTES), "check the URL"
                    )
                file.write(chunk)
                if progress:
                    progress(done, total)
            if total is not None and done != total:
                raise EOFError("it ended after {:,} of {:,} bytes".format(done, total))
            file.flush()
            _check_digest(url, file.raw.sha256, sha256)
    return written.sha256


def _check_first_bytes(url, chunk):
    kind, _ = kind_of(chunk[:64])
    if kind:
        raise UserError(
            "What {} gives {}.".format(url, kind), "the snapshot itself",
            "open the address in a browser, download the file there and give its path; of a share link use the direct one",
        )  # fmt: skip
