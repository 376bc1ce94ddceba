"""Train StyleGAN2-ADA on your own images in Google Colab, or anywhere else."""

from .errors import UserError

__version__ = "0.1.0"
# What the notebooks call, by the module that has it; imported when asked for, and none of it imports TensorFlow.
_CALLS = {
    "setup": "session",
    "preview_dataset": "calls",
    "prepare_dataset": "calls",
    "preview_augment": "calls",
    "train": "calls",
    "evaluate": "evaluate",
    "explore": "explore",
    "finish": "calls",
}
__all__ = ["UserError", "__version__"] + list(_CALLS)


def __getattr__(name):
    if name in _CALLS:
        import importlib

        return getattr(importlib.import_module("sg2ada_colab.colab." + _CALLS[name]), name)
    raise AttributeError("module {!r} has no attribute {!r}".format(__name__, name))


def __dir__():
    return sorted(list(globals()) + list(_CALLS))
