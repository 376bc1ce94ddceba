"""JSON files of ours: what fits is read, everything else is one sentence's end, whatever damage made of it."""

import json
import os

import pytest

from sg2ada_colab.json_files import ANY, Maybe, check_shape, read_json
from sg2ada_colab.json_text import BadJson

SHAPE = {"version": int, "time": float, "names": [str], "best": {str: (float, str)}, "more": Maybe({"deep": bool}), "any": ANY}
GOOD = {"version": 1, "time": 2, "names": ["a"], "best": {"fid": [1.5, "000004"]}, "any": None}


def read(tmp_path, text):
    (tmp_path / "x.json").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return read_json(tmp_path / "x.json", SHAPE)


def test_what_fits_is_read_as_it_is(tmp_path):
    assert read(tmp_path, json.dumps(GOOD)) == GOOD
    assert read(tmp_path, json.dumps(dict(GOOD, more={"deep": True}, unknown=[]))) == dict(GOOD, more={"deep": True}, unknown=[])
    assert read(tmp_path, json.dumps(dict(GOOD, more=None)))["more"] is None


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("version", True, "version is not a whole number"),
        ("version", "1", "version is not a whole number"),
        ("time", float("nan"), "time is not a finite number"),
        ("time", float("inf"), "time is not a finite number"),
        ("time", 10**400, "time is not a finite number"),
        ("names", "abc", "names is not a list"),
        ("names", ["a", 7], "names[1] is not text"),
        ("names", ["\ud800"], "names[0] is not text"),
        ("best", {"fid": [1.5]}, 'best["fid"] has 1 values, not 2'),
        ("best", {"fid": [None, "x"]}, 'best["fid"][0] is not a finite number'),
        ("best", [], "best is not an object"),
        ("more", {}, 'more has no "deep"'),
        ("more", {"deep": 1}, "more.deep is not true or false"),
    ],
)
def test_a_value_of_another_type_is_named(tmp_path, name, value, words):
    with pytest.raises(BadJson) as error:
        read(tmp_path, json.dumps(dict(GOOD, **{name: value})))
    assert str(error.value) == f"is damaged ({words})"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\0" * 50, "[" * 100_000, '{"a":' * 500_000, b"\xff\xfe\x00", "9" * 5000, '{"version": 1}']
)
def test_everything_else_is_damaged(tmp_path, text):
    with pytest.raises(BadJson, match="is damaged") as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(str(tmp_path / "pipe.json"))
    with pytest.raises(BadJson, match="is not a plain file"):
        read_json(tmp_path / "pipe.json", SHAPE)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "absent.json", SHAPE)


def test_every_byte_of_a_good_text_changed_is_read_or_named(tmp_path):
    text = json.dumps(GOOD).encode()
    for place in range(len(text)):
        for value in (0, 0x22, 0x5B, 0x7D, 0xFF, text[place] ^ 1):
            try:
                check_shape(read(tmp_path, text[:place] + bytes([value]) + text[place + 1 :]), SHAPE)
            except BadJson as error:
                assert str(error).startswith("is damaged (")
