"""Seeds, paths between latent vectors, pictures and videos that are saved, and the viewer by its models."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run_folders import add_grid, add_snapshots

from sg2ada_colab.colab import explore as explore_module
from sg2ada_colab.colab.explore import CAPTION_PX, Explorer, tile
from sg2ada_colab.colab.grid_view import LEAST_PX
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.generate.like import recipe_of
from sg2ada_colab.generate.pictures import Made
from sg2ada_colab.images.sheet import tile as square
from sg2ada_colab.storage.store import RunStore
from tests.oracles.forms import FORMS, picture_shape
from tests.oracles.small_snapshots import small_snapshot

DATA = Path(__file__).parents[1] / "data"


class FakeGenerator:
    """Images whose grey is the seed's, times psi."""

    class config:  # noqa: N801
        label_size = 0

    def expect(self, count):
        return self

    def labels(self, chosen, count=1):
        return np.zeros([count, 0], np.float32)

    def latents(self, seeds):
        return np.array([[seed, 1.0] for seed in seeds], np.float32)

    def map(self, z, labels=None, psi=1.0):
        return z * psi

    def pictures(self, w):
        return np.broadcast_to(w[:, :1, None, None], (len(w), 8, 8, 3)).astype(np.uint8)

    def images(self, seeds, class_=None, psi=1.0):
        return self.pictures(self.map(self.latents(seeds), None, psi))


@pytest.fixture
def explorer(tmp_path):
    here, drive = tmp_path / "here" / "00000-a", tmp_path / "drive" / "00000-a"
    add_snapshots(drive, [4, 8])
    add_snapshots(here, [8, 12])
    for folder, kimgs in ((drive, (0, 4)), (here, (8, 12))):
        for kimg in kimgs:
            add_grid(folder, f"fakes{kimg:06d}.png", seed=kimg)
    explorer = Explorer("00000-a", [str(here), str(drive)])
    explorer.generator = lambda snapshot=None: explorer._path(snapshot) and FakeGenerator()
    return explorer


def test_tile_fills_the_last_row_with_white():
    image = tile(np.zeros([3, 4, 4, 1], np.uint8), 2)
    assert image.size == (8, 8) and image.mode == "RGB"
    assert image.getpixel((1, 5)) == (0, 0, 0) and image.getpixel((5, 5)) == (255, 255, 255)
    assert tile(np.zeros([3, 4, 4, 3], np.uint8), 50).size == (12, 4)


def test_snapshots_of_machine_and_drive_the_nearest_first(explorer):
    found = explorer.snapshots()
    assert list(found) == ["12 kimg", "8 kimg", "4 kimg"]
    assert os.sep + "here" + os.sep in found["8 kimg"] and os.sep + "drive" + os.sep in found["4 kimg"]
    with pytest.raises(UserError, match="no snapshot '5 kimg'"):
        explorer.images("5 kimg")


def test_grids_and_comparisons(explorer):
    grid = explorer.grid(seeds="10,20,30,40", psi=0.5, columns=2)
    step = LEAST_PX // 2 + 4
    assert grid.size == (2 * step + 4, 2 * (step + CAPTION_PX) + 4), "small pictures are enlarged, with room for their seeds"
    assert grid.getpixel((step + 10, step + CAPTION_PX + 10)) == (20, 20, 20)
    assert 2 * LEAST_PX < explorer.compare("12 kimg", None, "10", 1.0, 1).width < 2 * LEAST_PX + 60


def test_a_seed_stands_below_its_picture(explorer):
    """Two grids of the same grey whose seeds differ in one digit differ in that seed's caption alone."""
    one, other = (np.asarray(explorer.grid(seeds=f"300,{seed}", psi=0.0, columns=2)) for seed in (3001, 3002))
    rows, columns = np.nonzero((one != other).any(axis=2))
    assert len(rows) and rows.min() > LEAST_PX // 2 and columns.min() > LEAST_PX // 2


def test_history_spans_sessions(explorer):
    assert [title for title, _ in explorer.history()] == ["0 kimg", "4 kimg", "8 kimg", "12 kimg"]


def test_pictures_and_videos_go_to_drive_and_replace_nothing(explorer):
    grid = explorer.grid(seeds="10", columns=1)
    paths = [explorer.save(grid, "my/../name") for _ in range(2)]
    assert len(set(paths)) == 2 and all(os.path.dirname(path) == os.path.join(explorer.folders[1], "pictures") for path in paths)
    assert Image.open(paths[0]).size == grid.size
    video = explorer.save_video(explorer.walk(seeds="1,200", frames=6), "walk")
    history = explorer.save_video(explorer.history(), "history")
    assert os.path.getsize(video) > 100 and os.path.getsize(history) > 1000


