"""The line of text is overwritten, never longer than it looks, and ends with a line break."""

import io
import re

from sg2ada_colab.colab.status_line import StatusLine


def shown(text):
    """Return the lines that a terminal shows: what follows a carriage return is written over what was there."""
    lines = []
    for line in text.split("\n"):
        cells = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        lines.append("".join(cells))
    return lines


def test_a_shorter_sentence_leaves_nothing_of_the_longer_one():
    out = io.StringIO()
    line = StatusLine(out, lambda: "13:05")
    line.write("a long sentence about compiling")
    line.write("short")
    assert [one.rstrip() for one in shown(out.getvalue())] == ["13:05  short"]
    line.finish("the end")
    line.write("a new one")
    assert [one.rstrip() for one in shown(out.getvalue())] == ["13:05  the end", "13:05  a new one"]


def test_it_goes_to_where_print_goes_with_the_time_and_its_zone(capsys):
    StatusLine().write("12 kimg")
    assert re.fullmatch(r"\r\d\d:\d\d \S+  12 kimg", capsys.readouterr().out)
