"""Packaging of sg2ada_colab."""
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "sg2ada_colab" / "__init__.py").read_text()).group(1)

setup(
    name="sg2ada_colab",
    version=VERSION,
    description="Train StyleGAN2-ADA on your own images in Google Colab",
    license="MIT",
    packages=find_packages(include=["sg2ada_colab", "sg2ada_colab.*"]),
    python_requires=">=3.7",
    entry_points={"console_scripts": ["sg2ada = sg2ada_colab.__main__:main"]},
)
