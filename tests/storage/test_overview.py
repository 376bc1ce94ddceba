"""The table of runs: the best measurement under its own name, and no starts that failed."""

import json

import pytest

from sg2ada_colab.storage.overview import failed_starts, overview, rows, table


@pytest.fixture(name="results")
def results_fixture(tmp_path):
    for name in ("00000-a", "00001-b", "00002-c"):
        (tmp_path / name).mkdir()
    for name in ("00000-a", "00001-b"):
        (tmp_path / name / "network-snapshot-000012.pkl").write_bytes(b"x")
    return tmp_path


def add(folder, metric, *values):
    lines = [f"network-snapshot-{4 * index:06d}   time 1s     {metric} {value}" for index, value in enumerate(values)]
    (folder / f"metric-{metric}.txt").write_text("\n".join(lines) + "\n")


def cells(results):
    return {row[0]: dict(zip(rows([])[0], row)) for row in rows(overview([results]))[1:]}


def test_a_kid_is_called_a_kid_and_a_fid_comes_first(results):
    add(results / "00000-a", "kid_efflite0", 0.3, 0.125, "nan")
    add(results / "00001-b", "kid_efflite0", 0.3)
    add(results / "00001-b", "fid5k_full", 80.0, 31.5)
    found = cells(results)
    assert found["00000-a"]["best"] == "kid_efflite0 0.125" and found["00001-b"]["best"] == "fid5k_full 31.5"
    assert "FID" not in "\n".join(table(overview([results]))).replace("fid5k_full", "")


def test_higher_is_better_where_it_is(results):
    add(results / "00000-a", "is50k", 3.0, 5.0)
    assert cells(results)["00000-a"]["best"] == "is50k 5"


def test_starts_that_failed_are_left_out_and_said(results):
    (results / "00002-c" / "log.txt").write_text("sg2ada_colab on TensorFlow\n")
    found = overview([results])
    assert list(cells(results)) == ["00000-a", "00001-b"]
    sentence = "1 start that failed before it trained anything is left out: 00002-c. Its folder can be deleted."
    assert failed_starts(found) == sentence
    assert table(found)[-1] == failed_starts(found)
    (results / "00002-c" / "stats.jsonl").write_text(json.dumps({"Progress/kimg": 0.5}) + "\n")
    assert list(cells(results)) == ["00000-a", "00001-b", "00002-c"], "it has trained, and saved nothing yet"


def test_none_at_all(tmp_path):
    assert table(overview([tmp_path])) == ["There are no runs yet."] and failed_starts([]) == ""
