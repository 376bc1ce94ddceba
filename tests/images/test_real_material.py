"""Real collections, whole: what no made file thinks of. Unpack the Debian packages named here (`apt-get download NAME`, then
`dpkg -x NAME*.deb FOLDER`), set SG2ADA_MATERIAL=FOLDER, and run `pytest -m slow`. Without them these tests are skipped."""

import os
from collections import Counter
from pathlib import Path

import pytest

from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.dataset.tools import verify
from sg2ada_colab.images.doctor import diagnose
from sg2ada_colab.images.find import open_source
from sg2ada_colab.images.fit import FitOptions

pytestmark = pytest.mark.slow


def material(package, path):
    folder = Path(os.environ.get("SG2ADA_MATERIAL", "/nonexistent")) / path
    if not folder.is_dir():
        pytest.skip(f"{package} is not unpacked under SG2ADA_MATERIAL")
    return folder


def prepared(folder, tmp_path, **options):
    result = prepare(folder, tmp_path / "set", PrepareOptions(**options), progress=False)
    assert verify(result.path, progress=False).problems == []
    assert open_dataset(result.path).num_images == result.num_images
    return result


def test_all_of_openclipart(tmp_path):
    folder = material("openclipart-png", "usr/share/openclipart/png")
    result = prepared(folder, tmp_path, resolution=64, fit=FitOptions("pad", upscale=True))
    kinds = Counter(kind for _, kind, _ in result.problems)
    assert kinds == {"bomb": 15}
    assert result.num_images == 6900 - 15
    assert result.ignored == {"link to a file already here": 1221}


def test_the_doctor_on_openclipart():
    report, _ = diagnose(open_source(material("openclipart-png", "usr/share/openclipart/png")))
    assert (report.files, report.good) == (6900, 6885)
    assert report.modes == {"RGBA": 3284, "P": 2730, "LA": 761, "RGB": 87, "L": 23}
    assert report.short_sides["2 .. 3"] == 3


def test_sprites_and_portraits_of_wesnoth(tmp_path):
    root = material("wesnoth-1.16-data", "usr/share/games/wesnoth/1.16")
    folder = root / "data" / "core" / "images"
    result = prepared(folder / "units", tmp_path / "units", resolution=64, background=(90, 110, 60))
    assert result.num_images > 5500
    assert {kind for _, kind, _ in result.problems} <= {"left out"}
    corner = open_dataset(result.path).read(range(200))[:, 0, 0]
    assert (corner == (90, 110, 60)).all(1).mean() > 0.9  # sprites are transparent at their corners
    result = prepared(folder / "portraits", tmp_path / "portraits", resolution=256)
    assert result.num_images > 200


def test_tiles_from_wallpapers(tmp_path):
    folder = material("plasma-workspace-wallpapers", "usr/share/wallpapers")
    result = prepared(folder, tmp_path, resolution=256, fit=FitOptions("tiles", tile_px=512), drop_duplicates="near")
    assert result.num_images > 500
    assert Counter(kind for _, kind, _ in result.problems)["repeated"] >= 20


def test_stamps_with_their_folders_as_classes(tmp_path):
    folder = material("tuxpaint-stamps-default", "usr/share/tuxpaint/stamps")
    result = prepared(folder, tmp_path, resolution=64, labels="folders", fit=FitOptions("pad", upscale=True))
    assert result.num_images > 750
    assert open_dataset(result.path).labels.sum(1).min() == 1


def test_emoji_out_of_their_package(tmp_path):
    """From npm: `npm pack emoji-datasource-google@16.0.0` in SG2ADA_MATERIAL."""
    package = Path(os.environ.get("SG2ADA_MATERIAL", "/nonexistent")) / "emoji-datasource-google-16.0.0.tgz"
    if not package.is_file():
        pytest.skip("emoji-datasource-google is not in SG2ADA_MATERIAL")
    result = prepared(package, tmp_path, resolution=64)
    assert (result.num_images, result.problems) == (3802, [])  # 16 of them are sheets of all
