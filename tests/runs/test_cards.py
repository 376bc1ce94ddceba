"""Which cards are there and who computes what: nvidia-smi is a stand-in, CUDA_VISIBLE_DEVICES has the last word."""

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.runs import cards

LISTED = """GPU 0: Tesla T4 (UUID: GPU-aaaa0000-1111-2222-3333-444444444444)
  MIG 1g.5gb Device 0: (UUID: MIG-cccc)
GPU 1: Tesla T4 (UUID: GPU-bbbb0000-1111-2222-3333-444444444444)
"""
FIRST, SECOND = "GPU-aaaa0000-1111-2222-3333-444444444444", "GPU-bbbb0000-1111-2222-3333-444444444444"


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Return a function that installs a program which prints a list of cards, and their memory."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv(cards.CPU_RANKS, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def install(listed=LISTED, memory=""):
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin" / "nvidia-smi"
        program.write_text(f"#!/bin/sh\nif [ $1 = -L ]; then echo '{listed}'; else echo '{memory}'; fi\n")
        program.chmod(0o755)

    return install


@pytest.mark.parametrize(
    "wanted, found",
    [
        (None, [FIRST, SECOND]),
        ("0", ["0"]),
        ("1, 0", ["1", "0"]),
        (SECOND, [SECOND]),
        ("MIG-cccc", ["MIG-cccc"]),
        ("", []),
        ("-1", []),
        ("1,-1,0", ["1"]),  # as CUDA does: none from the first on that is not there
        ("0,2", ["0"]),
    ],
)
def test_cards_are_those_that_cuda_may_see(nvidia_smi, monkeypatch, wanted, found):
    nvidia_smi()
    if wanted is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", wanted)
    assert cards.visible_cards() == found


def test_without_nvidia_smi_there_is_no_card(nvidia_smi, monkeypatch):
    assert cards.visible_cards() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert cards.visible_cards() == []


def test_processes_on_the_processor_take_the_place_of_cards(nvidia_smi, monkeypatch):
    nvidia_smi()
    monkeypatch.setenv(cards.CPU_RANKS, "3")
    assert cards.visible_cards() == ["-1"] * 3
    for wrong in ("two", "0", "-1", "2.0"):
        monkeypatch.setenv(cards.CPU_RANKS, wrong)
        with pytest.raises(UserError) as caught:
            cards.visible_cards()
        assert repr(wrong) in caught.value.what and "SG2ADA_CPU_RANKS=2" in caught.value.next_step


@pytest.mark.parametrize(
    "rounds, wanted, there, count",
    [
        (4, 4, 4, 4),
        (4, 4, 3, 2),
        (4, 4, 8, 4),
        (4, 2, 8, 2),
        (6, 6, 4, 3),
        (3, 3, 2, 1),
        (4, 4, 0, 1),
        (1, 1, 8, 1),
        (5, 5, 5, 5),
    ],
)
def test_as_many_processes_train_as_divide_the_rounds(rounds, wanted, there, count):
    assert cards.processes_for(rounds, wanted, there) == count


def test_the_sentence_says_who_computes_what(monkeypatch):
    monkeypatch.delenv(cards.CPU_RANKS, raising=False)
    assert cards.sharing_sentence(1, 1, 2) == ""
    assert cards.sharing_sentence(4, 4, 0) == (
        "--gpus=4, and there is no GPU here: one process computes the work of all of them, in 4 rounds."
    )
    assert cards.sharing_sentence(4, 4, 1) == (
        "--gpus=4, and there is 1 GPU here: one process computes the work of all of them, in 4 rounds."
    )
    assert cards.sharing_sentence(4, 4, 3) == (
        "--gpus=4, and here: 3 GPUs. 2 processes train, each computes 2 of the 4 rounds of a minibatch."
    )
    assert cards.sharing_sentence(4, 4, 8) == (
        "4 processes train, each computes 1 of the 4 rounds of a minibatch, on a GPU of its own."
    )
    monkeypatch.setenv(cards.CPU_RANKS, "2")
    assert cards.sharing_sentence(2, 2, 2) == (
        "2 processes train, each computes 1 of the 2 rounds of a minibatch, on the processor (SG2ADA_CPU_RANKS=2)."
    )


def test_a_card_that_another_program_fills_is_refused(nvidia_smi):
    nvidia_smi(memory=f"{FIRST}, Tesla T4, 300, 15360\n{SECOND}, Tesla T4, 12000, 15360")
    cards.check_free([FIRST, SECOND], 2 * 2**30)  # enough beside it
    cards.check_free([FIRST], 15 * 2**30)  # more than there is: the run itself says what to do
    cards.check_free(["0", "1"], 15 * 2**30)
    with pytest.raises(UserError) as caught:
        cards.check_free([FIRST, SECOND], 8 * 2**30)
    assert caught.value.what == f"The GPU Tesla T4 ({SECOND}) is taken: 11.7 of its 15.0 GiB are in use."
    assert "8.0 GiB" in caught.value.expected and "CUDA_VISIBLE_DEVICES" in caught.value.next_step


def test_each_of_several_commands_takes_its_share():
    four = ["0", "1", "2", "3"]
    assert cards.shares(four, 2, 1, 2) == ["2", "3"]
    assert cards.shares(["0"], 4, 3, 1) == ["0"]  # Slurm shows each task its own alone
    assert cards.shares(four, 1, 0, 3) == ["0", "1", "2"]
    assert cards.shares(["0"], 1, 0, 2) == [] == cards.shares([], 1, 0, 1)
