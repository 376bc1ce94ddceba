import argparse

import pytest

from sg2ada_colab.cli import snapshots
from sg2ada_colab.errors import UserError
from sg2ada_colab.snapshots.read import read_snapshot
from tests.conftest import DATA

SOURCE = str(DATA / "network_pt_cond.pkl")


def run(*words):
    parser = argparse.ArgumentParser(prog="sg2ada")
    snapshots.register(parser.add_subparsers())
    args = parser.parse_args(words)
    return args.run(args) or 0


def test_inspect(capsys, tmp_path):
    assert run("inspect", SOURCE, "--no-layers") == 0
    text = capsys.readouterr().out
    assert "PyTorch pickle" in text and "Variable of" not in text
    assert run("inspect", SOURCE) == 0
    assert "Variable of D" in capsys.readouterr().out
    with pytest.raises(UserError, match="no file"):
        run("inspect", str(tmp_path / "missing.pkl"))
    assert run("inspect", SOURCE, str(tmp_path / "missing.pkl"), SOURCE) == 1
    text = capsys.readouterr().out
    assert text.count("PyTorch pickle") == 2 and "There is no file" in text


def test_convert(capsys, tmp_path):
    assert run("convert", SOURCE, str(tmp_path / "n.pkl")) == 0
    text = capsys.readouterr().out
    assert "Note: D has 8 mapping layers" in text and "Wrote " in text
    assert read_snapshot(tmp_path / "n.pkl").source == "tensorflow"
    with pytest.raises(UserError, match="exists already"):
        run("convert", SOURCE, str(tmp_path / "n.pkl"))
    assert run("convert", SOURCE, str(tmp_path / "n.pkl"), "--force") == 0
    with pytest.raises(UserError, match="same file"):
        run("convert", str(tmp_path / "n.pkl"), str(tmp_path / "n.pkl"), "--force")
    with pytest.raises(UserError, match="no form|ends in"):
        run("convert", SOURCE, str(tmp_path / "n.txt"))


def test_export(capsys, tmp_path):
    assert run("export", SOURCE, str(tmp_path / "n.safetensors")) == 0
    assert read_snapshot(tmp_path / "n.safetensors").source == "safetensors"
    with pytest.raises(UserError, match="sg2ada convert"):
        run("export", SOURCE, str(tmp_path / "n.pkl"))
    with pytest.raises(UserError, match="exists already"):
        run("export", SOURCE, str(tmp_path), "--force")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.safetensors"]
