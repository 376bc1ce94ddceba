"""The Python sources that our pickles carry: stylegan2-ada, or a PyTorch program, runs them to build the networks.

They are texts, tf1_networks.pysrc and torch_networks.pysrc, not part of this program: they run in a process with TensorFlow 1.14
and NVIDIA's dnnlib, or with PyTorch, need none of our modules, and are written from the papers (StyleGAN2; StyleGAN2-ADA). They
compute in float32 throughout and on CPUs too; the options about precision that the tools pass are accepted and change nothing.
"""

import functools
from pathlib import Path

FILE, TORCH_FILE = (Path(__file__).with_name(name) for name in ("tf1_networks.pysrc", "torch_networks.pysrc"))


def embedded_source() -> str:
    """Return the text for a pickle's `build_module_src`."""
    return FILE.read_text(encoding="utf-8")


@functools.lru_cache(maxsize=1)
def torch_source() -> str:
    """Return the text for the `module_src` of a pickle in the form of the PyTorch programs."""
    return TORCH_FILE.read_text(encoding="utf-8")
