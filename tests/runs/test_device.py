"""How a process takes its memory."""

import subprocess
import sys

import pytest

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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_memory_is_not_cleared_again():
    kept = page_faults("keep")
    if kept == "unsupported":
        pytest.skip("this C library has no mallopt")
    assert int(kept) < 0.2 * int(page_faults("default"))
