"""The flags: which there are, how they are read, and how they are written again."""

import argparse
from dataclasses import fields

import pytest

from sg2ada_colab.config.options import GROUPS, TrainOptions, as_text, boolean, flag_of, name_list

NVIDIA_FLAGS = (
    "outdir gpus snap seed dry-run data res mirror metrics metricdata cfg gamma kimg "
    "aug p target augpipe cmethod dcap resume freezed"
).split()


def test_all_of_nvidias_flags_are_there():
    assert {flag_of(f.name) for f in fields(TrainOptions) if f.metadata["nvidia"]} == {"--" + f for f in NVIDIA_FLAGS}


def test_nothing_is_given_by_default():
    assert TrainOptions().given() == {}
    assert TrainOptions(mirror=False, kimg=3, metrics=[]).given() == {"mirror": False, "kimg": 3, "metrics": []}


def test_every_flag_has_a_group_and_a_help_text_that_ends_without_a_stop():
    groups = {name for name, _, _ in GROUPS}
    for f in fields(TrainOptions):
        assert f.metadata["group"] in groups
        assert len(f.metadata["help"]) > 10 and not f.metadata["help"].endswith(".")


def test_from_args_takes_what_a_namespace_has():
    args = argparse.Namespace(kimg=7, data="d", run=print)
    assert TrainOptions.from_args(args) == TrainOptions(kimg=7, data="d")


@pytest.mark.parametrize("text", ["yes", "true", "t", "y", "1", "YES", "True"])
def test_true_words(text):
    assert boolean(text) is True


@pytest.mark.parametrize("text", ["no", "false", "f", "n", "0", "No", "FALSE"])
def test_false_words(text):
    assert boolean(text) is False


@pytest.mark.parametrize("text", ["maybe", "", "2", "on"])
def test_other_words_are_no_truth_values(text):
    with pytest.raises(argparse.ArgumentTypeError):
        boolean(text)


@pytest.mark.parametrize(
    "text, names", [("none", []), ("", []), ("None", []), ("a", ["a"]), ("a,b", ["a", "b"]), ("fid50k_full", ["fid50k_full"])]
)
def test_lists(text, names):
    assert name_list(text) == names


@pytest.mark.parametrize(
    "name, value, text",
    [
        ("kimg", 7, "--kimg=7"),
        ("mirror", True, "--mirror=1"),
        ("mirror", False, "--mirror=0"),
        ("gamma", 0.0001, "--gamma=0.0001"),
        ("gamma", 5.0, "--gamma=5"),
        ("metrics", [], "--metrics=none"),
        ("metrics", ["a", "b"], "--metrics=a,b"),
        ("batch_gpu", 4, "--batch-gpu=4"),
        ("resume", "ffhq256", "--resume=ffhq256"),
    ],
)
def test_an_option_is_written_as_it_would_be_typed(name, value, text):
    assert as_text(name, value) == text
