"""The shape of the code: who may import whom, where TensorFlow enters, how large a module is, what it is called."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sg2ada_colab"
# Every room imports from itself and from rooms before it. The loop of training takes its side effects (snapshots, previews,
# metrics) as callables, so training imports neither; `runs` puts them together.
ORDER = ["errors", "system_errors", "clock", "shape", "seeds", "tf", "tf_config", "draws", "files", "json_text", "json_files",
         "run_files", "machine", "processes", "words", "escape", "native_log", "byte_source", "unpickler", "numpy_pickle",
         "images", "dataset", "networks", "augment", "config", "compile", "training", "formats", "storage",
         "metrics", "previews", "generate", "runs", "colab", "cli", "__main__"]  # fmt: skip
MAX_LINES = 400
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}
TEXT_SUFFIXES = {".py", ".md", ".txt", ".cfg", ".toml", ".yaml", ".yml", ".ipynb", ".json", ".sh"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def module_name(path):
    """Return the dotted name inside the package, such as "metrics.fid"; a package's own file is "metrics"."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(path):
    """Return (line, dotted name inside the package) of every import in a module, those inside functions too."""
    found = []
    here = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                assert node.level <= len(here) + 1, f"{path}:{node.lineno} leaves the package"
                base = ("sg2ada_colab",) + here[: len(here) + 1 - node.level]
            else:
                base = ()
            base += tuple((node.module or "").split(".")) if node.module else ()
            names = [".".join(base + (alias.name,)) for alias in node.names]
        else:
            continue
        found += [(node.lineno, name[len("sg2ada_colab."):]) for name in names if name.startswith("sg2ada_colab.")]  # fmt: skip
    return found


def room(name):
    return name.split(".")[0]


def check_import(importer, imported):
    """Return what is wrong with one module importing one name of the package, or None."""
    if room(importer) not in ORDER:
        return f"the folder or module {room(importer)} has no place in the order"
    if room(imported) not in ORDER:
        return None  # a public name of the package itself, such as __version__
    if ORDER.index(room(imported)) > ORDER.index(room(importer)):
        return f"{room(imported)} comes after {room(importer)}"
    return None


def test_imports_point_upwards():
    wrong = []
    for path in MODULES:
        importer = module_name(path)
        if importer == "":
            continue  # the package's __init__ gives its public names and may take them from anywhere
        for line, imported in imported_names(path):
            problem = check_import(importer, imported)
            if problem:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {imported}: {problem}")
    assert not wrong, "\n".join(wrong)


def test_the_order_refuses_a_downward_import_and_a_folder_without_a_place():
    assert check_import("training.loop", "previews.grid") == "previews comes after training"
    assert check_import("seeds", "tf.tf") == "tf comes after seeds"
    assert "no place" in check_import("extras.thing", "errors")
    assert check_import("previews.grid", "dataset.open_dataset") is None
    assert check_import("cli.train", "training.loop") is None


def test_imports_of_a_module_are_found_wherever_they_stand(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "metrics").mkdir()
    module = tmp_path / "metrics" / "fid.py"
    module.write_text(
        "import numpy\nimport sg2ada_colab.tf\nfrom ..seeds import step_seed\nfrom .. import draws\n"
        "def later():\n    from .features import open_features\n    from sg2ada_colab.colab import drive\n"
    )
    names = {name for _, name in imported_names(module)}
    assert names == {"tf", "seeds.step_seed", "draws", "metrics.features.open_features", "colab.drive"}


def import_graph():
    """Return {module: the modules of the package that it imports, anywhere in it}."""
    known = {module_name(path) for path in MODULES} - {""}
    graph = {}
    for path in MODULES:
        names = {name for _, name in imported_names(path)}
        targets = {name if name in known else name.rpartition(".")[0] for name in names}
        graph[module_name(path)] = (targets & known) - {module_name(path)}
    return graph


