"""A progress bar that costs nothing until something has been done."""

import sys
from typing import Any


class Progress:
    """Counts images, or bytes, on a tqdm bar; a context manager.

    The bar appears at the first `update`: by then the workers run, and importing tqdm no longer delays them.
    """

    def __init__(self, shown: bool, total: int, text: str, unit: str = "img") -> None:
        self._shown, self._total, self._text, self._unit = shown, total, text, unit
        self._bar: Any = None

    def update(self, count: int) -> None:
        """Add `count` to what is done."""
        if not self._shown:
            return
        if self._bar is None:
            if "ipykernel" in sys.modules:
                from tqdm.auto import tqdm  # a widget
            else:
                from tqdm import tqdm
            scaled = {"unit_scale": True, "unit_divisor": 1024} if self._unit == "B" else {}
            self._bar = tqdm(total=self._total, desc=self._text, unit=self._unit, leave=False, **scaled)
        self._bar.update(count)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.close()
