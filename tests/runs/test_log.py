"""stats.jsonl of a run that goes on: lines after the snapshot go, damaged ones are left out and counted."""

import json

import pytest

from sg2ada_colab.runs.log import StatsFile

from .conftest import progress_of


def progress(tick):
    return progress_of(None, tick=tick)


def line(tick):
    return json.dumps({"Progress/tick": tick, "Loss/G/loss": 1.5})


def after(tmp_path, content, tick=2):
    """Return (the lines that are left, what was said) of a stats.jsonl when a run goes on at a tick."""
    said = []
    (tmp_path / "stats.jsonl").write_bytes(content)
    StatsFile(tmp_path, said.append).on_start(progress(tick))
    return (tmp_path / "stats.jsonl").read_text(encoding="utf-8").splitlines(), said


@pytest.mark.parametrize(
    "damage",
    ["\0" * 300, "{", "[" * 100_000, "7", "null", '{"Progress/tick": "1"}', '{"Progress/tick": 1.5}', "{}", "9" * 5000, "\udcff"],
)
def test_a_damaged_line_is_left_out_and_told(tmp_path, damage):
    content = "\n".join([line(0), damage, line(1), line(2), ""]).encode("utf-8", "surrogateescape")
    lines, said = after(tmp_path, content)
    assert lines == [line(0), line(1)]
    assert said == [f"{tmp_path / 'stats.jsonl'}: 1 damaged line left out."]


def test_several_are_counted_and_a_line_that_was_cut_short_is_no_news(tmp_path):
    lines, said = after(tmp_path, "\n".join(["x", line(0), "\0", line(1)[:9]]).encode())
    assert lines == [line(0)] and said == [f"{tmp_path / 'stats.jsonl'}: 2 damaged lines left out."]
    assert after(tmp_path, (line(0) + "\n" + line(1)[:9]).encode()) == ([line(0)], [])
    assert after(tmp_path, b"") == ([], [])


def test_ticks_after_the_snapshot_go(tmp_path):
    assert after(tmp_path, "".join(line(tick) + "\n" for tick in range(5)).encode(), tick=3)[0] == [line(0), line(1), line(2)]
    StatsFile(tmp_path / "absent").on_start(progress(1))  # a new run has no such file
