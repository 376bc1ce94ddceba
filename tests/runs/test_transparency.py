"""Sprites from the folder to the resumed run: prepared, read, trained, saved, opened, made pictures and videos with."""

import glob

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.dataset.classic.packing import pack, unpack
from sg2ada_colab.dataset.classic.torch_format import export
from sg2ada_colab.dataset.difference import differences
from sg2ada_colab.dataset.display import sheet
from sg2ada_colab.dataset.manifest import read_manifest
from sg2ada_colab.dataset.sources import open_any_source
from sg2ada_colab.dataset.tools import compare, extract, info, verify
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.pictures import make_class_sheet, make_grid, make_pictures, seed_jobs
from sg2ada_colab.generate.settings import PictureSettings
from sg2ada_colab.generate.style_mixing import mix_styles
from sg2ada_colab.images.fit import FitOptions
from sg2ada_colab.images.transparency import CHECKER_GREYS
from sg2ada_colab.runs.start import start
from sg2ada_colab.runs.transfer import planned_start
from tests.oracles.small_snapshots import small_snapshot
from tests.oracles.sprites import write_sprites

from .test_resume import StopAfter, assert_equal_runs

SIZES = {"square": 16, "wide": (16, 24)}


@pytest.fixture(scope="module")
def sprites(tmp_path_factory):
    return write_sprites(tmp_path_factory.mktemp("sprites"), 40)


@pytest.fixture(scope="module", params=["wide", pytest.param("square", marks=pytest.mark.once)])
def dataset(request, sprites, tmp_path_factory):
    path = tmp_path_factory.mktemp("sets") / "sprites"
    options = PrepareOptions(resolution=SIZES[request.param], alpha="keep", fit=FitOptions("pad"), workers=1)
    assert prepare(sprites, path, options, progress=False).channels == 4
    return str(path)


def config_of(dataset, **options):
    defaults = {
        "outdir": "runs", "data": dataset, "kimg": 1, "batch": 16, "cbase": 64, "cmax": 8, "tick": 0.25, "snap": 1,
        "metrics": [], "no_xla": True, "img_snap": 100, "mirror": True, "augpipe": "color",
    }  # fmt: skip
    return resolve(TrainOptions(**dict(defaults, **options)), DatasetInfo.open(dataset))


def test_a_set_has_alpha_in_every_level_and_no_invisible_colour(dataset, tmp_path):
    data = open_dataset(dataset)
    assert data.channels == 4 and info(dataset)["channels"] == "4 (RGBA)"
    for level in (16, 8, 4):
        images = open_dataset(dataset, level).read(np.arange(40))
        assert images.shape[3] == 4 and images[..., 1].max() <= 8, "green is nowhere but under the zero alpha of the files"
        assert images[..., 3].min() == 0 and images[..., 3].max() > 200
    assert verify(dataset, progress=False).problems == []
    for page in (sheet(dataset), sheet(dataset, 3, 1)):
        assert page.mode == "RGB" and set(CHECKER_GREYS) < set(np.unique(np.asarray(page)))
    assert extract(dataset, tmp_path / "files", progress=False) == 40
    with Image.open(str(tmp_path / "files" / "img00000007.png")) as image:
        np.testing.assert_array_equal(np.asarray(image), data.read([7])[0])


def test_there_and_back_in_other_forms(dataset, tmp_path):
    export(dataset, tmp_path / "torch.zip", progress=False)
    options = PrepareOptions(resolution=open_dataset(dataset).size, alpha="keep", shuffle=False, workers=1)
    for source, name in ((tmp_path / "torch.zip", "a"), (dataset, "b")):
        prepare(source, tmp_path / name, options, progress=False)
        assert compare(dataset, tmp_path / name, progress=False).equal
    assert open_dataset(tmp_path / "torch.zip").channels == 3  # as long as nobody asks for more, which is said
    assert any("FOLDER --alpha keep" in note for note in config_of(str(tmp_path / "torch.zip")).notes)
    assert "--alpha keep" in info(tmp_path / "torch.zip")["transparency"] and "transparency" not in info(dataset)
    unpack(dataset, tmp_path / "unpacked", progress=False)
    pack(tmp_path / "unpacked", tmp_path / "packed", progress=False)
    assert compare(dataset, tmp_path / "packed", progress=False).equal


