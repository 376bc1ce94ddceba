import codecs
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sg2ada_colab.json_text import BadJson, decode_text, depth_of, parse_json

THING = {"labels": [["ä.png", 0], ['b \\" [.png', 1.5]], "x": None}


@pytest.mark.parametrize("mark, encoding", [
    (b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"", "utf-16-le"), (b"", "utf-16-be"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
])  # fmt: skip
def test_every_unicode_encoding_is_read(mark, encoding):
    text = json.dumps(THING, ensure_ascii=False)
    assert decode_text(mark + text.encode(encoding)) == text
    assert parse_json(mark + text.encode(encoding)) == THING


def test_text_is_taken_as_it_is_and_its_mark_is_dropped():
    assert parse_json('\ufeff{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("data, message", [
    (b"", "Expecting value: line 1 column 1"), (b"{'a': 1}", "Expecting property name"), (b"[1, 2", "line 1 column 6"),
    (b"\xff\xff{}", "not UTF-8 text at byte 0"), (b'["caf\xe9"]', "not UTF-8 text at byte 5"),
    (codecs.BOM_UTF16_LE + b"[", "not UTF-16-LE text"),
    (b"[" * 100000, "nest 100000 deep; the limit is 64"), (b'{"a":' * 65 + b"1" + b"}" * 65, "nest 65 deep"),
    (b"[" + b"9" * 1001 + b"]", "a number of 1001 digits"),
])  # fmt: skip
def test_what_is_refused_has_a_reason(data, message):
    with pytest.raises(BadJson, match=message):
        parse_json(data)


def test_the_limits_are_the_callers():
    assert parse_json(b"[[[1]]]", most_bytes=7, most_depth=3) == [[[1]]]
    with pytest.raises(BadJson, match="has 7 bytes; the limit is 6"):
        parse_json(b"[[[1]]]", most_bytes=6)
    with pytest.raises(BadJson, match="nest 3 deep; the limit is 2"):
        parse_json(b"[[[1]]]", most_depth=2)


def test_brackets_inside_strings_do_not_count():
    assert depth_of(r'["[[[", "\"[[", "\\", {"}": 1}]') == 2
    assert depth_of("") == 0
    assert parse_json(json.dumps(["[" * 1000])) == ["[" * 1000]


def test_large_files_take_no_longer_than_their_size():
    start = time.process_time()
    assert len(parse_json(json.dumps({"labels": [[f"{i}.png", i % 10] for i in range(200000)]}))["labels"]) == 200000
    with pytest.raises(BadJson):
        parse_json(b"[" + b"1" * (1 << 22) + b"]")
    with pytest.raises(BadJson):
        parse_json(b'["' + b"\\" * (1 << 22))
    assert time.process_time() - start < 5


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def depth(value):
    if isinstance(value, (list, dict)):
        return 1 + max([depth(part) for part in (value.values() if isinstance(value, dict) else value)], default=0)
    return 0


@settings(max_examples=200, deadline=None)
@given(values, st.booleans())
def test_what_json_writes_comes_back_and_its_depth_is_counted(value, is_ascii):
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert parse_json(text) == value and depth_of(text) == depth(value)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100))
def test_random_bytes_are_refused_or_read(data):
    try:
        parse_json(data)
    except BadJson as error:
        assert str(error)
