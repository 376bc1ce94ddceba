"""TF_CONFIG: who takes part and which one this is; what makes no sense is refused with an example that does."""

import json

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.tf_config import EXAMPLE, host_and_port, read_tf_config, tf_config_text


def text(workers=("a:1", "b:1"), index=0, kind="worker", **more):
    return json.dumps({"cluster": dict(more, worker=list(workers)), "task": {"type": kind, "index": index}})


def test_what_is_written_is_read():
    assert read_tf_config(tf_config_text(["a:1", "b:1"], 1)) == (["a:1", "b:1"], 1)
    assert tf_config_text(["first:12345", "second:12345"], 0) == EXAMPLE


@pytest.mark.parametrize(
    "alone", ["", " ", text(["a:1"]), '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}']
)
def test_one_process_is_alone(alone):
    assert read_tf_config(alone) is None


@pytest.mark.parametrize(
    "wrong, what",
    [
        ("{", "cannot be read: '{'"),
        ("[]", "cannot be read"),
        ('{"cluster": {}, "task": {}}', "cannot be read"),
        (text(index=2), "says that this is worker 2"),
        (text(index=-1), "says that this is worker -1"),
        (text(index="1"), "says that this is worker '1'"),
        (text(index=True), "says that this is worker True"),
        (text(["a:1", "a:1"]), "names a:1 twice"),
        (text(kind="chief"), "this one is 'chief'"),
        (text(chief=["c:1"]), "tasks of the kinds chief, worker"),
        (text(["a:1", "b"]), "'b' is not the address of a process"),
        (text(["a:1", "b:70000"]), "'b:70000' is not the address"),
    ],
)
def test_what_cannot_be_used_is_refused_with_an_example(wrong, what):
    with pytest.raises(UserError) as info:
        read_tf_config(wrong)
    assert what in info.value.what and EXAMPLE in info.value.next_step


def test_an_address_has_two_parts():
    assert host_and_port("[::1]:80") == ("[::1]", 80)
