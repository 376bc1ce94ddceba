"""Choose how many images a GPU takes at once, by its memory, where nobody has said so."""

from dataclasses import replace
from typing import Optional

from .estimate import largest_batch_gpu
from .options import TrainOptions
from .resolve import resolve
from .train_config import DatasetInfo, TrainConfig


def resolve_for_card(
    options: TrainOptions, data: DatasetInfo, metric_data: Optional[DatasetInfo], memory_bytes: Optional[float]
) -> TrainConfig:
    """Return the `TrainConfig` of options, with the largest share of the minibatch at once that should fit a card's memory.

    The configurations of the papers take few images at once, for eight cards of their time; more is faster. What is chosen
    becomes the run's own --batch-gpu, so a resume keeps it on any card: another share would round otherwise.

    Args:
        options, data, metric_data: As for `resolve`.
        memory_bytes: Memory of the card, or None: no GPU, or not known.

    Raises:
        UserError: As `resolve`.
    """
    config = resolve(options, data, metric_data)
    if options.batch_gpu or not memory_bytes:
        return config
    group, schedule = _group(config), config.schedule
    fits = largest_batch_gpu(config, memory_bytes, schedule.num_gpus)
    while fits and (schedule.minibatch_size % (schedule.num_gpus * fits) or fits % group):
        fits //= 2
    if fits in (0, schedule.minibatch_gpu):  # where nothing fits, the run itself will say what to do
        return config
    chosen = resolve(replace(options, batch_gpu=fits), data, metric_data)
    if _group(chosen) != group:  # the statistics of a minibatch would be others
        return config
    note = (
        f"--batch-gpu={fits}, by this GPU's {memory_bytes / 1e9:.0f} GB: so many of the "
        f"{chosen.schedule.minibatch_size} images of a minibatch are taken at once"
    )
    return replace(chosen, notes=chosen.notes + [note])


def _group(config):
    """Return how many images D's minibatch statistics take together."""
    return min(config.D["mbstd_group_size"], config.schedule.minibatch_gpu)
