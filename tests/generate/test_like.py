"""A picture made again: its settings from its metadata, its network by digest."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.files import sha256_of
from sg2ada_colab.formats import download
from sg2ada_colab.generate.like import network_of, recipe_of
from sg2ada_colab.generate.picture_files import write_picture
from sg2ada_colab.generate.settings import PictureSettings
from sg2ada_colab.machine import CACHE_VARIABLE

DATA = Path(__file__).parents[1] / "data"
NETWORK = DATA / "network_tf_uncond.pkl"
RECIPE = {"verb": "generate", "network": sha256_of(NETWORK)[1], "settings": {"trunc": 0.5, "noise_mode": "tf"}, "seed": 7}


@pytest.fixture
def picture(tmp_path):
    def write(**changes):
        recipe = {key: value for key, value in dict(RECIPE, **changes).items() if value != "left out"}
        write_picture(tmp_path / "a.png", Image.new("RGB", (4, 4)), recipe)
        return tmp_path / "a.png"

    return write


def test_the_settings_and_the_seed(picture):
    recipe, settings = recipe_of(picture())
    assert recipe["seed"] == 7 and settings == PictureSettings(trunc=0.5, noise_mode="tf")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"settings": {"psi": 1}}, "is damaged: it has settings that are not known here"),
        ({"seed": -3}, "is damaged: its network or its seed is not one"),
        ({"network": None}, "is damaged"),
        ({"seed": "left out", "latents": "ab", "row": 0}, "was made from a file of w, not from one seed"),
        ({"seed": "left out", "grid": [2, 2]}, "was made from several pictures"),
    ],
)
def test_metadata_that_do_not_suffice(picture, changes, words):
    with pytest.raises(UserError, match=words):
        recipe_of(picture(**changes))


def test_other_pictures(tmp_path):
    Image.new("RGB", (4, 4)).save(str(tmp_path / "b.png"))
    with pytest.raises(UserError, match="b.png does not say how it was made") as error:
        recipe_of(tmp_path / "b.png")
    assert "messengers and editors remove metadata" in error.value.next_step
    with pytest.raises(UserError, match="c.png cannot be read: No such file"):
        recipe_of(tmp_path / "c.png")


def run_with(folder, manifest):
    folder.mkdir(parents=True)
    target = folder / "network-snapshot-000012.pkl"
    shutil.copyfile(str(NETWORK), str(target))
    if manifest:
        size, sha256 = sha256_of(target)
        files = {target.name: {"bytes": size, "sha256": sha256}}
        record = {"name": "000012", "kimg": 12, "nimg": 12000, "time": 0.0, "files": files}
        (folder / "manifest.json").write_text(json.dumps({"format_version": 1, "snapshots": [record], "best": {}}))
    return str(target)


@pytest.mark.parametrize("manifest", [True, False])
def test_the_network_is_found_in_the_runs(tmp_path, manifest, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    run_with(tmp_path / "results" / "00000-other", False)
    (tmp_path / "results" / "00000-other" / "network-snapshot-000012.pkl").write_bytes(b"other")
    path = run_with(tmp_path / "results" / "00001-cats", manifest)
    assert network_of(RECIPE, None, [tmp_path / "results"]).path == path


def test_the_network_is_found_where_it_ships_or_was_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(UserError, match="The network that made the picture was not found: SHA-256 " + RECIPE["network"]):
        network_of(RECIPE)
    monkeypatch.setattr(download, "SHIPPED", {"flags": str(tmp_path / "ships")})
    (tmp_path / "ships").mkdir()
    shutil.copyfile(str(NETWORK), str(tmp_path / "ships" / "flags.pkl"))
    assert network_of(RECIPE).path == str(tmp_path / "ships" / "flags.pkl")
    (tmp_path / "cache").mkdir()
    shutil.copyfile(str(NETWORK), str(tmp_path / "cache" / "a.pkl"))
    (tmp_path / "cache" / "a.pkl.sha256").write_text(RECIPE["network"] + "\n")
    assert network_of(RECIPE).path == str(tmp_path / "cache" / "a.pkl")


def test_a_named_network_has_to_be_the_one():
    assert network_of(RECIPE, str(NETWORK)).path == str(NETWORK)
    with pytest.raises(UserError, match="The picture was made with another network than network_tf_cond.pkl"):
        network_of(RECIPE, str(DATA / "network_tf_cond.pkl"))
