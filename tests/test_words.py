import pytest

from sg2ada_colab.words import counted, duration, rough_duration, shown, size_text, table


def test_sizes():
    assert [size_text(n) for n in (0, 999, 1000, 3210000, 273e9)] == ["0 bytes", "999 bytes", "1.0 kB", "3.2 MB", "273.0 GB"]


def test_one_and_many():
    assert counted(1, "file is", "files are") == "1 file is" and counted(0, "file is", "files are") == "0 files are"


def test_durations():
    assert [duration(seconds) for seconds in (12.4, 59.6, 187, 3723, 187440)] == [
        "12s", "1m 00s", "3m 07s", "1h 02m 03s", "2d 04h 04m",
    ]  # fmt: skip


@pytest.mark.parametrize("seconds, text", [(1, "1 min"), (3000, "50 min"), (9000, "2.5 h"), (864000, "10.0 days")])
def test_rough_durations(seconds, text):
    assert rough_duration(seconds) == text


def test_columns_of_a_table_are_aligned_to_the_left_or_to_the_right_and_lines_end_without_spaces():
    rows = [("name", "n", "note"), ("a", "1,000", "x"), ("long name", "7", "")]
    assert table(rows, right={1}) == ["name           n  note", "a          1,000  x", "long name      7"]
    assert table([("a", "b")]) == ["a  b"] and table([]) == []


def test_what_a_terminal_would_obey_or_cannot_write_is_escaped():
    assert shown("bär 絵.png") == "bär 絵.png"
    assert shown("a\x1b[2J\r\n\tb\x7f\u202e") == r"a\x1b[2J\r\n\tb\x7f\u202e"
    assert shown("ch\udce2t \ud800") == r"ch\xe2t \ud800"
    assert shown(ValueError("x\0")) == r"x\x00"


@pytest.mark.parametrize("text, expected", [
    ("flag of Z\u00fcrich \u6587\u5b57.png", "flag of Z\u00fcrich \u6587\u5b57.png"),
    ("red\x1b[31m", "red\\x1b[31m"),
    ("title\x1b]0;mine\x07", "title\\x1b]0;mine\\x07"),
    ("over\rwritten\b", "over\\rwritten\\x08"),
    ("two\nlines\t", "two\\nlines\\t"),
    ("C1 \x9b31m", "C1 \\x9b31m"),
    ("turned \u202egnp.exe", "turned \\u202egnp.exe"),
    ("line\u2028end", "line\\u2028end"),
    ("not UTF-8 \udcff", "not UTF-8 \\xff"),
    ("wide\u3000space\xa0kept", "wide\u3000space\xa0kept"),
    ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
    (3, "3"),
])  # fmt: skip
def test_what_steers_a_terminal_is_shown(text, expected):
    assert shown(text) == expected
    expected.encode("utf-8")


def test_what_is_kept_is_kept():
    assert shown("a\nb\x1b", "\n") == "a\nb\\x1b"
