"""The wheel holds what it should, and installing it changes no package of Colab's (or of a TF 1.14 environment's)."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import sg2ada_colab

ROOT = Path(__file__).parent.parent
COLAB_PINS = {  # of Colab's GPU image of August 2026
    "tensorflow": "2.20.0", "keras": "3.13.2", "tensorboard": "2.20.0", "numpy": "2.1.3", "pillow": "11.3.0",
    "ipywidgets": "7.7.1", "widgetsnbextension": "3.6.10", "jupyterlab_widgets": "3.0.16", "ipykernel": "6.17.1",
    "ipython": "7.34.0", "traitlets": "5.7.1", "notebook": "6.5.7", "protobuf": "5.29.6", "h5py": "3.16.0",
    "scipy": "1.16.3", "imageio_ffmpeg": "0.6.0", "tqdm": "4.67.3", "requests": "2.32.4", "psutil": "5.9.5",
    "google_colab": "1.0.0",
    "google_crc32c": "1.7.1",
    "platformdirs": "4.3.8",
    "matplotlib": "3.10.0",
}  # fmt: skip
OLDEST_COLAB_PINS = dict(  # of the oldest runtime that Colab still offers (2025.07)
    COLAB_PINS, tensorflow="2.18.0", keras="3.8.0", tensorboard="2.18.0", numpy="2.0.2", pillow="11.2.1", tqdm="4.67.1"
)
TF1_PINS = {
    "tensorflow": "1.14.0", "protobuf": "3.20.3", "h5py": "2.10.0", "numpy": "1.19.5", "gast": "0.2.2", "Pillow": "9.5.0",
    "ipywidgets": "7.7.1", "tqdm": "4.67.1", "imageio_ffmpeg": "0.5.0",
    "google_crc32c": "1.5.0",
    "platformdirs": "4.0.0",
    "matplotlib": "3.5.3",
}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the tree, so that no build folder is left in it or taken from it."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("setup.py", "pyproject.toml", "requirements.txt", "README.md", "CHANGELOG.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(str(ROOT / name), str(tree))
    shutil.copytree(str(ROOT / "sg2ada_colab"), str(tree / "sg2ada_colab"), ignore=shutil.ignore_patterns("__pycache__"))
    run([sys.executable, "setup.py", "-q", "bdist_wheel", "-d", "out"], tree)
    (built,) = (tree / "out").glob("*.whl")
    return built


def run(command, folder):
    """Run a command in a folder and return its output; a failure shows both streams."""
    command = [str(part) for part in command]
    done = subprocess.run(command, cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def environment(folder, pins):
    """Make a virtual environment that lists `pins` as installed, by metadata alone; return its Python."""
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder.parent)
    python = folder / "bin" / "python"
    site = Path(run([python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], folder).strip())
    for name, version in pins.items():
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "INSTALLER").write_text("pip\n")
        (info / "RECORD").write_text("")
    return python


def would_install(python, requirement, folder):
    """Return name -> version of what pip would install for a requirement, with no index to take anything from."""
    report = folder / "report.json"
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--python", python]
    run(pip + ["install", "--quiet", "--dry-run", "--no-index", "--report", report, requirement], folder)
    planned = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {item["metadata"]["name"].lower().replace("-", "_"): item["metadata"]["version"] for item in planned}


def pins_of_this_python():
    return [("tf1", TF1_PINS)] if sys.version_info < (3, 10) else [("colab", COLAB_PINS), ("oldest_colab", OLDEST_COLAB_PINS)]


@pytest.mark.parametrize("pins", [pins for _, pins in pins_of_this_python()], ids=[name for name, _ in pins_of_this_python()])
@pytest.mark.parametrize("extra", ["", "[video]"])
def test_installing_changes_nothing_that_is_there(wheel, tmp_path, pins, extra):
    python = environment(tmp_path / "env", pins)
    assert would_install(python, str(wheel) + extra, tmp_path) == {"sg2ada_colab": sg2ada_colab.__version__}


@pytest.mark.parametrize("missing", ["tensorflow", "numpy", "pillow", "ipywidgets", "tqdm", "google_crc32c"])
def test_the_check_sees_a_package_that_would_be_installed(wheel, tmp_path, missing):
    pins = {name: version for name, version in pins_of_this_python()[0][1].items() if name.lower() != missing}
    python = environment(tmp_path / "env", pins)
    with pytest.raises(AssertionError, match="No matching distribution found for (?i:{})".format(missing.replace("_", "-"))):
        would_install(python, wheel, tmp_path)


def test_wheel_holds_every_module_and_the_demo_images(wheel):
    names = set(zipfile.ZipFile(str(wheel)).namelist())
    tree = wheel.parent.parent
    modules = {path.relative_to(tree).as_posix() for path in (tree / "sg2ada_colab").rglob("*.py")}
    assert len(modules) > 10 and modules <= names
    assert {f"sg2ada_colab/formats/{name}_networks.pysrc" for name in ("tf1", "torch")} <= names
    assert {"sg2ada_colab/demo_images/flags.zip", "sg2ada_colab/demo_images/SOURCES.txt"} <= names
    assert any(name.endswith("/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "notebooks", "benchmarks"))]


def test_metadata_names_command_licence_and_pythons(wheel):
    archive = zipfile.ZipFile(str(wheel))
    info = next(name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name)
    metadata = archive.read(info + "/METADATA").decode()
    assert "sg2ada = sg2ada_colab.__main__:main" in archive.read(info + "/entry_points.txt").decode()
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert any(re.search(r"tensorflow ?\(?==1\.14\.0\)? ?; ?python_version == ['\"]3\.7['\"]", line) for line in required)
    assert "google-colab" not in "\n".join(required)
    assert "Requires-Python: >=3.7" in metadata and "!=3.8.*" in metadata and "!=3.9.*" in metadata
    assert "\nLicense: MIT" in metadata or "\nLicense-Expression: MIT" in metadata


EXTRAS = "all deflate64 dev gpu heif hub lmdb metrics onnx safetensors tensorboard test video wandb".split()


def test_extras_have_the_names_that_users_expect_and_all_holds_every_feature(wheel):
    archive = zipfile.ZipFile(str(wheel))
    info = next(name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name)
    lines = archive.read(info + "/METADATA").decode().splitlines()
    assert sorted(line.split(": ")[1] for line in lines if line.startswith("Provides-Extra")) == EXTRAS
    required = {extra: set() for extra in EXTRAS}
    for line in lines:
        found = re.search(r"^Requires-Dist: ([\w.-]+).*extra == ['\"](\w+)['\"]", line)
        if found:
            required[found.group(2)].add(found.group(1))
    assert min(map(len, required.values())) >= 1, "no extra is empty"
    features = set(EXTRAS) - {"all", "dev", "gpu", "hub", "test", "wandb"}
    assert required["all"] == set().union(*(required[name] for name in features))
    assert required["dev"] >= required["test"] | {"ruff", "mypy"}


def test_every_place_names_the_same_versions_of_the_lint_tools():
    (tools,) = re.findall(r'^LINT_TOOLS="(.*)"', (ROOT / ".ci" / "run").read_text(), re.M)
    setup = (ROOT / "setup.py").read_text()
    pinned = [tool for tool in tools.split() if "==" in tool]
    assert len(pinned) >= 2 and [tool for tool in pinned if f'"{tool}"' not in setup] == []


def test_the_leg_with_colabs_pins_has_every_requirement():
    """It installs the package without its requirements, as Colab's own pins must do."""
    (pins,) = re.findall(r'^COLAB_PINS="(.*?)"', (ROOT / ".ci" / "run").read_text(), re.M | re.S)
    pinned = {pin.split("==")[0].replace("tensorflow-cpu", "tensorflow") for pin in pins.split()}
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line.strip() and line[0] != "#"]
    needed = {re.match(r"[\w-]+", line).group(0) for line in lines if "3.7" not in line}
    assert len(needed) >= 7 and needed - pinned == set()


def test_the_first_step_of_ci_contributing_and_pre_commit_run_the_same_commands():
    commands = "ruff check . && ruff format --check . && mypy"
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert commands in (ROOT / ".ci" / "run").read_text() and commands in (ROOT / "CONTRIBUTING.md").read_text()
    assert re.findall("entry: (.*)", hooks) == commands.split(" && ")
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) < 50


def test_demo_images_are_small_public_and_each_has_its_source():
    folder = ROOT / "sg2ada_colab" / "demo_images"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4 * 2**20
    names = [name[len("flags/"):] for name in zipfile.ZipFile(str(folder / "flags.zip")).namelist()]  # fmt: skip
    head, table = (folder / "SOURCES.txt").read_text(encoding="utf-8").split("\n\nfile (author")
    assert "public domain" in head and "openclipart-png" in head
    assert [line.split("  ")[0].strip() for line in table.splitlines()[1:]] == names
    assert len(names) == 366 and len(set(names)) == 366
