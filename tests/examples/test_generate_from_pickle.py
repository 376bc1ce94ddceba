"""The example runs as its first lines say."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("network", ["network_tf_uncond.pkl", "network_pt_cond.pkl"])
def test_the_example_makes_its_pictures(tmp_path, network):
    words = [sys.executable, "examples/generate_from_pickle.py", str(ROOT / "tests" / "data" / network), str(tmp_path / "out")]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy; sys.argv = {words[1:]!r}; "
    subprocess.run([sys.executable, "-c", code + "runpy.run_path(sys.argv[0], run_name='__main__')"], cwd=str(ROOT), check=True)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"seed{n:04d}.png" for n in range(16)} | {f"walk{n}.png" for n in range(5)} | {"mixed.png"}
    walk = [
        np.asarray(Image.open(str(tmp_path / "out" / f"{name}.png")), int) for name in ("walk0", "walk4", "seed0001", "seed0002")
    ]
    assert np.abs(walk[0] - walk[2]).max() <= 1 and np.abs(walk[1] - walk[3]).max() <= 1
