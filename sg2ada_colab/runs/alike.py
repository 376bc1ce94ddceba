"""What the processes of a run must have in common before they train, and the settings that the first one gives the others."""

import json
from dataclasses import replace
from typing import Tuple

from .. import __version__
from ..config.settings import TOLD
from ..config.train_config import TrainConfig, resume_rule
from ..dataset.reading import Dataset
from ..tf import VERSION
from ..training.agreement import check_alike
from ..training.ranks import Ranks

OF_A_MACHINE = ("data.path", "metrics.data_path", "start.network")  # another file on each, of the same content
OF_THE_DATASET = ("data.digest", "data.num_images")


def check_processes(ranks: Ranks, config: TrainConfig, dataset: Dataset) -> None:
    """Let all processes refuse to train together where program, options or dataset differ.

    Raises:
        UserError: Names what differs, in every process.
    """
    if ranks.count == 1:
        return
    options = {
        name: value
        for name, value in config.settings().items()
        if name not in OF_A_MACHINE + OF_THE_DATASET and resume_rule(name) != TOLD
    }
    check_alike(
        ranks,
        {
            "the version of sg2ada_colab": __version__,
            "the version of TensorFlow": VERSION,
            "the options": json.dumps(options, sort_keys=True, default=str),
            "the dataset": dataset.digest(),
        },
    )


def share_config(ranks: Ranks, config: TrainConfig, is_resumed: bool = False) -> Tuple[TrainConfig, bool]:
    """Return (the TrainConfig of the first process with this one's paths, whether the run goes on from a snapshot).

    Args:
        ranks: Ranks.
        config, is_resumed: Of this process.
    """
    if ranks.count == 1:
        return config, is_resumed
    text, is_resumed = json.loads(ranks.share(json.dumps([config.to_json(), is_resumed]).encode()).decode())
    given = TrainConfig.from_json(text)
    data = replace(given.data, path=config.data.path)
    return replace(given, data=data, metrics=replace(given.metrics, data_path=config.metrics.data_path)), is_resumed
