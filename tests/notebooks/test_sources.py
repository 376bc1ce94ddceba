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
from sg2ada_colab.config.options import TrainOptions

ROOT = Path(__file__).parent.parent.parent
spec = importlib.util.spec_from_file_location("notebooks_build", str(ROOT / "notebooks" / "build.py"))
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

NAMES = ["00_quick_tour", "01_setup", "02_dataset", "03_train", "04_evaluate", "05_make_pictures", "06_photograph"]
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
    return [call for cell in code_cells(name) for call in calls_of(ast.parse(code_of(cell)))]


def calls_of(tree):
    """Return the ast.Call nodes of `sg2.…(…)` below a node, and itself."""
    return [
        node for node in ast.walk(tree)
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
    assert build.stale() == ["01_setup.ipynb", "06_more.ipynb"]
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
    lines = [code_of(cell).replace(install_lines(), "").splitlines() for cell in code_cells(name)]
    lines = [[line for line in cell if not line.startswith("#@markdown")] for cell in lines]  # help is no code
    beside_fields = [sum("#@param" not in line for line in cell) for cell in lines]  # the title, and the code itself
    assert statistics.median(map(len, lines)) < 8 and max(beside_fields) <= 7
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
        code = re.sub("^install_from = .*$", "", code, flags=re.M)  # the field names where a wheel can lie
        assert not re.search(r"/content|google\.colab", code), "this is for the library to know"


def install_lines():
    text = build.shared("install_lines")
    return build.VALUE.sub(lambda match: build.values("01_setup")[match.group(1)], text)


@pytest.mark.parametrize("name", NAMES)
def test_the_installation_is_the_same_everywhere_and_touches_nothing_else(name):
    cells = ["".join(cell["source"]) for cell in code_cells(name)]
    with_it = [cell for cell in cells if install_lines() in cell]
    assert len(with_it) == 1 and cells.index(with_it[0]) == 0
    assert "--no-deps" in with_it[0] and f'install_from = "{build.install_sources()[0]}"' in with_it[0]
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


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_ends_with_a_value_that_would_be_printed_as_code(name):
    lines = [node.value for cell in code_cells(name) for node in ast.parse(code_of(cell)).body if isinstance(node, ast.Expr)]
    calls = [line.func.attr for line in lines if line in calls_of(line)]
    assert all(inspect.signature(getattr(sg2ada_colab, call)).return_annotation in (None, "None") for call in calls), calls


def test_the_address_of_the_repository_stands_in_one_place():
    sources = {path.name: path.read_text(encoding="utf-8") for path in build.SOURCES.rglob("*.md")}
    assert not [name for name, text in sources.items() if re.search(r"github\.com/(?!\{\{repository\}\})", text)]
    for name in NAMES:
        found = re.findall(r"github(?:\.com)?/([\w.-]+/[\w.-]+?)(?:@|/|\")", text_of(name))
        assert found and set(found) == {build.repository()}
    readme = re.findall(r"research\.google\.com/github/([\w.-]+/[\w.-]+)/", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(readme) <= {build.repository()}


@pytest.fixture(name="tree")
def tree_fixture(monkeypatch, tmp_path):
    """Let build.py work on a small copy of the checkout, whose address is not set."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "docs" / "more").mkdir(parents=True)
    (tmp_path / "notebooks" / "repository.txt").write_text("your_account/sg2ada_colab\n")
    badge = "https://colab.research.google.com/github/your_account/sg2ada_colab/blob/x"
    for name in ("README.md", "docs/more/page.md"):
        (tmp_path / name).write_text(f"[open]({badge})\n")
    (tmp_path / "docs" / "other.md").write_text("nothing\n")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "HERE", tmp_path / "notebooks")
    monkeypatch.setattr(build, "REPOSITORY_FILE", tmp_path / "notebooks" / "repository.txt")
    return tmp_path


def test_a_release_needs_the_address(tree, capsys):
    assert build.main(["--release"]) == 1
    assert "python notebooks/build.py --repository OWNER/NAME" in capsys.readouterr().out
    assert list((tree / "notebooks").glob("*.ipynb")) == []


@pytest.mark.parametrize("address", ["someone/sg2ada_colab", "https://github.com/someone/sg2ada_colab.git"])
def test_one_command_sets_the_address_everywhere(tree, capsys, address):
    assert build.main(["--repository", address]) == 0
    said = capsys.readouterr().out.replace("\\", "/").splitlines()
    named = ["notebooks/repository.txt", "README.md", "docs/more/page.md"]
    assert said == [f"{name} names someone/sg2ada_colab" for name in named]
    assert build.main(["--release"]) == 0
    made = {path.name: path.read_text(encoding="utf-8") for path in (tree / "notebooks").glob("*.ipynb")}
    assert len(made) == len(NAMES)
    everything = list(made.values()) + [(tree / name).read_text() for name in named]
    assert not [text for text in everything if "your_account" in text]
    assert all("git+https://github.com/someone/sg2ada_colab@v" in text for text in made.values())
    build.main(["--repository", "another/fork"])
    assert "another/fork" in (tree / "README.md").read_text(), "it can be set again"


@pytest.mark.parametrize("address", ["your_account/x", "sg2ada_colab", "https://example.org/a/b", "a/b/c", ""])
def test_what_is_no_address_is_refused(tree, capsys, address):
    if address:
        assert build.main(["--repository", address]) == 1
        assert f"{address} is not the address of a repository on GitHub. Expected OWNER/NAME" in capsys.readouterr().out
    assert build.set_repository(address) is None
    assert build.repository() == "your_account/sg2ada_colab" and not build.has_repository()


def test_without_an_address_the_install_cell_names_nobodys_repository(tree):
    assert build.install_sources()[0] == "" and "git+" not in build.notebook("01_setup")


def test_the_training_form_does_not_ask_where_the_library_comes_from():
    cell = "".join(code_cells("03_train")[0]["source"])
    assert "install_from = " in cell and not re.search(r"install_from = .*#@param", cell)
    assert re.search(r"install_from = .*#@param", "".join(code_cells("01_setup")[0]["source"]))


@pytest.mark.parametrize("name", NAMES)
def test_each_field_is_explained_at_the_cell_that_has_it(name):
    """By a sentence right above it, or by its name in the form's help or the text above the cell; a single field by that text."""
    above = ""
    for cell in read(name)["cells"]:
        lines = "".join(cell["source"]).splitlines()
        if cell["cell_type"] == "markdown":
            above = "\n".join(lines)
            continue
        said = above + "\n".join(line for line in lines if line.startswith("#@markdown"))
        fields = [(before, line.split(" = ")[0]) for before, line in zip(lines, lines[1:]) if "#@param" in line]
        unsaid = [
            field for before, field in fields if not before.startswith("#@markdown") and not re.search(rf"[*`]{field}[*`]", said)
        ]
        assert not unsaid or (len(fields) == 1 and above), (lines[0], unsaid)


@pytest.mark.parametrize("name", ["02_dataset", "03_train"])
def test_basic_fields_come_first_and_the_others_are_headed_advanced(name):
    forms = ["".join(cell["source"]).split("#@markdown ---\n") for cell in code_cells(name)]
    ((basic, advanced),) = [parts for parts in forms if len(parts) > 1]
    assert basic.count("#@param") >= 4 and advanced.startswith("#@markdown **Advanced.")
    assert advanced.count("#@param") > basic.count("#@param")


@pytest.mark.parametrize("name", ["02_dataset", "03_train"])
def test_what_writes_to_drive_ends_with_a_cell_that_waits_for_it_and_closes_nothing_by_itself(name):
    assert calls_in(name)[-1].func.attr == "finish"
    cell = "".join(code_cells(name)[-1]["source"])
    assert re.findall(r"^(\w+) = False  #@param", cell, re.M) == ["unmount", "disconnect"]


def test_each_notebook_leads_to_the_next_one_that_there_is():
    for name in NAMES:
        links = re.findall(r"\]\(([\w.]+\.ipynb)\)", text_of(name))
        assert links and {link[: -len(".ipynb")] for link in links} <= set(NAMES) - {name}
    for name, after in zip(NAMES[1:], NAMES[2:]):
        assert f"]({after}.ipynb)" in text_of(name)


def test_each_notebook_says_what_a_session_is_and_how_to_keep_a_copy():
    note = build.shared("session")
    assert "File → Save a copy in Drive" in note and "You have too many active sessions" in note and "Manage" in note
    assert [name for name in NAMES if note not in text_of(name)] == []


def test_links_lead_to_ones_own_copies_on_drive_too():
    assert "[your copy on Drive](https://drive.google.com/drive/search?q=03_train)" in text_of("02_dataset")


def test_photographs_of_phones_can_be_read_where_the_cell_has_installed():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert '"heif": ["pillow-heif"' in setup and build.HEIF in text_of("02_dataset")


def test_the_common_failures_are_answered():
    answers = build.troubles()
    assert len(answers) >= 25
    everywhere = "".join(text_of(name) for name in NAMES)
    assert sum(answer.strip() in everywhere for answer in answers.values()) >= 11, "the others are on the page of troubles alone"


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


# What Colab, Drive, TensorFlow, Python and Kaggle say; every other message on the page of troubles is one of ours.
SAID_BY_OTHERS = """
A Google Drive quota has been exceeded
A Jupyter widget could not be displayed because the widget state could not be found
Blas GEMM launch failed
CUBLAS_STATUS_EXECUTION_FAILED
CUDA_ERROR_OUT_OF_MEMORY: out of memory
Cannot connect to GPU backend
Could not dlopen library 'libcublas.so.10.0'
Could not find a version that satisfies the requirement tensorflow==1.14
Could not find cuda drivers on your machine, GPU will not be used.
Could not load dynamic library 'libcudart.so.10.0'
EOFError: Ran out of input
Error displaying widget: model not found
Failed to establish a new connection
Loading widget...
MessageError: Error: credential propagation was unsuccessful
ModuleNotFoundError: No module named 'dnnlib'
ModuleNotFoundError: No module named 'sg2ada_colab'
ModuleNotFoundError: No module named 'tensorflow.contrib'
Mounting drive is unsupported in this environment
Mountpoint must be in a directory that exists
Mountpoint must either be a directory or not exist
Mountpoint must not already contain files
Mountpoint must not be a symlink
Mountpoint must not contain a space
NameError: name 'sg2' is not defined
ResourceExhaustedError: OOM when allocating tensor
QUOTA_EXCEEDED
QueryManager timed out
Runtime disconnected
Temporary failure in name resolution
Tensorflow 1 is unsupported in Colab
The domain policy has disabled Drive File Stream
You cannot currently connect to a GPU due to usage limits in Colab
You have too many active sessions. Terminate an existing session to continue.
Your runtime has been disconnected
Your session crashed after using all available RAM.
Your session crashed for an unknown reason
[Errno 107] Transport endpoint is not connected
[Errno 28] No space left on device
[Errno 5] Input/output error
_pickle.UnpicklingError
failed call to cuInit
module 'tensorflow' has no attribute 'contrib'
network-snapshot-000120 (1).pkl
no kernel image is available for execution on the device
pickle data was truncated
zipfile.BadZipFile: File is not a zip file
""".strip().splitlines()


def strings_of_the_package():
    """Return all texts in the package's modules, and the lines of the notebooks' install cell."""
    found = [(build.SOURCES / "shared" / "install_lines.md").read_text(encoding="utf-8")]
    for path in (ROOT / "sg2ada_colab").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        found += [text for text in (getattr(node, "value", None) for node in nodes) if isinstance(text, str)]
    return found


def test_every_message_on_the_page_of_troubles_is_said_by_somebody():
    messages = [message for said in build.troubles(messages=True).values() for message in said]
    assert len(set(messages)) == len(messages) > 60
    ours = [message for message in messages if message not in SAID_BY_OTHERS]
    assert set(SAID_BY_OTHERS) <= set(messages) and len(ours) >= 15
    texts = strings_of_the_package()
    lost = [one for message in ours for one in message.split("…") if not any(one in text for text in texts)]
    assert lost == []


def test_the_page_of_troubles_has_every_failure_that_the_library_knows():
    from sg2ada_colab.colab.drive import LOG_COMPLAINTS, MOUNT_FAILURES
    from sg2ada_colab.colab.supervisor import MEMORY_WORDS

    page = (ROOT / "docs" / "troubles.md").read_text(encoding="utf-8").lower()
    known = [piece for piece, *_ in MOUNT_FAILURES] + [word.decode() for word, _ in LOG_COMPLAINTS] + list(MEMORY_WORDS)
    assert [word for word in known if word.lower() not in page] == []


def test_the_page_of_troubles_has_every_answer_once_and_its_links_lead_somewhere():
    page = (ROOT / "docs" / "troubles.md").read_text(encoding="utf-8")
    for key, answer in build.troubles().items():
        assert page.count(answer) == 1 and page.count(f'<a id="{key}"></a>') == 1 and answer.startswith("**")
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= set(build.troubles())
    assert not any("<!-- says" in text_of(name) for name in NAMES), "the messages are for the page alone"


def test_tensorflow_1_14_is_a_tick_box_of_notebook_1_and_a_field_of_notebook_3():
    (made,) = [call for call in calls_in("01_setup") if call.func.attr == "environment"]
    assert [arg.value if isinstance(arg, ast.Constant) else arg.id for arg in made.args] == ["tf114", "tensorflow_114"]
    assert 'tensorflow_114 = False  #@param {type:"boolean"}' in text_of("01_setup")
    assert 'runtime = ""  #@param ["", "tf114"]' in text_of("03_train")
    (train,) = [call for call in calls_in("03_train") if call.func.attr == "train"]
    given = inspect.signature(sg2ada_colab.train).bind(*train.args, **{word.arg: word.value for word in train.keywords}).arguments
    assert {name: given[name].id for name in ("dataset", "new_run", "runtime", "without_gpu")} == {
        name: name for name in ("dataset", "new_run", "runtime", "without_gpu")
    }


@pytest.mark.parametrize("name", NAMES)
def test_badges_open_this_notebook_at_the_tag_in_colab_and_on_kaggle(name):
    place = f"{build.repository()}/blob/v{sg2ada_colab.__version__}/notebooks/{name}.ipynb"
    (first,) = ["".join(cell["source"]) for cell in read(name)["cells"][:1]]
    assert re.findall(r'href="(.+?)"', first) == [
        f"https://colab.research.google.com/github/{place}",
        f"https://kaggle.com/kernels/welcome?src=https://github.com/{place}",
    ]
