"""The README's snippet of Python runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def test_the_snippet_of_make_pictures():
    snippet = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert len(snippet.splitlines()) == 6
    names = {}
    exec(snippet, names)
    assert names["images"].shape == (16, 32, 32, 3) and names["images"].dtype == "uint8"
    assert names["halfway"].shape == (1, 32, 32, 3) and names["mixed"].shape == names["w"][:1].shape


ROOT = README.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=[path.name for path in PAGES])
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8"))
    lost = [link for link in links if "://" not in link and not (page.parent / link).is_file()]
    assert lost == [] and (links or page.name not in ("README.md", "first-steps.md"))


def test_pictures_are_small_and_said_in_words():
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "pictures").iterdir()}
    assert len(sizes) >= 10 and {name: size for name, size in sizes.items() if size >= 200_000} == {}
    shown = [match for page in PAGES for match in re.findall(r"!\[(.*?)\]\(", page.read_text(encoding="utf-8"))]
    assert len(shown) >= 8 and [words for words in shown if len(words.split()) < 4] == []
