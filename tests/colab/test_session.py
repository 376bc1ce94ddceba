"""Opening a session: what setup shows, and what it keeps from the eyes of a person."""

import os
import re

import sg2ada_colab as sg2
from sg2ada_colab.colab import html, session
from sg2ada_colab.colab.doctor import Finding

GREETING = b"2026-11-29 10:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.\n"


def shown_by_setup(monkeypatch, tmp_path, findings):
    """Return the HTML that setup shows for what the doctor finds."""
    contents = []

    def examine(folder):
        os.write(2, GREETING)
        return findings

    monkeypatch.setattr(session, "_open", {})
    monkeypatch.setattr(session, "examine", examine)
    monkeypatch.setattr(session, "show", lambda content, plain: contents.append(content))
    sg2.setup(str(tmp_path))
    return contents[-1]


def test_nothing_of_tensorflows_greeting_is_shown(monkeypatch, tmp_path, capfd):
    shown_by_setup(monkeypatch, tmp_path, [Finding("GPU", "Tesla T4")])
    assert "oneDNN" not in "".join(capfd.readouterr())


def test_no_heading_is_empty(monkeypatch, tmp_path):
    content = shown_by_setup(monkeypatch, tmp_path, [Finding("GPU", "Tesla T4"), Finding("Drive", "12 GB free")])
    assert "<th" not in content and content.count("<td>") == 4, "nothing to do: no column for it"
    content = shown_by_setup(monkeypatch, tmp_path, [Finding("GPU", "none", "no GPU: choose one")])
    assert re.findall(r"<th scope='col'>(.*?)</th>", content) == ["what", "found", "to do"]
    assert html.SIGNS["warn"] in content and "no GPU: choose one" in content
