"""The memory that a conversion takes does not grow with the images: a hundred thousand of them, made here."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.dataset import open_dataset

ROOT = Path(__file__).parents[2]
COUNT = 100000

pytestmark = [pytest.mark.soak, pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="needs Linux's /proc")]


def proportional_bytes(process):
    """Return the memory of a process and its children, what they share counted once."""
    children = f"/proc/{process}/task/{process}/children"
    try:
        family = [process] + Path(children).read_text().split()
        lines = [Path(f"/proc/{member}/smaps_rollup").read_text() for member in family]
    except OSError:
        return 0  # one of them has just ended
    return sum(int(text.split("Pss:")[1].split()[0]) for text in lines) * 1024


def test_a_hundred_thousand_images_in_steady_memory(tmp_path):
    draws = np.random.RandomState(0)
    for i in range(COUNT):
        file = tmp_path / "images" / f"{i // 1000:03d}" / f"{i:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.randint(0, 256, (8, 8, 3)).astype(np.uint8)).resize((72, 64)).save(str(file))
    command = [sys.executable, "-m", "sg2ada_colab", "prepare", str(tmp_path / "images"), str(tmp_path / "set")]
    process = subprocess.Popen(command + ["--resolution=64", "--quiet", "--workers=2"], cwd=str(ROOT))
    samples, journal = [], tmp_path / "set.partial" / "prepare-journal.jsonl"
    while process.poll() is None:
        if journal.exists():  # so it converts
            samples.append(proportional_bytes(process.pid))
        time.sleep(0.25)
    assert process.returncode == 0 and open_dataset(tmp_path / "set").num_images == COUNT
    early, late = max(samples[: len(samples) // 4]), max(samples[len(samples) // 2 :])
    print(json.dumps({"samples": len(samples), "early_mb": early / 1e6, "late_mb": late / 1e6, "most_mb": max(samples) / 1e6}))
    assert late < early + 10e6 and max(samples) < 200e6
