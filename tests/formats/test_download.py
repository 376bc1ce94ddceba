import contextlib
import hashlib
import io
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats import download
from sg2ada_colab.formats.download import cached_name, local_snapshot
from sg2ada_colab.formats.network_data import NetworkData, NetworkSnapshot
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.formats.rosinality import write_checkpoint
from sg2ada_colab.machine import CACHE_VARIABLE, cache_folder
from sg2ada_colab.networks.config import GeneratorConfig
from sg2ada_colab.networks.variables import generator_specs, initial_values
from tests.oracles.small_snapshots import small_snapshot

CONTENT = pickle.dumps({"numbers": bytes(range(256)) * 2000}, 3)
SHORTER = pickle.dumps({"numbers": bytes(range(256)) * 1000}, 3)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("User-Agent")))
        kind = self.path.rsplit("/", 1)[-1].split(".")[0]
        content = b"<!DOCTYPE html><html>sign in</html>" if kind == "page" else server.content
        if kind in ("404", "403", "500") or (kind == "flaky" and len(server.requests) < 3):
            return self.send_error(int(kind) if kind.isdigit() else 503)
        if kind == "moved":
            self.send_response(302)
            self.send_header("Location", "/there.pkl")
            return self.end_headers()
        if kind == "elsewhere":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            return self.end_headers()
        if kind == "rude":
            self.send_response(404, "No \x1b[31mred\x1b[0m file")
            return self.end_headers()
        self.send_response(200)
        claimed = {"cut": len(content) + 10, "huge": 1 << 40}.get(kind, len(content))
        if kind not in ("unsized", "broken"):
            self.send_header("Content-Length", str(claimed))
        self.end_headers()
        self.wfile.write(content[:-100] if kind == "broken" else content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.content = [], CONTENT
    server.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def content_of(path):
    with open(path, "rb") as file:
        return file.read()


def files(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def refused(name, folder):
    with pytest.raises(UserError) as caught:
        local_snapshot(name, folder)
    assert files(folder) == []  # nothing half, nothing wrong is left
    return caught.value


@pytest.mark.parametrize("page", ["a.pkl", "unsized.pkl", "moved.pkl", "flaky.pkl"])
def test_a_download_is_kept_and_not_repeated(page, server, tmp_path):
    seen = []
    path = local_snapshot(server.url + page, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert content_of(path) == CONTENT
    assert seen[-1][0] == len(CONTENT) and seen[-1][1] in (len(CONTENT), None)
    assert server.requests[0][1] == "sg2ada_colab"
    count = len(server.requests)
    assert local_snapshot(server.url + page, tmp_path) == path
    assert len(server.requests) == count
    assert files(tmp_path) == [cached_name(server.url + page), cached_name(server.url + page) + ".sha256"]


def test_digest_in_the_url(server, tmp_path):
    path = local_snapshot(server.url + "a.pkl#sha256=" + DIGEST.upper(), tmp_path / "good")
    assert content_of(path) == CONTENT
    error = refused(server.url + "a.pkl#sha256=" + "0" * 64, tmp_path / "bad")
    assert "wrong digest" in error.what and DIGEST in error.what and "0" * 64 in error.expected
    with pytest.raises(UserError, match="wrong digest"):  # also of what lies in the cache
        local_snapshot(server.url + "a.pkl#sha256=" + "0" * 64, tmp_path / "good")
    assert "digest that is not valid" in refused(server.url + "a.pkl#sha256=123", tmp_path / "none").what


def test_a_damaged_cache_is_downloaded_again(server, tmp_path):
    path = local_snapshot(server.url + "a.pkl", tmp_path)
    with open(path, "r+b") as file:
        file.truncate(100)
    assert local_snapshot(server.url + "a.pkl", tmp_path) == path
    assert content_of(path) == CONTENT and len(server.requests) == 2
    (tmp_path / (cached_name(server.url + "a.pkl") + ".sha256")).write_bytes(b"\xff garbage")
    assert local_snapshot(server.url + "a.pkl", tmp_path) == path and len(server.requests) == 3


def test_a_file_that_changed_behind_its_url_is_reported_once(server, tmp_path):
    path = local_snapshot(server.url + "a.pkl", tmp_path)
    open(path, "wb").close()
    server.content = SHORTER
    with pytest.raises(UserError, match="another file than when it was first downloaded"):
        local_snapshot(server.url + "a.pkl", tmp_path)
    assert content_of(local_snapshot(server.url + "a.pkl", tmp_path)) == SHORTER


@pytest.mark.parametrize("page, what, next_step", [
    ("404.pkl", "answers 404", "check the address"),
    ("403.pkl", "answers 403", "check the address"),
    ("500.pkl", "answers 500", "try again later"),
    ("page.pkl", "web page", "direct"),
    ("cut.pkl", "cannot be downloaded", "check the network"),
    ("huge.pkl", "1,099,511,627,776 bytes", "check the URL"),
    ("elsewhere.pkl", "cannot be downloaded", ""),
])  # fmt: skip
def test_bad_answers_are_named(page, what, next_step, server, tmp_path):
    error = refused(server.url + page, tmp_path)
    assert what in error.what and next_step in error.next_step
    assert len(server.requests) == (3 if page in ("500.pkl", "cut.pkl") else 1)
    if "answers" in what:
        assert error.__cause__.closed  # the connection with it


def test_no_network_is_named(server, tmp_path):
    url = server.url + "a.pkl"
    server.shutdown()
    server.server_close()
    error = refused(url, tmp_path)
    assert "cannot be downloaded" in error.what and "127.0.0.1" in error.expected and "check the network" in error.next_step


def test_presets_paths_and_cache_folder(server, tmp_path, monkeypatch):
    assert local_snapshot("some/folder/n.pkl") == "some/folder/n.pkl"
    assert set(download.RESUME_PRESETS) == {"ffhq256", "ffhq512", "ffhq1024", "celebahq256", "lsundog256"}
    monkeypatch.setitem(download.RESUME_PRESETS, "ffhq256", server.url + "ffhq-res256-mirror-paper256-noaug.pkl")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    assert cache_folder() == str(tmp_path / "cache")
    path = local_snapshot("ffhq256")
    assert path.startswith(str(tmp_path / "cache")) and path.endswith("-ffhq-res256-mirror-paper256-noaug.pkl")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ffhq512").write_bytes(b"a file of that name goes first")
    assert local_snapshot("ffhq512") == "ffhq512"


def test_names_in_the_cache_are_tame():
    for url in (
        "http://x/../../etc/passwd",
        "http://x/a%2F..%2Fb.pkl?token=1",
        "http://x/",
        "http://x/" + "a" * 500,
        "http://x/.hidden",
    ):
        name = cached_name(url)
        assert "/" not in name and not name.startswith(".") and len(name) < 120
    assert cached_name("http://x/a.pkl?1") != cached_name("http://x/a.pkl?2")


def test_a_connection_that_ends_early_without_a_length_is_not_kept(server, tmp_path):
    error = refused(server.url + "broken.pkl", tmp_path)
    assert "ends at byte" in error.what and error.expected == "a complete network" and "try again" in error.next_step


def test_what_the_server_says_cannot_steer_the_terminal(server, tmp_path):
    assert "answers 404 No \\x1b[31mred\\x1b[0m file" in refused(server.url + "rude.pkl", tmp_path).what


def test_without_length_digest_and_check_nothing_is_kept(server, tmp_path):
    with pytest.raises(UserError, match="does not tell the length of"):
        download.download(server.url + "unsized.pkl", tmp_path / "a")
    assert files(tmp_path) == []


@pytest.fixture
def dripping():
    """Sends one byte every tenth of a second: of the head, or of the content after a head."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        stop = threading.Event()

        def serve():
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    one = listener.accept()[0]
                    request = one.recv(1000)
                    if b"content" in request:
                        one.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n\x80\x03")
                    while not stop.is_set():
                        one.sendall(b"x")
                        time.sleep(0.1)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        stop.set()


@pytest.mark.parametrize("part, what", [("content", "bytes came in [12] seconds"), ("head", "no answer in 1 seconds")])
def test_a_server_that_drips_is_given_up(part, what, dripping, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "WINDOW_S", 1)
    monkeypatch.setattr(download, "ANSWER_S", 1)
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    started = time.time()
    with pytest.raises(UserError, match=what):
        local_snapshot(dripping + part + ".pkl", tmp_path)
    assert time.time() - started < 10 and files(tmp_path) == []


@pytest.mark.parametrize("url, what", [
    ("http://[::1/a.pkl", "not a valid address"),
    ("http://localhost:abc/a.pkl", "not a valid address"),
    ("http://localhost:99999999/a.pkl", "not a valid address"),
    ("http:///a.pkl", "names no server"),
    ("https://", "names no server"),
    ("http://" + "a" * 300 + "/a.pkl", "not a valid address|cannot be downloaded"),
    ("http://ho st/a.pkl", "not a valid address|cannot be downloaded"),
    ("http://\udcff/a.pkl", "not a valid address|cannot be downloaded"),
])  # fmt: skip
def test_bad_addresses_are_named(url, what, tmp_path, monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    with pytest.raises(UserError, match=what):
        local_snapshot(url, tmp_path)
    assert files(tmp_path) == []


def test_addresses_with_spaces_and_other_letters_are_asked_for(server, tmp_path):
    local_snapshot(server.url + "a b\u00fc.pkl", tmp_path)
    assert server.requests[0][0] == "/a%20b%C3%BC.pkl"


def test_a_killed_download_leaves_nothing_after_the_next(server, tmp_path):
    code = (
        "import sys, time; from sg2ada_colab.formats import download\n"
        "download.local_snapshot(sys.argv[1], sys.argv[2], progress=lambda *_: (print('x', flush=True), time.sleep(60)))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, server.url + "a.pkl", str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"x\n"
    assert [name.endswith(".part") for name in files(tmp_path)] == [True]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (tmp_path / "mine.part").write_bytes(b"of a person")
    running = tmp_path / f"other.pkl.{os.getpid()}-0123456789abcdef.part"
    running.write_bytes(b"of a download that is going on")
    path = local_snapshot(server.url + "b.pkl", tmp_path)
    name = os.path.basename(path)
    assert files(tmp_path) == sorted([name, name + ".sha256", "mine.part", running.name])


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="Nothing can be kept in .*file") as caught:
        local_snapshot(server.url + "a.pkl", tmp_path / "file")
    assert "SG2ADA_CACHE_DIR" in caught.value.next_step


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_named(server, tmp_path, monkeypatch):
    real = open

    def full(name, *rest, **more):
        return real("/dev/full", "wb", **more) if str(name).endswith(".part") else real(name, *rest, **more)

    monkeypatch.setattr("builtins.open", full)
    with pytest.raises(UserError, match="Nothing can be kept in .*No space left"):
        local_snapshot(server.url + "a.pkl", tmp_path)


def test_downloads_of_older_versions_are_found(server, tmp_path):
    older = local_snapshot(server.url + "a.pkl", tmp_path / "downloads")
    assert local_snapshot(server.url + "a.pkl", tmp_path) == older and len(server.requests) == 1


def test_a_checkpoint_of_rosinality_has_an_address(server, tmp_path):
    settings = GeneratorConfig(resolution=8, fmap_base=32768, mapping_layers=1)
    G = NetworkData("Gs", settings.to_kwargs(), initial_values(generator_specs(settings), 0, "G"))
    stream = io.BytesIO()
    write_checkpoint(stream, NetworkSnapshot(G, small_snapshot().D, G))
    server.content = stream.getvalue()
    assert read_snapshot(local_snapshot(server.url + "a.pt", tmp_path / "cache")).Gs.resolution == 8
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    server.content = stream.getvalue()
    error = refused(server.url + "b.pt", tmp_path / "other")
    assert error.what.startswith(server.url + "b.pt is a zip archive")
    server.content = server.content[: len(server.content) // 2]
    assert "b.pt is a zip archive" in refused(server.url + "b.pt", tmp_path / "other").what


def test_a_file_of_the_hub_has_an_address(monkeypatch, tmp_path):
    from sg2ada_colab.formats import download as module

    asked = []

    def downloaded(url, *rest, **options):
        asked.append(url)
        raise UserError("no network", "", "")

    monkeypatch.setattr(module, "download", downloaded)
    with pytest.raises(UserError):
        module.local_snapshot("hf://someone/flags/sub/network.pkl", folder=str(tmp_path))
    assert asked == ["https://huggingface.co/someone/flags/resolve/main/sub/network.pkl"]
    for name in ("hf://someone/network.pkl", "hf://a//b", "hf://a/b/../c"):
        with pytest.raises(UserError, match="names no file of the Hugging Face Hub"):
            module.local_snapshot(name, folder=str(tmp_path))
    assert len(asked) == 1
