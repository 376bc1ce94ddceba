"""Wait for what another thread or process does."""

import time


def wait_until(true, timeout_s=60.0):
    """Look every 10 ms until `true()`; an AssertionError after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
