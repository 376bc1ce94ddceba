"""Train StyleGAN2-ADA on your own images in Google Colab, or anywhere else."""

from typing import Any, List

from .errors import UserError

__version__ = "0.1.0"
# What the notebooks call, by the module that has it; imported when asked for, and none of it imports TensorFlow.
_CALLS = {
    "setup": "session",
    "preview_dataset": "datasets",
    "prepare_dataset": "datasets",
    "preview_augment": "augment_sheet",
    "choose_images": "find_images",
    "crop_image": "hand_crop",
    "list_choices": "choices",
    "environment": "make_environment",
    "train": "calls",
    "evaluate": "evaluate",
    "nearest_images": "evaluate",
    "list_runs": "run_list",
    "explore": "explore",
    "tour": "tour",
    "measure_tour": "tour",
    "studio": "studio",
    "put_in": "photograph",
    "edit": "photograph",
    "morph": "photograph",
    "download": "download",
    "take_home": "take_home",
    "export": "take_home",
    "tensorboard": "tensorboard",
    "load": "load",
    "finish": "calls",
}
__all__ = ["UserError", "__version__"] + list(_CALLS)


def __getattr__(name: str) -> Any:
    if name in _CALLS:
        import importlib

        return getattr(importlib.import_module("sg2ada_colab.colab." + _CALLS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> List[str]:
    return sorted(list(globals()) + list(_CALLS))
