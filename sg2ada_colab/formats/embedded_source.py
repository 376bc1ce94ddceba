"""The Python source that our TensorFlow pickles carry: stylegan2-ada runs it to build the networks.

It is a text, tf1_networks.pysrc, not part of this program: it runs in a process with TensorFlow 1.14 and NVIDIA's dnnlib, needs
none of our modules, and is written from the papers (StyleGAN2; StyleGAN2-ADA). It computes in float32 throughout and on CPUs too;
the options about precision that the tools pass are accepted and change nothing.
"""

from pathlib import Path

FILE = Path(__file__).with_name("tf1_networks.pysrc")


def embedded_source() -> str:
    """Return the text for a pickle's `build_module_src`."""
    return FILE.read_text(encoding="utf-8")
