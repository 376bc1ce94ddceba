"""The list of runs in a notebook is a table under its own headings, in words elsewhere."""

import re
from pathlib import Path

import sg2ada_colab as sg2
from sg2ada_colab.colab import run_list, session


def test_the_runs_are_a_table_with_their_best_metric(home, monkeypatch, capsys):
    sg2.list_runs()
    assert capsys.readouterr().out == "There are no runs yet.\n"
    results = Path(session.workspace().results)
    for name in ("00000-a<b>", "00001-failed"):
        (results / name).mkdir()
    (results / "00000-a<b>" / "network-snapshot-000012.pkl").write_bytes(b"x")
    (results / "00000-a<b>" / "metric-kid_efflite0.txt").write_text("network-snapshot-000012 time 1s kid_efflite0 0.25\n")
    contents = []
    monkeypatch.setattr(run_list, "show", lambda content, plain: contents.append((content, plain)))
    sg2.list_runs()
    ((content, plain),) = contents
    heads = re.findall(r"<th scope='col'>(.*?)</th>", content)
    assert heads == ["run", "snapshots", "kimg", "best", "here", "Drive", "state"] and "<b>" not in content
    assert "<td>kid_efflite0 0.25</td>" in content and "kid_efflite0 0.25" in plain
    assert "1 start that failed before it trained anything is left out: 00001-failed" in content