def test_what_is_asked_for_and_what_is_left_as_it_was(sprites, tmp_path):
    flat = prepare(sprites, tmp_path / "flat", PrepareOptions(resolution=16, workers=1), progress=False)
    assert flat.channels == 3 and flat.notes == [] and (open_dataset(flat.path).read([0])[0, 0, 0] == 255).all()
    source = open_any_source(sprites)
    asked = PrepareOptions(resolution=16, alpha="keep")
    written = read_manifest(flat.path)
    older = dict(written, options={name: value for name, value in written["options"].items() if name != "alpha"})
    for manifest in (written, older):
        assert [str(one) for one in differences(manifest, source, asked)] == ["alpha: flatten before, keep now"]
        assert differences(manifest, source, PrepareOptions(resolution=16)) == []
    with pytest.raises(UserError) as caught:
        PrepareOptions(color="grey", alpha="keep").check()
    assert "no networks for grey images with transparency" in caught.value.what and "--alpha keep" in caught.value.next_step


def test_a_set_that_mixes_says_how_many_are_opaque(sprites, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    write_sprites(folder, 3)
    Image.new("RGB", (64, 64), "red").save(str(folder / "x.jpg"))
    Image.new("L", (64, 64), 7).save(str(folder / "y.png"))
    result = prepare(folder, tmp_path / "a", PrepareOptions(alpha="keep", shuffle=False, workers=1), progress=False)
    assert result.channels == 4 and result.notes == ["2 of 5 images have no transparency: they are opaque everywhere."]
    images = open_dataset(result.path).read([3, 4])
    assert (images[..., 3] == 255).all() and (images[1, ..., :3] == 7).all()
    for path in folder.glob("0*.png"):
        path.unlink()
    note = prepare(folder, tmp_path / "b", PrepareOptions(alpha="keep", workers=1), progress=False).notes[0]
    assert note.startswith("No image is transparent anywhere")


@pytest.mark.usefixtures("kept_programs")
def test_a_killed_run_goes_on_exactly_and_its_network_makes_rgba(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = config_of(dataset, aug="fixed", p=0.5)
    assert config.channels == 4
    assert start(config, "whole", quiet=True) == 0
    assert start(config, "halves", quiet=True, extra_callbacks=[StopAfter(3)]) == 130
    assert start(config, "halves", resume=True, quiet=True) == 0
    assert_equal_runs("whole", "halves")
    with Image.open("whole/reals.png") as grid:
        assert grid.mode == "RGB"
        corner = np.asarray(grid)[:2, :2]
    assert (corner == CHECKER_GREYS[0]).all(), "reals are transparent in their corners, and shown on a checkerboard"
    snapshot = read_snapshot(sorted(glob.glob("whole/network-snapshot-*.pkl"))[-1])
    assert snapshot.Gs.num_channels == snapshot.D.num_channels == 4
    assert TrainedGenerator(snapshot.Gs).images([1, 2]).shape == (2,) + open_dataset(dataset).read([0]).shape[1:]


# Pictures.


@pytest.fixture(scope="module")
def generator():
    return TrainedGenerator(small_snapshot(num_channels=4).Gs, xla=False, title="sprites")


def test_pictures_are_rgba_files_and_jpeg_is_refused(generator, tmp_path):
    settings = PictureSettings()
    made = make_pictures(generator, settings, seed_jobs(generator, settings, range(3)), tmp_path / "out")
    images = generator.images(range(3))
    for path, expected in zip(made.paths, images):
        with Image.open(path) as image:
            assert image.mode == "RGBA"
            np.testing.assert_array_equal(np.asarray(image), expected)
    with Image.open(make_grid(generator, settings, made, tmp_path / "out", "2x2")) as grid:
        assert grid.mode == "RGBA" and (np.asarray(grid)[16:, 16:, 3] == 0).all()
        np.testing.assert_array_equal(np.asarray(grid)[:16, 16:], images[1])
    with pytest.raises(UserError, match="JPEG has no transparency"):
        make_pictures(generator, settings, seed_jobs(generator, settings, range(3)), tmp_path / "jpg", "jpg")


def test_tables_of_mixed_styles(generator, tmp_path):
    _, path = mix_styles(generator, PictureSettings(), [1, 2], [3], [0, 1], tmp_path)
    with Image.open(path) as grid:
        pixels = np.asarray(grid)
    assert pixels.shape == (48, 32, 4) and (pixels[:16, :16, 3] == 0).all()
    np.testing.assert_array_equal(pixels[:16, 16:], generator.images([3])[0])


def test_sheets_and_frames_for_people_are_over_a_checkerboard(tmp_path):
    from sg2ada_colab.images.transparency import over_checkerboard
    from sg2ada_colab.previews.animate import _of_one_size
    from sg2ada_colab.previews.compare import side_by_side
    from sg2ada_colab.previews.grid import make_grid as tiled

    generator = TrainedGenerator(small_snapshot(num_channels=4, label_size=2).Gs, xla=False, title="sprites")
    with Image.open(make_class_sheet(generator, PictureSettings(), [0], tmp_path)) as page:
        assert page.mode == "RGB"
        seen = np.asarray(page)[:16, 36:]
    picture = generator.pictures(generator.w([0], 0), "const", [0])
    np.testing.assert_array_equal(seen, over_checkerboard(picture)[0])
    images = np.concatenate([picture, picture])
    np.testing.assert_array_equal(tiled(images, 0, 255, 2), np.concatenate(list(over_checkerboard(images)), axis=1))
    clear = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    for shown in [side_by_side([("a", clear)])] + list(_of_one_size([(None, clear)], 64)):
        colours = np.asarray(shown).reshape(-1, 3)
        assert shown.mode == "RGB" and not ((colours[:, 1] > 200) & (colours[:, 0] < 100)).any()


# Starts from networks with other channels.


def test_a_start_from_rgb_names_the_way_and_the_way_leads_there(dataset, tmp_path):
    size = open_dataset(dataset).size
    start_res = (4, 4) if isinstance(size, int) else (4, 6)
    rgb, rgba = str(tmp_path / "rgb.pkl"), str(tmp_path / "rgba.pkl")
    write_network_pickle(rgb, small_snapshot(init_res=start_res))
    with pytest.raises(UserError) as caught:
        planned_start(config_of(dataset, resume=rgb))
    assert "Image channels: the snapshot has 3, this run wants 4" in caught.value.what
    assert "sg2ada convert NETWORK NEW.pkl --alpha" in caught.value.what
    partial = planned_start(config_of(dataset, resume=rgb, resume_partial=True, cbase=None, cmax=None))
    assert "Transparency, the fourth channel, begins opaque." in partial.notes
    assert not any(note.startswith("Begin anew") for note in partial.notes)

    from sg2ada_colab.formats.convert import convert

    convert(rgb, rgba, alpha=True)
    assert planned_start(config_of(dataset, resume=rgba)).channels == 4


@pytest.mark.parametrize(
    "channels, words, flag", [(4, "has no transparency", "with `--alpha"), (3, "has transparency", "without `--alpha")]
)
def test_metric_data_of_other_channels_are_refused_before_anything_starts(channels, words, flag):
    data, other = DatasetInfo("d", "d", 64, channels, 0, 1000), DatasetInfo("m", "m", 64, 7 - channels, 0, 1000)
    assert resolve(TrainOptions(), data, data).channels == channels
    with pytest.raises(UserError) as caught:
        resolve(TrainOptions(), data, other)
    assert words in caught.value.what and flag in caught.value.next_step


def test_a_start_from_rgba_on_rgb_data_names_both_ways(sprites, tmp_path):
    path = prepare(sprites, tmp_path / "flat", PrepareOptions(resolution=16, workers=1), progress=False).path
    rgba = str(tmp_path / "rgba.pkl")
    write_network_pickle(rgba, small_snapshot(num_channels=4))
    with pytest.raises(UserError) as caught:
        planned_start(config_of(path, resume=rgba))
    assert "`--alpha keep`" in caught.value.what and "--no-alpha" in caught.value.what
