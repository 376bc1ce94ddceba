"""Share the rounds of a minibatch out among the processes of a run, one a GPU; imports no TensorFlow."""

from dataclasses import replace
from typing import List, Tuple

from ..errors import UserError
from .train_config import TrainConfig


def share_rounds(config: TrainConfig, count: int) -> Tuple[TrainConfig, List[str]]:
    """Return (TrainConfig with which `count` processes train together, sentences on what that changes).

    Each process runs as many rounds as the others. Where they cannot be divided so, a round has fewer images. All rounds of a
    minibatch then begin from the same running means, wherever they run; a run keeps that rule when it goes on in one process.

    Args:
        config: TrainConfig.
        count: Number of processes; for 1 the config is returned as it is.

    Raises:
        UserError: The images of a minibatch cannot be divided by `count`.
    """
    if count == 1:
        return config, []
    schedule = config.schedule
    size, at_once = schedule.minibatch_size, schedule.minibatch_gpu
    if size % count:
        fitting = max(n for n in range(1, min(size, count) + 1) if size % n == 0)
        raise UserError(
            f"A minibatch of {size} images cannot be divided among {count} GPUs.",
            "a number of GPUs that divides the images of a minibatch (--batch)",
            f"Use {fitting} GPUs, or begin another run with a --batch that {count} divides.",
        )
    sentences = []
    if schedule.rounds % count:
        group = config.D["mbstd_group_size"]
        fits = [n for n in range(1, at_once + 1) if size % (n * count) == 0 and n % min(group, n) == 0]
        schedule = replace(schedule, minibatch_gpu=fits[-1])
        sentences.append(
            f"{count} GPUs cannot share {size // at_once} rounds of {at_once} images: each takes {fits[-1]} images at once. "
            "The draws and the groups of the minibatch statistics are others from here on."
        )
    return replace(config, schedule=replace(schedule, shared_rounds=True)), sentences
