"""Requests to stop: signals set a flag that the training loop checks."""

import signal
import threading
import time
from typing import Any, Dict, Optional

ECHO_S = 3.0  # a shell or notebook may send one interruption twice


class StopFlag:
    """Set by SIGINT and SIGTERM; the loop stops after the minibatches in hand. A second signal stops at once."""

    def __init__(self) -> None:
        self.reason: Optional[str] = None
        self._since = 0.0
        self._before: Dict[int, Any] = {}

    def __enter__(self) -> "StopFlag":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *error: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number, frame):
        if self.reason is not None and time.time() - self._since > ECHO_S:
            raise KeyboardInterrupt
        self._since = time.time()
        self.reason = "interrupted" if number == signal.SIGINT else "asked to end"

    def __call__(self) -> Optional[str]:
        return self.reason
