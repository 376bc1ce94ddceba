import argparse
import shutil

import pytest

from sg2ada_colab.cli import snapshots
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from tests.conftest import DATA
from tests.oracles.small_snapshots import small_snapshot

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
    with pytest.raises(UserError, match="There is no network"):
        run("inspect", str(tmp_path / "missing.pkl"))
    assert run("inspect", SOURCE, str(tmp_path / "missing.pkl"), SOURCE) == 1
    text = capsys.readouterr().out
    assert text.count("PyTorch pickle") == 2 and "There is no network" in text


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


def test_a_rectangle_is_converted_and_said_to_be_for_tensorflow_only(capsys, tmp_path):
    with open(str(tmp_path / "wide.pkl"), "wb") as file:
        write_network_pickle(file, small_snapshot(init_res=(4, 6)))
    assert run("convert", str(tmp_path / "wide.pkl"), str(tmp_path / "copy.pkl")) == 0
    assert "The network is not square: stylegan2-ada opens it with the code inside" in capsys.readouterr().out
    assert read_snapshot(tmp_path / "copy.pkl").Gs.kwargs["init_res"] == [4, 6]
    capsys.readouterr()
    assert run("convert", str(tmp_path / "wide.pkl"), str(tmp_path / "torch.pkl"), "--pytorch") == 0
    assert "make pictures with it by the code inside; they train squares only" in capsys.readouterr().out
    assert read_snapshot(tmp_path / "torch.pkl").source == "pytorch"
    with pytest.raises(UserError, match="--pytorch cannot write .*x.pt"):
        run("convert", str(tmp_path / "wide.pkl"), str(tmp_path / "x.pt"), "--pytorch")
    with pytest.raises(UserError, match="begins at 6x4 pixels"):
        run("convert", str(tmp_path / "wide.pkl"), str(tmp_path / "wide.pt"))
    assert run("convert", str(tmp_path / "copy.pkl"), str(tmp_path / "square.safetensors")) == 0
    assert read_snapshot(tmp_path / "square.safetensors").Gs.config.init_res == (4, 6)


def test_export(capsys, tmp_path):
    assert run("export", SOURCE, str(tmp_path / "n.safetensors")) == 0
    assert read_snapshot(tmp_path / "n.safetensors").source == "safetensors"
    with pytest.raises(UserError, match="sg2ada convert"):
        run("export", SOURCE, str(tmp_path / "n.pkl"))
    with pytest.raises(UserError, match="exists already"):
        run("export", SOURCE, str(tmp_path), "--force")
    with pytest.raises(UserError, match="holds weights, which truncation does not change"):
        run("export", SOURCE, str(tmp_path / "m.safetensors"), "--trunc=0.5")
    with pytest.raises(UserError, match="The truncation is nan"):
        run("export", SOURCE, str(tmp_path / "m.onnx"), "--trunc=nan")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.safetensors"]


def test_runs_and_the_network_that_ships_are_names(capsys, tmp_path, monkeypatch):
    results = tmp_path / "results"
    for kimg, name in ((4, "network_tf_uncond.pkl"), (12, "network_pt_cond.pkl")):
        (results / "00003-cats").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(DATA / name), str(results / "00003-cats" / f"network-snapshot-{kimg:06d}.pkl"))
    (results / "00003-cats" / "network-snapshot-000016.pkl").write_bytes(b"")
    monkeypatch.setattr("sg2ada_colab.colab.session.results_folders", lambda: [str(results)])
    for name in ("3", "00003-cats", str(results / "00003-cats")):
        assert run("inspect", name, "--no-layers") == 0
        text = capsys.readouterr().out
        assert "network-snapshot-000012.pkl" in text and "Note: Passed over" in text
    assert run("convert", "3", str(tmp_path / "n.safetensors")) == 0
    assert read_snapshot(tmp_path / "n.safetensors").Gs.label_size == read_snapshot(SOURCE).Gs.label_size
    assert run("export", "flags", str(tmp_path / "f.safetensors")) == 0
    with pytest.raises(UserError, match="There is no run '9'"):
        run("export", "9", str(tmp_path / "x.onnx"))


def test_convert_for_images_with_transparency_and_of_another_shape(capsys, tmp_path):
    rgb = str(tmp_path / "rgb.pkl")
    with open(rgb, "wb") as file:
        write_network_pickle(file, small_snapshot())
    assert run("convert", rgb, str(tmp_path / "rgba.pkl"), "--alpha", "--resolution", "24x16") == 0
    text = capsys.readouterr().out
    assert "New, to be trained: G synthesis/noise, G synthesis/4x4/Const, D 4x4/Dense0." in text
    assert "alpha, begins opaque" in text and "train there with --augpipe=bg" in text
    network = read_snapshot(tmp_path / "rgba.pkl").Gs
    assert (network.num_channels, network.width, network.height) == (4, 24, 16)
    assert run("convert", str(tmp_path / "rgba.pkl"), str(tmp_path / "back.pkl"), "--no-alpha") == 0
    assert "Alpha is gone" in capsys.readouterr().out and read_snapshot(tmp_path / "back.pkl").Gs.num_channels == 3
    with pytest.raises(UserError, match="4 channels of colour"):
        run("convert", str(tmp_path / "rgba.pkl"), str(tmp_path / "rgba.pt"))
    with pytest.raises(UserError, match="'768by512' is not a size"):
        run("convert", rgb, str(tmp_path / "x.pkl"), "--resolution", "768by512")
