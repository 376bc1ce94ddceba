import json

import numpy as np
import pytest

from sg2ada_colab.formats.inspect import describe
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from tests.conftest import DATA
from tests.oracles.forms import FORMS, picture_shape
from tests.oracles.small_snapshots import small_snapshot


def test_what_a_pytorch_snapshot_is():
    path = DATA / "network_pt_cond.pkl"
    text = "\n".join(describe(read_snapshot(path), path))
    for words in (
        "network_pt_cond.pkl (289,272 bytes)",
        "PyTorch pickle",
        "32x32",
        "3 (RGB)",
        "5 (conditional)",
        "32, 32",
        "G skip, D resnet",
        "dataset.zip",
        "Note: D has 8 mapping layers",
        "mapping_lrmul = 0.01",
    ):
        assert words in text, words
    assert "Damage" not in text


def test_table_and_parameters():
    snapshot = small_snapshot(num_channels=1)
    snapshot.Gs.variables["synthesis/4x4/Conv/bias"] = np.full(6, -2, np.float32)
    lines = describe(snapshot)
    row = next(line for line in lines if line.startswith("synthesis/4x4/Conv/bias"))
    assert row.split() == ["synthesis/4x4/Conv/bias", "6", "6", "2"]
    row = next(line for line in lines if line.startswith("synthesis/4x4/Conv/noise_strength"))
    assert row.split()[1:3] == ["-", "1"]
    trained = sum(value.size for name, value in snapshot.Gs.variables.items()
                  if name != "dlatent_avg" and "/noise" not in name.replace("noise_strength", ""))  # fmt: skip
    assert any(f"G {trained:,}, D " in line for line in lines)
    assert "1 (grey)" in "\n".join(lines)
    assert len([line for line in lines if line.startswith("Variable of")]) == 2
    assert not any(line.startswith("Variable of") for line in describe(snapshot, layers=False))


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_pictures(form):
    height, width, channels = picture_shape(form)
    lines = {line.split("  ")[0]: line for line in describe(small_snapshot(**FORMS[form]), layers=False)}
    assert f"{width}x{height}" in lines["Resolution"] and ("width x height" in lines["Resolution"]) == (width != height)
    assert {3: "3 (RGB)", 4: "4 (RGBA)"}[channels] in "\n".join(lines.values())


def test_embedded_code_is_counted_not_run(tmp_path):
    write_network_pickle(tmp_path / "n.pkl", small_snapshot(), "raise SystemExit")
    assert "16 characters of Python, not run" in "\n".join(describe(read_snapshot(tmp_path / "n.pkl")))


def test_damage_is_seen():
    snapshot = small_snapshot()
    snapshot.D.variables["Output/bias"][0] = np.nan
    assert any(line.startswith("Damage") and "NaN" in line for line in describe(snapshot))


def test_training_options_beside_it(tmp_path):
    path = tmp_path / "network-snapshot-000100.pkl"
    write_network_pickle(path, small_snapshot())
    options = tmp_path / "training_options.json"
    snapshot = read_snapshot(path)
    assert not any("Trained with" in line for line in describe(snapshot, path))
    options.write_text(json.dumps({"total_kimg": 25000, "minibatch_size": 16, "train_dataset_args": {"path": "datasets/cats"}}))
    lines = describe(snapshot, path)
    assert "  total_kimg = 25000" in lines and '  dataset = "datasets/cats"' in lines
    for damaged in ("{", "[]", '{"train_dataset_args": 3}', '{"train_dataset_args": {"path": 3}}', "[" * 100_000, "\0" * 99):
        options.write_text(damaged)
        assert [line for line in describe(snapshot, path) if line.startswith(f"{options} is damaged (")], damaged[:40]
