"""JupyterLab 4 and the classic Notebook 6 behind one small interface: a server, a page, *Run all*."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

from .conftest import NOTEBOOKS

CHROMIUM_WORDS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
SETTINGS = ["--no-browser", "--allow-root", "--ServerApp.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True"]


def chromium():
    """Return the path of a Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class FrontEnd:
    """A server in a home, with the notebooks in its folder `notebooks`.

    Args:
        home: `conftest.Home`.
    """

    words, address, ready = (), "", ""

    def __init__(self, home):
        self.home, self.folder = home, home.folder / "notebooks"
        self.folder.mkdir()
        for path in NOTEBOOKS.glob("*.ipynb"):
            shutil.copy(str(path), str(self.folder))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def __enter__(self):
        log = open(str(self.home.folder / "server.log"), "wb")
        self.server = subprocess.Popen(
            [sys.executable, "-m"] + list(self.words) + [f"--port={self.port}"], cwd=str(self.folder), stdout=log,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self.home.environment(),
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(self.url("api"), timeout=10).close()
                return self
            except OSError:
                assert self.server.poll() is None, (self.home.folder / "server.log").read_text(errors="replace")[-2000:]
                time.sleep(0.5)
        raise AssertionError("the server did not start")

    def __exit__(self, *error):
        self.server.terminate()
        try:
            self.server.wait(60)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"

    def open(self, page, name):
        """Open a notebook and wait until it can be run."""
        page.goto(self.url(self.address.format(name)), timeout=600000)
        page.wait_for_function(self.ready, timeout=600000)

    def fill(self, name, **fields):
        """Fill in fields of a notebook's forms, as a person does; the notebook must not be open."""
        path = self.folder / (name + ".ipynb")
        content = json.loads(path.read_text(encoding="utf-8"))
        for cell in content["cells"]:
            cell["source"] = [filled(line, fields) for line in cell["source"]]
        path.write_text(json.dumps(content), encoding="utf-8")

    def end_sessions(self):
        """End all kernels: what is opened next begins with a fresh one."""
        with urllib.request.urlopen(self.url("api/sessions"), timeout=60) as answer:
            sessions = json.loads(answer.read())
        for session in sessions:
            request = urllib.request.Request(self.url("api/sessions/" + session["id"]), method="DELETE")
            urllib.request.urlopen(request, timeout=60).close()

    def size_bytes(self, name):
        return os.path.getsize(str(self.folder / (name + ".ipynb")))


def filled(line, fields):
    """Return a line of a form with its field filled in, where it is one of `fields`."""
    match = re.match(r"(\w+) = .*?(  #@param.*)", line, flags=re.S)
    return f"{match.group(1)} = {fields[match.group(1)]!r}{match.group(2)}" if match and match.group(1) in fields else line


class Lab(FrontEnd):
    """JupyterLab 4."""

    words = ["jupyterlab", "--LabApp.expose_app_in_browser=True"] + SETTINGS
    address = "lab/tree/{}.ipynb?reset"
    ready = "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel"
    cells = ".jp-NotebookPanel"

    def __init__(self, home):
        FrontEnd.__init__(self, home)
        settings = home.folder / "jupyter" / "labconfig" / "page_config.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}))

    def open(self, page, name):
        FrontEnd.open(self, page, name)
        page.evaluate("() => { window.jupyterapp.shell.collapseLeft() }")

    def run_all(self, page):
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")

    def stop(self, page):
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:interrupt-kernel') }")

    def save(self, page):
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def save_with_widgets(self, page):
        """Save the notebook with the state of its widgets, as a person can ask for in the settings."""
        page.evaluate("() => window.jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')")
        page.wait_for_timeout(1000)  # the settings are told of it by the server
        self.save(page)


class Classic(FrontEnd):
    """The classic Notebook 6."""

    words = ["notebook", "--no-browser", "--allow-root", "--NotebookApp.token=", "--NotebookApp.password=",
             "--NotebookApp.disable_check_xsrf=True"]  # fmt: skip
    address = "notebooks/{}.ipynb"
    ready = "() => window.Jupyter && Jupyter.notebook && Jupyter.notebook.kernel && Jupyter.notebook.kernel.is_connected()"
    cells = "#notebook-container"
    # Answered after all that the page has asked the kernel before.
    round_trip = """() => new Promise(
        done => Jupyter.notebook.kernel.execute("", {shell: {reply: done}}, {silent: true, store_history: false}))"""

    def open(self, page, name):
        """Open a notebook and wait until its widgets are restored: they draw the cells anew at the end of it, which takes a
        widget away that was shown meanwhile."""
        FrontEnd.open(self, page, name)
        for _ in range(6):
            page.evaluate(self.round_trip)

    def run_all(self, page):
        page.evaluate("() => { Jupyter.notebook.execute_all_cells() }")

    def stop(self, page):
        page.evaluate("() => { Jupyter.notebook.kernel.interrupt() }")

    def save(self, page):
        page.evaluate("() => Jupyter.notebook.save_notebook()")

    def save_with_widgets(self, page):
        """Save the notebook with the state of its widgets, as a person can ask for in the menu."""
        page.evaluate("() => { Jupyter.menubar.actions.call('widgets:save-with-widgets') }")
