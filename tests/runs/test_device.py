"""How a process takes its memory."""

import subprocess
import sys

import pytest

from sg2ada_colab.runs.device import prepare_device
from sg2ada_colab.tf import IS_TF1, tf

PAGE_FAULTS = """
import resource, sys
import numpy as np
from sg2ada_colab.runs.device import keep_freed_memory

if sys.argv[1] == "keep" and not keep_freed_memory():
    print("unsupported")
    sys.exit()
np.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(2**23)  # 64 MiB, more than glibc keeps by itself
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how):
    output = subprocess.run([sys.executable, "-c", PAGE_FAULTS, how], stdout=subprocess.PIPE, check=True).stdout.decode()
    return output.split()[-1]


@pytest.mark.once
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_memory_is_not_cleared_again():
    kept = page_faults("keep")
    if kept == "unsupported":
        pytest.skip("this C library has no mallopt")
    assert int(kept) < 0.2 * int(page_faults("default"))


@pytest.mark.skipif(IS_TF1, reason="TF 1.14 has no such switch")
@pytest.mark.parametrize("deterministic", [False, True])
def test_determinism_is_switched_on_where_asked(monkeypatch, deterministic):
    calls = []
    monkeypatch.setattr(tf.random, "set_seed", lambda seed: calls.append(seed))
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: calls.append("on"))
    prepare_device(deterministic, seed=7)
    assert calls == ([7, "on"] if deterministic else [])
