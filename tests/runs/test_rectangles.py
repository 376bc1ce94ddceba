"""A rectangle from the folder of pictures to the resumed run: prepared, read, trained, saved, opened, made pictures with."""

import glob
import os

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.cli.prepare import _size
from sg2ada_colab.config.estimate import estimate
from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo, TrainConfig
from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.dataset.classic.packing import pack, unpack
from sg2ada_colab.dataset.classic.torch_format import export
from sg2ada_colab.dataset.display import sheet
from sg2ada_colab.dataset.tools import compare, extract, info, verify
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.images.fit import FitOptions
from sg2ada_colab.runs.start import start

from .test_resume import StopAfter, assert_equal_runs

WIDE, TALL = (16, 24), (24, 16)  # height and width: R 16, [4, 6] and [6, 4]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return a folder of 40 landscapes of 60x40 px, each with a bright left edge."""
    folder, random = tmp_path_factory.mktemp("wide"), np.random.RandomState(3)
    for number in range(40):
        image = random.randint(0, 100, [40, 60, 3])
        image[:, :20] += 120
        Image.fromarray(image.astype(np.uint8)).save(str(folder / f"{number:02d}.png"))
    return folder


@pytest.fixture(scope="module", params=[WIDE, TALL], ids=["wide", "tall"])
def dataset(request, pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("sets") / "pictures"
    prepare(str(pictures), str(path), PrepareOptions(resolution=request.param, workers=1), progress=False)
    return str(path)


def config_of(dataset, **options):
    defaults = {
        "outdir": "runs", "data": dataset, "kimg": 1, "batch": 16, "cbase": 64, "cmax": 8, "tick": 0.25, "snap": 1,
        "metrics": [], "no_xla": True, "img_snap": 100, "mirror": True, "augpipe": "blit",
    }  # fmt: skip
    return resolve(TrainOptions(**dict(defaults, **options)), DatasetInfo.open(dataset))


def test_the_levels_are_halves_down_to_the_begin_of_the_network(dataset):
    data = open_dataset(dataset)
    full = height, width = data.size
    assert (data.height, data.width, data.resolution) == full + (16,) and full in (WIDE, TALL)
    assert [os.path.basename(path) for path in sorted(glob.glob(dataset + "/*.tfrecords"))] == [
        "pictures-r02.tfrecords", "pictures-r03.tfrecords", "pictures-r04.tfrecords"]  # fmt: skip
    images = data.read(np.arange(40))
    assert images.shape == (40, *full, 3)
    bright = 7 if full == WIDE else 1  # the left edge is left; a tall picture has its end alone
    assert images[:, :, :bright].mean() > images[:, :, bright + 2 :].mean() + 80
    for level in (8, 4):
        factor = 16 // level
        height, width = (side // factor for side in full)
        smaller = open_dataset(dataset, level).read(np.arange(40))
        assert smaller.shape == (40, height, width, 3)
        means = images.reshape(40, height, factor, width, factor, 3).astype(np.float64).mean(axis=(2, 4))
        assert np.abs(smaller - means).max() <= 0.5
    assert verify(dataset, progress=False).problems == []
    assert info(dataset)["resolution"] == ("24x16" if full == WIDE else "16x24")


def test_there_and_back_in_other_forms(dataset, tmp_path):
    data = open_dataset(dataset)
    export(dataset, tmp_path / "torch.zip", progress=False)
    for source, name in ((tmp_path / "torch.zip", "a"), (dataset, "b")):
        prepare(source, tmp_path / name, PrepareOptions(resolution=data.size, shuffle=False, workers=1), progress=False)
        assert compare(dataset, tmp_path / name, progress=False).equal
    unpack(dataset, tmp_path / "unpacked", progress=False)
    pack(tmp_path / "unpacked", tmp_path / "packed", progress=False)
    assert compare(dataset, tmp_path / "packed", progress=False).equal
    assert extract(dataset, tmp_path / "files", progress=False) == 40
    with Image.open(str(tmp_path / "files" / "img00000007.png")) as image:
        np.testing.assert_array_equal(np.asarray(image), data.read([7])[0])
    page = sheet(dataset, 4)
    assert page.mode == "RGB" and compare(dataset, tmp_path / "torch.zip", progress=False).equal


@pytest.mark.parametrize("mode", ["crop", "pad", "stretch"])
def test_ways_to_fit_a_picture_of_another_shape(mode, tmp_path):
    (tmp_path / "in").mkdir()
    picture = np.zeros([90, 60, 3], np.uint8)
    picture[25:65] = 200  # the middle 40 rows: what a wide crop keeps
    Image.fromarray(picture).save(str(tmp_path / "in" / "a.png"))
    options = PrepareOptions(resolution=WIDE, fit=FitOptions(mode), background=(9, 9, 9), workers=1)
    prepare(str(tmp_path / "in"), str(tmp_path / "out"), options, progress=False)
    image = open_dataset(tmp_path / "out").read([0])[0]
    if mode == "crop":
        assert image.min() > 180
    elif mode == "pad":
        assert (image[:, :6] == 9).all() and (image[:, -6:] == 9).all() and image[8, 12].min() > 180
    else:
        assert image[8].min() > 180 and image[0].max() < 20 and image[-1].max() < 20


def test_sizes_and_ways_that_cannot_be_are_refused(pictures, tmp_path):
    def attempt(**options):
        with pytest.raises(UserError) as caught:
            prepare(str(pictures), str(tmp_path / "x"), PrepareOptions(workers=1, **options), progress=False)
        return caught.value

    error = attempt(resolution=(1080, 1920))
    assert "no network for images of 1920x1080 pixels (width x height)" in error.what and "1920x1024" in error.expected
    error = attempt(resolution=WIDE, fit=FitOptions("tiles"))
    assert "--fit tiles cuts squares, and --resolution 24x16 is a rectangle" in error.what and "crop" in error.expected
    assert "60 x 40 is too small for 96x64 pixels" in attempt(resolution=(64, 96)).what
    assert (_size("512"), _size("768x512"), _size("512x512")) == (512, (512, 768), 512)


def test_a_network_of_the_shape_has_the_channels_of_the_nearest_square(tmp_path):
    data = DatasetInfo("d", "d", 64, 3, 0, 1000, init_res=(9, 16))
    config = resolve(TrainOptions(), data)
    square = resolve(TrainOptions(), DatasetInfo("d", "d", 256, 3, 0, 1000))
    assert config.G["init_res"] == [9, 16] and config.G["resolution"] == 64
    assert config.G["fmap_base"] * 4 == square.G["fmap_base"]
    assert (config.losses.r1_gamma, config.schedule.minibatch_size) == (square.losses.r1_gamma, square.schedule.minibatch_size)
    assert config.size == (144, 256) and TrainConfig.from_json(config.to_json()) == config
    ratio = estimate(config).operations_per_kimg / estimate(square).operations_per_kimg
    assert ratio == pytest.approx(144 * 256 / 256**2, rel=0.1)
    with pytest.raises(UserError, match="--cmethod=auxrot is given, but the dataset has images of 256x144 pixels"):
        resolve(TrainOptions(cmethod="auxrot", aug="noaug"), data)
    with pytest.raises(UserError, match="metrics' dataset has images of 64x64 pixels, of another shape than the 256x144"):
        resolve(TrainOptions(), data, DatasetInfo("m", "m", 64, 3, 0, 1000))


@pytest.mark.once
@pytest.mark.parametrize("dataset", [WIDE], ids=["wide"], indirect=True)
@pytest.mark.usefixtures("kept_programs")
def test_a_killed_run_goes_on_exactly_and_its_network_makes_rectangles(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = config_of(dataset, aug="fixed", p=0.5)
    assert start(config, "whole", quiet=True) == 0
    assert start(config, "halves", quiet=True, extra_callbacks=[StopAfter(3)]) == 130
    assert start(config, "halves", resume=True, quiet=True) == 0
    assert_equal_runs("whole", "halves")
    for name, shape in (("reals.png", (32, 32)), ("fakes_init.png", (32, 32))):
        with Image.open(f"whole/{name}") as grid:
            assert grid.size == (24 * shape[0], 16 * shape[1])
    snapshot = read_snapshot(sorted(glob.glob("whole/network-snapshot-*.pkl"))[-1])
    assert snapshot.Gs.kwargs["init_res"] == [4, 6]
    generator = TrainedGenerator(snapshot.Gs)
    assert generator.images([1, 2]).shape == (2, 16, 24, 3)


def test_metrics_of_a_rectangle_see_the_complete_picture(dataset):
    from sg2ada_colab.metrics.evaluate import check_images, parse_metric

    data = open_dataset(dataset)
    specs = [parse_metric("kid50_efflite0")]
    check_images(specs, lambda count, start: np.zeros([count, *data.size, 3], np.uint8), data)
    with pytest.raises(UserError, match="the generator makes images of 16x16 px in RGB, the dataset holds (24x16|16x24) px"):
        check_images(specs, lambda count, start: np.zeros([count, 16, 16, 3], np.uint8), data)
