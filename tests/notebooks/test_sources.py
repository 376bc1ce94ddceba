"""The notebooks as files: what their sources make, in the form that Colab reads, calling what there is."""

import ast
import dataclasses
import importlib.util
import inspect
import json
import re
import statistics
import sys
from pathlib import Path

import pytest

import sg2ada_colab
from sg2ada_colab.training.options import TrainOptions

ROOT = Path(__file__).parent.parent.parent
spec = importlib.util.spec_from_file_location("notebooks_build", str(ROOT / "notebooks" / "build.py"))
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

NAMES = ["00_quick_tour", "01_setup", "02_dataset", "03_train", "04_evaluate", "05_explore"]
MOST_BYTES = 400000  # of a notebook: it is opened over slow lines, too


def read(name):
    return json.loads((ROOT / "notebooks" / (name + ".ipynb")).read_text(encoding="utf-8"))


def code_of(cell):
    """Return the Python of a code cell: without magics and shell lines."""
    lines = ["pass\n" if line.startswith(("!", "%")) else line for line in cell["source"]]
    return "".join(lines)


def code_cells(name):
    return [cell for cell in read(name)["cells"] if cell["cell_type"] == "code"]


def text_of(name):
    return "\n".join("".join(cell["source"]) for cell in read(name)["cells"])


def calls_in(name):
    """Return the ast.Call nodes of `sg2.…(…)` in a notebook."""
    nodes = [node for cell in code_cells(name) for node in ast.walk(ast.parse(code_of(cell)))]
    return [
        node for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "sg2"
    ]  # fmt: skip


def test_the_notebooks_are_those_in_the_order_and_what_their_sources_make():
    assert build.notebook_names() == NAMES
    assert build.stale() == []


def test_a_changed_notebook_and_one_without_source_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "HERE", tmp_path)
    for name in NAMES:
        (tmp_path / (name + ".ipynb")).write_text(build.notebook(name), encoding="utf-8")
    assert build.main(["--check"]) == 0
    (tmp_path / "06_more.ipynb").write_text("{}")
    text = (tmp_path / "01_setup.ipynb").read_text(encoding="utf-8")
    (tmp_path / "01_setup.ipynb").write_text(text.replace('"outputs": []', '"outputs": [1]', 1), encoding="utf-8")
    assert build.stale() == ["01_setup", "06_more"]
    assert build.main(["--check"]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_metadata_is_what_colab_reads(name):
    notebook = read(name)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["accelerator"] == "GPU"
    colab = notebook["metadata"]["colab"]
    assert colab["gpuType"] == "T4" and colab["private_outputs"] is True and colab["provenance"] == []
    assert colab["name"] == name + ".ipynb" and "machine_shape" not in colab
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids) and all(re.match(r"^[a-zA-Z0-9-_]{1,64}$", one) for one in ids)
    assert notebook["cells"][0]["metadata"] == {"id": "view-in-github", "colab_type": "text"}


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_validate(name):
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.read(str(ROOT / "notebooks" / (name + ".ipynb")), as_version=4))


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_few_short_forms_without_outputs(name):
    notebook = read(name)
    assert 10 <= len(notebook["cells"]) <= 20
    lengths = [len(code_of(cell).replace(install_lines(), "").splitlines()) for cell in code_cells(name)]
    assert statistics.median(lengths) < 8 and max(lengths) <= 16
    for cell in code_cells(name):
        assert cell["outputs"] == [] and cell["execution_count"] is None
        assert cell["source"][0].startswith("#@title ") and cell["metadata"]["cellView"] == "form"
    assert len((ROOT / "notebooks" / (name + ".ipynb")).read_bytes()) < MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_cells_hold_no_logic(name):
    """Beside the installation, which has no library to call yet, a cell assigns form fields and calls."""
    for cell in code_cells(name):
        code = code_of(cell).replace(install_lines(), "")
        ast.parse(code, **({"feature_version": (3, 7)} if sys.version_info >= (3, 8) else {}))
        kinds = {type(node) for node in ast.walk(ast.parse(code))}
        assert not kinds & {ast.If, ast.For, ast.While, ast.Try, ast.With, ast.FunctionDef, ast.Lambda, ast.ListComp, ast.Import}
        assert not re.search(r"/content|google\.colab", code), "this is for the library to know"


