"""Make the fake Drive importable, whose program and handle lie with the soak tests; let no network pickle be read."""

import sys
from pathlib import Path

import pytest

from sg2ada_colab.storage import check_files

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "soak")]


@pytest.fixture(autouse=True)
def no_pickle_is_read(monkeypatch):
    """A manifest or the training state vouches for every pickle of these tests."""

    def refuse(path):
        raise AssertionError(f"{path} was read although its digest is known")

    monkeypatch.setattr(check_files, "read_network_pickle", refuse)
