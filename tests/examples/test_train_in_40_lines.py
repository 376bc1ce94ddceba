"""The example runs as a newcomer would run it: trains, draws, and goes on when it is called again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "train_in_40_lines.py"
TINY = [
    ("resolution=32", "resolution=8"),
    ("cbase=1024, cmax=64", "cbase=64, cmax=8"),
    ("mirror=True", "batch=16, tick=0.25, no_xla=True"),
]
CODE = """
import sys
sys.path.insert(0, {root!r})
sys.argv = {words!r}
text = open({path!r}, encoding="utf-8").read()
for words, smaller in {tiny!r}:
    assert words in text
    text = text.replace(words, smaller)
exec(compile(text, {path!r}, "exec"), {{"__name__": "__main__"}})
"""


def run(*words):
    code = CODE.format(tiny=TINY, root=str(ROOT), words=[str(EXAMPLE)] + [str(word) for word in words], path=str(EXAMPLE))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_it_has_40_lines_of_code():
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 40


@pytest.mark.slow
def test_it_trains_draws_and_goes_on(tmp_path):
    (tmp_path / "images").mkdir()
    for number, colour in enumerate(np.random.RandomState(0).randint(0, 255, (24, 3))):
        Image.new("RGB", (40, 32), tuple(map(int, colour))).save(str(tmp_path / "images" / f"{number}.png"))
    done = run(tmp_path / "images", tmp_path / "out", 1)
    assert done.returncode == 0, done.stderr
    with Image.open(str(tmp_path / "out" / "pictures.png")) as image:
        assert image.size == (8 * 8, 4 * 8)
    (run_dir,) = (tmp_path / "out" / "results").iterdir()
    assert (run_dir / "network-snapshot-000001.pkl").is_file()
    done = run(tmp_path / "images", tmp_path / "out", 2)
    assert done.returncode == 0 and (run_dir / "network-snapshot-000002.pkl").is_file(), done.stderr


def test_a_folder_that_is_not_there_is_named_without_a_traceback(tmp_path):
    done = run(tmp_path / "absent", tmp_path / "out")
    assert done.returncode == 1 and "absent" in done.stderr and "Traceback" not in done.stderr
