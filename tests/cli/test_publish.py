"""The verb `publish` as a person types it."""

import pytest

from sg2ada_colab.__main__ import main
from sg2ada_colab.formats.network_pickle import write_network_pickle
from tests.oracles.small_snapshots import small_snapshot

ANSWERS = ["--name=Flags", "--licence=cc0-1.0", "--data=366 flags", "--data-licence=public domain"]


def test_publish(tmp_path, capsys):
    pytest.importorskip("safetensors")
    write_network_pickle(str(tmp_path / "a.pkl"), small_snapshot())
    words = ["publish", "--network", str(tmp_path / "a.pkl"), "--no-xla", "--outdir", str(tmp_path / "out")]
    assert main(words + ANSWERS[:2]) == 1
    assert "The model card lacks answers: --data: " in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main(words + ANSWERS) == 0
    assert "Wrote README.md, network.pkl, network.safetensors, grid.png to" in capsys.readouterr().out
    assert main(words + ANSWERS) == 1
    assert "is there already" in capsys.readouterr().err
