"""What a run says: on the terminal and in its files, safe to show; several processes append to the same files."""

import json

from sg2ada_colab.runs.log_file import Log


def test_text_from_outside_steers_no_terminal_that_shows_the_log(tmp_path, capsys):
    log = Log(tmp_path)
    log("written by host \x1b]0;mine\x07\n\tand more")
    log.close()
    expected = "written by host \\x1b]0;mine\\x07\n\tand more\n"
    assert (tmp_path / "log.txt").read_text() == expected and capsys.readouterr().out == expected


def test_two_processes_append_to_the_same_log(tmp_path):
    first, second = Log(tmp_path, quiet=True), Log(tmp_path, quiet=True)
    first("one")
    second.note("warning", "two")
    first.note("stage", "three")
    first.close(), second.close()
    assert (tmp_path / "log.txt").read_text() == "one\ntwo\nthree\n"
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(event["kind"], event["text"]) for event in events] == [("warning", "two"), ("stage", "three")]


def test_without_a_folder_it_only_prints(capsys):
    log = Log(None)
    log.note("warning", "said")
    log.close()
    assert capsys.readouterr().out == "said\n"