def test_what_is_tested_on_the_default_python_alone_imports_no_tensorflow():
    """Neither itself nor by way of another module; .ci/run names these rooms and modules."""
    listed = re.search('^WITHOUT_TENSORFLOW="(.+?)"', (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.M).group(1)
    names = set(listed.replace("/", ".").split())
    graph = import_graph()
    reached = [name for name in graph if {name, room(name)} & names]
    assert len(names) == 7 and {room(name) if room(name) in names else name for name in reached} == names
    for name in reached:  # grows
        reached += sorted(graph[name] - set(reached))
    assert "files" in reached and "tf" not in reached and "training.loop" not in reached


def test_modules_do_not_import_each_other_in_a_circle():
    graph = import_graph()
    finished, open_path = set(), []

    def visit(name):
        assert name not in open_path, "circle: " + " -> ".join(open_path[open_path.index(name):] + [name])  # fmt: skip
        if name not in finished:
            open_path.append(name)
            for target in sorted(graph[name]):
                visit(target)
            finished.add(open_path.pop())

    for name in sorted(graph):
        visit(name)
    assert finished == set(graph)


def imported_packages(path):
    """Return the top names of all packages that a module imports, by statement or by importlib."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.dump(node.func).find("import") >= 0 and node.args:
            name = getattr(node.args[0], "value" if sys.version_info >= (3, 8) else "s", None)
            found.add(name.split(".")[0] if isinstance(name, str) else "")
    return found


def test_tensorflow_is_imported_in_one_module():
    importers = [module_name(path) for path in MODULES if imported_packages(path) & {"tensorflow", "keras"}]
    assert importers == ["tf"]


def test_every_way_to_import_is_seen(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    import json, keras.layers\n    from tensorflow import nn\n")
    (tmp_path / "b.py").write_text("import importlib\nimportlib.import_module('tensorflow.nn')\n__import__('keras')\n")
    (tmp_path / "c.py").write_text("TEXT = 'import tensorflow'\nfrom .tf import tensorflow\n")
    found = [imported_packages(tmp_path / name) & {"tensorflow", "keras"} for name in ("a.py", "b.py", "c.py")]
    assert found == [{"tensorflow", "keras"}, {"tensorflow", "keras"}, set()]


@pytest.mark.parametrize("module", ["sg2ada_colab", "sg2ada_colab.__main__", "sg2ada_colab.images", "sg2ada_colab.dataset"])
def test_importing_costs_no_tensorflow(module):
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=str(ROOT)).returncode == 0


def test_modules_are_short():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_module_has_a_vague_name():
    names = {part for path in MODULES for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert not names & VAGUE_NAMES


def test_no_path_of_one_machine_is_in_the_tree():
    # Colab itself runs as root: its own paths are facts of the place and may be named.
    machine = re.compile(r"(?<![\w.])/(ro" r"ot/(?!\.config/Google)|wor" r"k/)|/tmp/(v/|bash_)|/home/(?!user|you|me|jovyan)\w+")
    assert machine.search("see /" + "root/run") and not machine.search("see my/" + "work/run")
    wrong = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        made = {"build", "dist", "__pycache__", "sg2ada-demo"} & set(parts)
        hidden = made or any(part.startswith(".") and part != ".ci" for part in parts)
        if hidden or not path.is_file() or (path.suffix not in TEXT_SUFFIXES and parts[0] != ".ci"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if machine.search(line):
                wrong.append(f"{path.relative_to(ROOT)}:{number}")
    assert not wrong, "\n".join(wrong)


# Modules that the tests of their neighbours cover, as those of whole networks do for their layers.
TESTED_WITH_OTHERS = """
    augment/color augment/config augment/corruption augment/filter augment/fusion_barrier augment/geometry
    augment/resample_table byte_source cli/augment cli/env cli/original_tool cli/prepare clock colab/child
    colab/viewer compile/autotune_results compile/signed_index config/presets dataset/classic/brecahad dataset/classic/lsun
    dataset/classic/torch_images dataset/convert dataset/options dataset/record_file dataset/sources draws errors
    formats/new_discriminator formats/rosinality_names formats/torch_pickle generate/project generate/same_layers
    images/archives images/colour images/contact_sheet images/inspect images/label_values images/progress images/scan
    images/wide metrics/efficientnet metrics/feature_store metrics/fid metrics/grouped metrics/inception_score
    metrics/inception_weights metrics/kid metrics/labels metrics/path_pairs metrics/precision_recall metrics/reals
    metrics/statistics metrics/vgg metrics/weight_files networks/activations networks/config networks/discriminator
    networks/generator networks/gpu_forms networks/layers networks/shared_programs networks/summary networks/weights
    numpy_pickle previews/compare previews/sample runs/build seeds storage/check_files storage/manifest storage/mirror
    storage/verified_copy system_errors training/status
""".split()
# Tests of more than one module, by what they are about.
TESTS_OF_SEVERAL = """
    colab/notebook_size dataset/copy_from_drive dataset/damage dataset/full_disk dataset/memory formats/real_torch
    images/real_material layout main metrics/reference metrics/real_collections metrics/stamps metrics/torch_oracles
    networks/modulated_conv networks/networks networks/rectangles packaging runs/does_not_fit runs/drive
    runs/ended_early runs/grids runs/methods runs/old_run runs/out_of_memory runs/rectangles runs/resume
    runs/several_processes runs/transparency storage/damage storage/identity
""".split()


def test_each_module_has_a_test_of_its_name_and_each_test_a_module():
    """A new module needs a test file of its name, and a test file that is renamed or left behind is seen."""
    modules = {str(path.relative_to(PACKAGE).with_suffix("")).replace("\\", "/") for path in MODULES if path.name[:2] != "__"}
    paths = [path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")]
    of_the_package = [path for path in paths if path.parts[0] not in ("benchmarks", "examples", "notebooks", "soak")]
    tests = {str(path.with_name(path.name[len("test_") :]).with_suffix("")).replace("\\", "/") for path in of_the_package}
    assert modules - tests == set(TESTED_WITH_OTHERS)
    assert tests - modules == set(TESTS_OF_SEVERAL)
