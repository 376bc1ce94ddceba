"""The field gpus of the training form: how many of the machine's cards a run takes."""

from dataclasses import replace
from typing import Any, Mapping, Optional, Tuple, Union

from ..runs.cards import processes_for, visible_cards
from ..runs.cluster import find_cluster
from ..runs.plan import RunPlan
from ..words import counted

AUTO = "auto"  # all that are there


def with_gpus(
    gpus: Union[str, int, None], options: Mapping[str, Any], usual: Optional[Mapping[str, Any]]
) -> Tuple[Mapping[str, Any], Optional[Mapping[str, Any]]]:
    """Return (options, options of a new run where those say nothing), with what the field gpus means.

    "auto" is the number of cards for a new run, or the largest power of two below it, which divides the usual minibatches; and
    nothing for a run that goes on, as its minibatch is what it is.

    Args:
        gpus: Of the field: a number, "auto" or "".
        options, usual: As for `plan_form`.
    """
    if gpus not in (AUTO, "", None):
        return dict(options, gpus=gpus), usual
    count = 2 ** max(len(visible_cards()).bit_length() - 1, 0)
    batch = str(options.get("batch") or "")
    while batch.isdigit() and int(batch) % count:
        count //= 2
    return options, dict(usual or {}, gpus=count) if count > 1 else usual


def on_cards(plan: RunPlan, gpus: Union[str, int, None]) -> RunPlan:
    """Return a `RunPlan` with the number of processes that will train it, and sentences about them.

    Args:
        plan: `RunPlan`.
        gpus: Of the field.

    Raises:
        UserError: The minibatch cannot be shared in that way, or a card is taken.
    """
    sentences, wanted = plan.sentences, plan.gpus
    if gpus in (AUTO, "", None):
        cards = len(visible_cards())
        wanted = processes_for(plan.config.schedule.rounds, cards, cards)
        if wanted < cards:
            here, train = counted(cards, "GPU is", "GPUs are"), counted(wanted, "of them trains", "of them train")
            sentences += (f"{here} here, and {train}; gpus={cards} shares the images of a step among all, and rounds otherwise.",)
    cluster, sharing = find_cluster(plan.config, wanted)
    sentences += (sharing,) if sharing else ()
    return replace(plan, gpus=wanted, sentences=sentences, processes=1 if cluster is None else len(cluster.workers))
