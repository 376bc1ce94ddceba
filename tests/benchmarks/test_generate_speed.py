"""The benchmark of `sg2ada generate` runs, at a tiny size."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location(
    "generate_speed", str(Path(__file__).parents[2] / "benchmarks" / "generate_speed.py")
)
generate_speed = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate_speed)


@pytest.mark.slow
def test_it_prints_a_line_for_each_process(capsys):
    generate_speed.main(["--sizes", "16", "--count", "3", "--fmap-base", "64"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["16: the first picture", "16: 3 as PNG", "16: the same again, all there"]


def test_a_process_that_fails_is_named(capsys):
    import sys

    assert generate_speed.timed([sys.executable, "-c", "raise SystemExit('no card')"]) is None
    assert capsys.readouterr().out == "not run: no card\n"
