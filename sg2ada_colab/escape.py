"""Text from outside (names of images, classes and runs, settings, answers of servers), made harmless where it is shown."""

import html
from typing import Any

from .words import shown


def for_html(text: Any) -> str:
    """Return text for HTML, within an element or an attribute; newlines stay, other control characters are made visible."""
    return html.escape(shown(text, "\n\t"), quote=True)


class TerminalStream:
    """A text stream that shows what would steer a terminal; newlines, tabs and the return of progress lines pass."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(shown(text, "\n\r\t"))
        return len(text)

    def turn_to(self, stream: Any) -> None:
        """Write to another stream from now on, for those who keep this one."""
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