def install_lines():
    text = build.shared("install_lines")
    return build.VALUE.sub(lambda match: build.values("01_setup")[match.group(1)], text)


@pytest.mark.parametrize("name", NAMES)
def test_the_installation_is_the_same_everywhere_and_touches_nothing_else(name):
    cells = ["".join(cell["source"]) for cell in code_cells(name)]
    with_it = [cell for cell in cells if install_lines() in cell]
    assert len(with_it) == 1 and cells.index(with_it[0]) == 0
    assert "--no-deps" in with_it[0] and "@v{}".format(sg2ada_colab.__version__) in with_it[0]
    assert all("pip" not in re.findall(r"\w+", cell.replace(install_lines(), "")) for cell in cells)


@pytest.mark.parametrize("name", NAMES)
def test_the_calls_are_those_of_the_library(name):
    """Each call binds to its signature, and train's further options are options of `sg2ada train`."""
    calls = calls_in(name)
    assert calls
    options = {field.name for field in dataclasses.fields(TrainOptions)}
    for node in calls:
        function = getattr(sg2ada_colab, node.func.attr)
        keywords = {keyword.arg: None for keyword in node.keywords if keyword.arg}
        bound = inspect.signature(function).bind(*[None] * len(node.args), **keywords)
        if node.func.attr == "train":
            assert set(bound.arguments.get("options", {})) <= options


def test_the_address_of_the_repository_stands_in_one_place():
    sources = {path.name: path.read_text(encoding="utf-8") for path in build.SOURCES.rglob("*.md")}
    assert not [name for name, text in sources.items() if re.search(r"github\.com/(?!\{\{repository\}\})", text)]
    for name in NAMES:
        found = re.findall(r"github(?:\.com)?/([\w.-]+/[\w.-]+?)(?:@|/|\")", text_of(name))
        assert found and set(found) == {build.REPOSITORY}
    readme = re.findall(r"research\.google\.com/github/([\w.-]+/[\w.-]+)/", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(readme) <= {build.REPOSITORY}


def test_a_release_needs_the_address(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build, "HERE", tmp_path)
    monkeypatch.setattr(build, "REPOSITORY", "your_account/sg2ada_colab")
    assert build.main(["--release"]) == 1 and "REPOSITORY" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(build, "REPOSITORY", "someone/sg2ada_colab")
    assert build.main(["--release"]) == 0
    made = (tmp_path / "03_train.ipynb").read_text(encoding="utf-8")
    assert "your_account" not in made and "git+https://github.com/someone/sg2ada_colab@v" in made


def test_each_notebook_leads_to_the_next_one_that_there_is():
    for name in NAMES:
        links = re.findall(r"\]\(([\w.]+\.ipynb)\)", text_of(name))
        assert links and {link[: -len(".ipynb")] for link in links} <= set(NAMES) - {name}
    for name, after in zip(NAMES[1:], NAMES[2:]):
        assert "]({}.ipynb)".format(after) in text_of(name)


def test_the_common_failures_are_answered():
    answers = build.troubles()
    assert len(answers) >= 10
    everywhere = "".join(text_of(name) for name in NAMES)
    assert [key for key, answer in answers.items() if answer.strip() not in everywhere] == []


def test_a_picture_is_put_into_the_notebook_and_one_that_is_missing_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "PICTURES", tmp_path)
    assert "](data:image" not in build.expanded("03_train") and "<!-- picture" not in build.expanded("03_train")
    (tmp_path / "training-good.jpg").write_bytes(b"a picture")
    found = re.findall(r"!\[(.+?)\]\(data:image/jpeg;base64,(\S+)\)", build.expanded("03_train"))
    assert len(found) == 1 and found[0][1] == "YSBwaWN0dXJl" and "likenesses" in found[0][0]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_to_fill_in_and_every_picture_is_described(name):
    text = text_of(name)
    assert "{{" not in text and "<!--" not in text
    for alt, address in re.findall(r"!\[([^\]]*)\]\(([^)]*)", text):
        assert len(alt) > 20 and address.startswith("data:image/")
