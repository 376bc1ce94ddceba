import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.images.workers import run_parallel

ROOT = Path(__file__).parents[2]


def square(shared, job):
    return shared + job * job


def die(shared, job):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(shared, job):
    raise ValueError(f"job {job}")


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("has_tensorflow", [False, True])
def test_every_job_is_done_once(monkeypatch, workers, has_tensorflow):
    modules = dict(sys.modules)
    modules.pop("tensorflow", None)
    if has_tensorflow:
        modules["tensorflow"] = None
    monkeypatch.setattr(sys, "modules", modules)
    assert dict(run_parallel(square, 7, range(100), workers)) == {n: 7 + n * n for n in range(100)}
    assert list(run_parallel(square, 7, [], workers)) == []


def test_a_worker_that_is_killed_ends_in_a_clear_error(monkeypatch):
    modules = dict(sys.modules)
    modules.pop("tensorflow", None)
    monkeypatch.setattr(sys, "modules", modules)
    with pytest.raises(UserError, match="a worker process died(.|\n)*--workers 1"):
        list(run_parallel(die, None, range(4), 2))


def test_a_bug_in_a_job_is_not_hidden():
    with pytest.raises(ValueError, match="job"):
        list(run_parallel(fail, None, range(4), 2))


UNGUARDED = """
import sys
{first}
from sg2ada_colab.dataset import PrepareOptions, prepare
print(prepare(sys.argv[1], sys.argv[2], PrepareOptions(workers=2), progress=False).num_images)
"""


@pytest.mark.parametrize("first", ["", "sys.modules['tensorflow'] = sys"])  # forked processes; threads, as beside TensorFlow
def test_a_script_needs_no_guard_for_its_main_part(tmp_path, first):
    (tmp_path / "images").mkdir()
    for i in range(130):  # several jobs
        Image.new("RGB", (8, 8), (i, i, i)).save(str(tmp_path / "images" / f"{i:03d}.png"))
    script = tmp_path / "mine.py"
    script.write_text(UNGUARDED.format(first=first))
    command = [sys.executable, str(script), str(tmp_path / "images"), str(tmp_path / "set")]
    run = subprocess.run(command, capture_output=True, env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert (run.returncode, run.stdout.split(), run.stderr) == (0, [b"130"], b"")