def test_a_walk_is_closed(explorer):
    images = [np.asarray(image)[0, 0, 0] for _, image in explorer.walk(seeds="0,100", psi=1.0, frames=20)]
    assert images[0] == 0 and images[10] == 100 and abs(int(images[-1]) - int(images[0])) < 40


@pytest.fixture
def viewer(explorer, monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: None)
    from sg2ada_colab.colab.viewer import Viewer

    return Viewer(explorer)


def test_viewer_shows_what_is_chosen(viewer):
    assert viewer.snapshot.value == "12 kimg" and "00000-a" in viewer.name.value
    assert 'alt="fakes of 00000-a at 12 kimg, seeds 0-15, truncation 0.7"' in viewer.out.value
    viewer.psi.value = 1.0
    viewer.seeds.value = "3-6"
    assert "seeds 3-6, truncation 1.0" in viewer.out.value
    viewer.other.value = "4 kimg"
    assert "12 kimg beside 4 kimg" in viewer.out.value


def test_viewer_tells_what_is_wrong_in_words(viewer):
    before = viewer.out.value
    viewer.seeds.value = "all"
    assert "is not a list of seeds" in viewer.status.value and "⚠" in viewer.status.value and viewer.out.value == before


def test_viewers_buttons(viewer, explorer, monkeypatch):
    monkeypatch.setattr("sg2ada_colab.colab.viewer.HISTORY_S", 0)
    monkeypatch.setattr(explore_module, "FRAMES_OF_A_WALK", 4)
    viewer.new_seeds.click()
    assert viewer.seeds.value == "16-31"
    viewer.play.click()
    assert "4 pictures, from 0 kimg to 12 kimg" in viewer.status.value
    viewer.seeds.value = "1-2"
    for button in (viewer.save_png, viewer.save_history):
        button.click()
        assert "Saved: " in viewer.status.value, viewer.status.value
    add_snapshots(Path(explorer.folders[0]), [16])
    viewer.refresh_list.click()
    assert viewer.snapshot.options[0] == "16 kimg" and len(viewer.snapshot.options) == 4
    assert viewer.snapshot.value == "12 kimg"


@pytest.mark.parametrize("suffix, tag", [(".mp4", "<video src="), (".webp", "<img src="), (".gif", "<img src=")])
def test_saved_animations_are_shown_where_they_are_small(viewer, explorer, monkeypatch, suffix, tag):
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setattr(explore_module, "video_suffix", lambda: suffix)
    viewer.seeds.value = "1-2"
    viewer.save_video.click()
    assert "walk-12-kimg" + suffix in viewer.status.value, viewer.status.value
    assert tag + '"data:' in viewer.video.value and "a walk through the seeds 1-2" in viewer.video.value
    assert "seeds 1-2, truncation" in viewer.out.value, "the pictures stay"
    monkeypatch.setattr("sg2ada_colab.colab.html.MOST_ANIMATION_BYTES", 10)
    viewer.save_history.click()
    assert "history" + suffix in viewer.status.value and viewer.video.value == "", "too large to lie in a notebook"


def test_a_saved_video_is_named_where_nothing_can_be_shown(explorer, capsys):
    path = explorer.save_video(explorer.walk(seeds="1,200", frames=4), "walk")
    explorer.show_video(path)
    assert capsys.readouterr().out == f"Saved: {path}\n"


def test_two_snapshots_are_kept_and_share_one_program(tmp_path):
    run = tmp_path / "00000-a"
    run.mkdir()
    paths = [str(run / f"network-snapshot-{kimg:06d}.pkl") for kimg in (4, 8, 12)]
    for path in paths:
        shutil.copyfile(str(DATA / "network_tf_cond.pkl"), path)
    explorer = Explorer("00000-a", [str(run)])
    images = explorer.images(seeds="0-6", psi=0.5)
    assert images.shape == (7, 32, 32, 3) and (images[0] != images[6]).any(), "six classes, one after the other"
    np.testing.assert_array_equal(images[1], explorer.generator().images([1], 1, 0.5)[0])
    first = explorer.generator(paths[0])
    assert explorer.generator("4 kimg") is first
    explorer.generator("8 kimg")
    assert len(explorer._generators) == 2
    assert [np.shape(image) for _, image in explorer.walk(seeds="0-1", frames=2)] == [(32, 32, 3)] * 2


@pytest.fixture
def labelled(tmp_path):
    """An Explorer of a run with six classes."""
    run = tmp_path / "00001-b"
    run.mkdir()
    shutil.copyfile(str(DATA / "network_tf_cond.pkl"), str(run / "network-snapshot-000004.pkl"))
    return Explorer("00001-b", [str(run)], xla=False)


