import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.snapshots import download
from sg2ada_colab.snapshots.download import cached_name, default_cache_folder, local_snapshot

CONTENT = b"\x80\x03" + bytes(range(256)) * 2000
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
        self.send_response(200)
        claimed = {"cut": len(content) + 10, "huge": 1 << 40}.get(kind, len(content))
        if kind != "unsized":
            self.send_header("Content-Length", str(claimed))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.content = [], CONTENT
    server.url = "http://127.0.0.1:{}/".format(server.server_port)
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
    assert "digest that is none" in refused(server.url + "a.pkl#sha256=123", tmp_path / "none").what


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
    server.content = CONTENT[:-1]
    with pytest.raises(UserError, match="another file than when it was first downloaded"):
        local_snapshot(server.url + "a.pkl", tmp_path)
    assert content_of(local_snapshot(server.url + "a.pkl", tmp_path)) == CONTENT[:-1]


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
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "cache"))
    assert default_cache_folder() == str(tmp_path / "cache")
    path = local_snapshot("ffhq256")
    assert path.startswith(str(tmp_path / "cache")) and path.endswith("-ffhq-res256-mirror-paper256-noaug.pkl")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ffhq512").write_bytes(b"a file of that name goes first")
    assert local_snapshot("ffhq512") == "ffhq512"


def test_names_in_the_cache_are_tame():
    for url in ("http://x/../../etc/passwd", "http://x/a%2F..%2Fb.pkl?token=1", "http://x/", "http://x/" + "a" * 500, "http://x/.hidden"):
        name = cached_name(url)
        assert "/" not in name and not name.startswith(".") and len(name) < 120
    assert cached_name("http://x/a.pkl?1") != cached_name("http://x/a.pkl?2")
