"""What people read: sizes, durations, counts with their nouns, tables of text; and names from outside, safe to print."""

from typing import Any, Collection, Iterable, List, Sequence


def size_text(count: float) -> str:
    """Return a number of bytes in words, such as "3.2 MB"."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{int(count)} bytes"


def duration(seconds: float) -> str:
    """Return a duration as log.txt and the metric files of the original have it: 12s, 3m 07s, 1h 02m 03s, 2d 03h 04m."""
    seconds = int(round(seconds))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h {seconds // 60 % 60:02}m {seconds % 60:02}s"
    return f"{seconds // 86400}d {seconds // 3600 % 24:02}h {seconds // 60 % 60:02}m"


def rough_duration(seconds: float) -> str:
    """Return an estimated duration as "12 min", "3.5 h" or "2.1 days"."""
    if seconds < 5400:
        return f"{max(seconds / 60, 1):.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def counted(count: int, one: str, many: str) -> str:
    """Return a number with its noun or phrase in the right number, such as "1 file is" or "3 files are"."""
    return f"{count} {one if count == 1 else many}"


def table(rows: Iterable[Sequence[str]], right: Collection[int] = ()) -> List[str]:
    """Return the lines of a text table: columns as wide as their widest cell, two spaces between.

    Args:
        rows: Sequences of texts, all of one length; the first may be the head.
        right: Numbers of the columns whose cells are aligned to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) if i in right else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return lines


def shown(text: Any, keep: str = "") -> str:
    """Return a text from outside, such as a file's name, so that any terminal shows it on one line and obeys nothing in it.

    Control characters, and bytes of a name that is not UTF-8, are written as escapes: an old zip's "ch\\xe2t".

    Args:
        text: Anything; `str` is taken of it.
        keep: Characters to leave alone, such as a newline.
    """
    text = str(text)
    return (
        text if text.isprintable() else "".join(char if _is_harmless(char) or char in keep else _escaped(char) for char in text)
    )


def _is_harmless(char):
    """Return whether a character is printed, a space of any width, or joins letters and emoji."""
    is_wide_space = char.isspace() and char >= "\xa0" and char not in "\u2028\u2029"
    return char.isprintable() or is_wide_space or char in "\u200c\u200d"


def _escaped(char):
    if "\udc80" <= char <= "\udcff":  # how Python holds a byte of a name that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode-escape").decode("ascii")