def test_a_file_for_each_seed_and_one_archive(labelled):
    archive = labelled.save_each(seeds="0-7", psi=0.5, pack=True)
    assert archive == os.path.join(labelled.pictures, "4-kimg-psi0.5.zip")
    with zipfile.ZipFile(archive) as opened:
        assert sorted(opened.namelist()) == [f"seed{seed:04d}.png" for seed in range(8)]
    folder = archive[: -len(".zip")]
    path = os.path.join(folder, "class1", "seed0007.png")
    np.testing.assert_array_equal(np.asarray(Image.open(path)), labelled.generator().images([7], 1, 0.5)[0])
    recipe, settings = recipe_of(path)
    assert recipe["seed"] == 7 and settings.class_ == 1 and settings.trunc == 0.5
    before = os.stat(path).st_mtime_ns
    labelled.save_each(seeds="0-8", psi=0.5)
    assert os.stat(path).st_mtime_ns == before and os.path.isfile(os.path.join(folder, "class2", "seed0008.png"))


def test_ten_thousand_seeds_are_taken_for_files_and_no_more(labelled, monkeypatch):
    asked = []
    monkeypatch.setattr(explore_module, "make_pictures", lambda *args: asked.extend(args[2]) or Made([], 0, 0))
    labelled.save_each(seeds="0-9999")
    assert len(asked) == 10000
    with pytest.raises(UserError, match="1 to 10000 whole numbers"):
        labelled.save_each(seeds="0-10000")


def test_snapshots_within_one_kimg_have_their_exact_kimg(tmp_path):
    run = tmp_path / "00002-c"
    store = RunStore(run)
    for nimg in (2100, 2600):
        store.write_snapshot_async(2, lambda file: file.write(b"x"), {"a": np.zeros(3)}, {"nimg": nimg})
        store.wait()
    add_snapshots(run, [4])
    (run / "network-snapshot-000005.pkl").write_bytes(b"x")
    (run / "network-snapshot-000005-1.pkl").write_bytes(b"x")
    titles = list(Explorer("00002-c", [str(run)]).snapshots())
    assert titles == ["5 kimg, snapshot 2", "5 kimg, snapshot 1", "4 kimg", "2.6 kimg", "2.1 kimg"]


def test_a_network_that_is_no_run(tmp_path, monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: None)
    from sg2ada_colab.colab.viewer import Viewer

    explorer = Explorer("friend.pkl", path=str(DATA / "network_pt_uncond.pkl"), pictures=tmp_path / "pictures", xla=False)
    assert list(explorer.snapshots()) == ["friend.pkl"] and explorer.history() == []
    viewer = Viewer(explorer)
    assert "fakes of friend.pkl, seeds 0-15" in viewer.out.value and viewer.play not in shown_widgets(viewer.box)
    viewer.seeds.value = "3-5"
    viewer.save_each.click()
    assert "3 pictures in" in viewer.status.value
    assert len(list((tmp_path / "pictures" / "friend.pkl-psi0.7").glob("seed000*.png"))) == 3


@pytest.mark.parametrize("form", ["tall", "wide rgba"])
def test_networks_of_every_form(form, tmp_path, monkeypatch):
    monkeypatch.setattr(explore_module, "video_suffix", lambda: ".webp")
    write_network_pickle(str(tmp_path / "a.pkl"), small_snapshot(**FORMS[form]))
    explorer = Explorer("a.pkl", path=str(tmp_path / "a.pkl"), pictures=tmp_path / "pictures", xla=False)
    height, width, channels = picture_shape(form)
    assert explorer.images(seeds="0-2").shape == (3, height, width, channels)
    pixels, grid = explorer.images(seeds="3", psi=1.0), np.asarray(explorer.grid(seeds="3", psi=1.0, columns=1))
    cell = np.asarray(square(pixels[0], 24 * (-(-LEAST_PX // 24))))
    top, left = (grid.shape[0] - CAPTION_PX - cell.shape[0]) // 2, (grid.shape[1] - cell.shape[1]) // 2
    np.testing.assert_array_equal(grid[top : top + cell.shape[0], left : left + cell.shape[1]], cell)
    frames = [image for _, image in explorer.walk(seeds="0-3", frames=3, columns=2)]
    assert [frame.size for frame in frames] == [(width, height)] * 3 and frames[0].mode == "RGB"
    with Image.open(explorer.save_video(explorer.walk(seeds="0-1", frames=2), "walk")) as video:
        assert video.width * height == video.height * width
    folder = explorer.save_each(seeds="5")
    with Image.open(os.path.join(folder, "seed0005.png")) as image:
        assert image.size == (width, height) and len(image.getbands()) == channels


def shown_widgets(box):
    return [box] + [one for child in getattr(box, "children", ()) for one in shown_widgets(child)]
