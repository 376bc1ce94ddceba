"""Flags with an optional value leave the words alone that are not one."""

import pytest

from sg2ada_colab.__main__ import build_parser
from sg2ada_colab.cli.parser import Parser


@pytest.mark.parametrize(
    "flag, mirror", [(["--mirror"], 1), (["--mirror", "1"], 1), (["--mirror", "0"], 0), (["--mirror=0"], 0), ([], 0)]
)
def test_pack_takes_its_folders_after_the_flag(flag, mirror):
    args = build_parser().parse_args(["dataset", "pack"] + flag + ["source", "target"])
    assert (args.mirror, args.unpacked, args.destination) == (mirror, "source", "target")


@pytest.mark.parametrize("flag, no_xla", [(["--no-xla"], True), (["--no-xla", "false"], False), (["--no-xla", "yes"], True)])
def test_resume_takes_its_run_after_the_flag(flag, no_xla):
    args = build_parser().parse_args(["resume"] + flag + ["results"])
    assert (args.no_xla, args.run_folder) == (no_xla, "results")


def test_a_wrong_value_is_still_an_error(capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args(["resume", "--no-xla=maybe", "results"])
    assert "--no-xla" in capsys.readouterr().err


def test_a_flag_that_takes_any_text_takes_the_word_after_it():
    parser = Parser()
    parser.add_argument("--note", nargs="?", const="none")
    assert parser.parse_args(["--note", "words"]).note == "words"
