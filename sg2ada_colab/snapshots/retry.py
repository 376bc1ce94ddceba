"""Try again: Drive answers with an input/output error and then works, as part of what was asked for is cached by then."""

import time


def with_retries(action, attempts=4, first_wait_s=0.2, sleep=time.sleep):
    """Call `action` until it raises no OSError and return its result.

    Args:
        action: Callable without arguments. A missing file is an answer, not a failure, and is raised at once.
        attempts: How often it is called at most; the last error is raised.
        first_wait_s: The pause after the first failure; each further one is twice as long.
    """
    for attempt in range(attempts - 1):
        try:
            return action()
        except FileNotFoundError:
            raise
        except OSError:
            sleep(first_wait_s * 2**attempt)
    return action()
