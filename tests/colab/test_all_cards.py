"""The field gpus: all cards by themselves, a number where one is written, and what a run that goes on can do with them."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from sg2ada_colab.colab import all_cards
from sg2ada_colab.colab.all_cards import on_cards, with_gpus
from sg2ada_colab.runs import cluster


@dataclass(frozen=True)
class Plan:
    config: SimpleNamespace
    gpus: int = 1
    sentences: tuple = ()
    processes: int = 1


def rounds(count):
    return SimpleNamespace(schedule=SimpleNamespace(rounds=count))


@pytest.fixture
def machine(monkeypatch):
    """Return a function that sets how many cards there are."""
    monkeypatch.delenv("SG2ADA_CPU_RANKS", raising=False)
    monkeypatch.setattr(cluster, "check_free", lambda *ignored: None)
    monkeypatch.setattr(cluster, "estimate", lambda config, processes: SimpleNamespace(memory_bytes=0))
    monkeypatch.setattr(cluster, "share_rounds", lambda config, count: (config, []))

    def has(count):
        for module in (all_cards, cluster):
            monkeypatch.setattr(module, "visible_cards", lambda: list("abcdefgh")[:count])

    return has


@pytest.mark.parametrize("cards, count", [(0, None), (1, None), (2, 2), (3, 2), (4, 4), (8, 8)])
def test_auto_is_all_cards_of_a_new_run_that_share_the_usual_minibatch(machine, cards, count):
    machine(cards)
    for auto in ("auto", "", None):
        assert with_gpus(auto, {"kimg": 5}, {"kimg": 9}) == ({"kimg": 5}, dict({"kimg": 9}, **({"gpus": count} if count else {})))


def test_auto_takes_no_more_than_divide_a_minibatch_that_is_given(machine):
    machine(8)
    assert with_gpus("auto", {"batch": "12"}, None)[1] == {"gpus": 4}
    assert with_gpus("auto", {"batch": 5}, None)[1] is None


def test_a_number_is_an_option_like_the_others(machine):
    machine(2)
    assert with_gpus("2", {"kimg": 5}, None) == ({"kimg": 5, "gpus": "2"}, None)


def test_both_cards_train_a_new_run_and_the_sentence_says_so(machine):
    machine(2)
    plan = on_cards(Plan(rounds(2), 2, ("Beginning.",)), "auto")
    assert (plan.gpus, plan.processes) == (2, 2) and plan.sentences[1].startswith("2 processes train")


def test_a_run_that_was_begun_on_one_card_goes_on_as_it_was_and_is_told_what_would_be_possible(machine):
    machine(2)
    plan = on_cards(Plan(rounds(1)), "auto")
    assert (plan.gpus, plan.processes) == (1, 1)
    assert plan.sentences == (
        "2 GPUs are here, and 1 of them trains; gpus=2 shares the images of a step among all, and rounds otherwise.",
    )
    accumulated = on_cards(Plan(rounds(4)), "auto")
    assert (accumulated.gpus, accumulated.processes) == (2, 2)


def test_on_one_card_nothing_is_said(machine):
    for count in (0, 1):
        machine(count)
        assert on_cards(Plan(rounds(1)), "auto") == Plan(rounds(1))
