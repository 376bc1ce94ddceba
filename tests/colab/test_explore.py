"""Seeds, paths between latent vectors, pictures and videos that are saved, and the viewer by its models."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run_folders import add_grid, add_snapshots

from sg2ada_colab.colab import explore as explore_module
from sg2ada_colab.colab.explore import Explorer, batch_for, slerp, tile
from sg2ada_colab.colab.seed_text import parse_seeds
from sg2ada_colab.errors import UserError


class FakeSampler:
    """Images whose grey is the seed's, times psi."""

    class generator:  # noqa: N801
        class config:  # noqa: N801
            label_size = 0

    def latents(self, seeds):
        return np.array([[seed, 1.0] for seed in seeds], np.float32)

    def uint8(self, z, labels=None, psi=1.0):
        return np.broadcast_to((z[:, :1, None, None] * psi), (len(z), 8, 8, 3)).astype(np.uint8)


@pytest.fixture
def explorer(tmp_path):
    here, drive = tmp_path / "here" / "00000-a", tmp_path / "drive" / "00000-a"
    add_snapshots(drive, [4, 8])
    add_snapshots(here, [8, 12])
    for folder, kimgs in ((drive, (0, 4)), (here, (8, 12))):
        for kimg in kimgs:
            add_grid(folder, "fakes{:06d}.png".format(kimg), seed=kimg)
    explorer = Explorer("00000-a", [str(here), str(drive)])
    explorer._sampler = lambda path: FakeSampler()
    return explorer


@pytest.mark.parametrize(
    "text, seeds", [("0-3", [0, 1, 2, 3]), (" 7 ", [7]), ("1, 5,9-11", [1, 5, 9, 10, 11]), ([3, 1], [3, 1]), (range(2), [0, 1])]
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "5-3", "0-999999", "-1", "1;2", None, [2**33], [-1]])
def test_what_is_no_seed_is_refused(text):
    with pytest.raises(UserError, match="are no seeds"):
        parse_seeds(text)


def test_slerp_ends_at_its_ends_and_keeps_the_length_between():
    random = np.random.RandomState(0)
    a, b = random.randn(2, 512)
    assert np.allclose(slerp(a, b, 0), a) and np.allclose(slerp(a, b, 1), b)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    assert np.linalg.norm(slerp(a, b, 0.37)) == pytest.approx(1)
    assert np.allclose(slerp(a, a, 0.5), a)


def test_tile_fills_the_last_row_with_white():
    image = tile(np.zeros([3, 4, 4, 1], np.uint8), 2)
    assert image.size == (8, 8) and image.mode == "RGB"
    assert image.getpixel((1, 5)) == (0, 0, 0) and image.getpixel((5, 5)) == (255, 255, 255)
    assert tile(np.zeros([3, 4, 4, 3], np.uint8), 50).size == (12, 4)


def test_large_images_come_in_small_batches():
    assert [batch_for(size) for size in (32, 256, 1024, 2048)] == [16, 16, 4, 2]


def test_snapshots_of_machine_and_drive_the_nearest_first(explorer):
    found = explorer.snapshots()
    assert list(found) == ["12 kimg", "8 kimg", "4 kimg"]
    assert os.sep + "here" + os.sep in found["8 kimg"] and os.sep + "drive" + os.sep in found["4 kimg"]
    with pytest.raises(UserError, match="no snapshot '5 kimg'"):
        explorer.images("5 kimg")


def test_grids_and_comparisons(explorer):
    grid = explorer.grid(seeds="10,20,30,40", psi=0.5, columns=2)
    assert grid.size == (16, 16) and grid.getpixel((12, 12)) == (20, 20, 20)
    assert explorer.compare("12 kimg", None, "10", 1.0, 1).width == 320 + 12 + 320


def test_history_spans_sessions(explorer):
    assert [title for title, _ in explorer.history()] == ["0 kimg", "4 kimg", "8 kimg", "12 kimg"]


def test_pictures_and_videos_go_to_drive_and_replace_nothing(explorer):
    grid = explorer.grid(seeds="10", columns=1)
    paths = [explorer.save(grid, "my/../name") for _ in range(2)]
    assert len(set(paths)) == 2 and all(os.path.dirname(path) == os.path.join(explorer.folders[1], "pictures") for path in paths)
    assert Image.open(paths[0]).size == (8, 8)
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
    assert viewer.snapshot.value == "12 kimg" and 'alt="fakes of 12 kimg, seeds 0-15, truncation 0.7"' in viewer.out.value
    viewer.psi.value = 1.0
    viewer.seeds.value = "3-6"
    assert "seeds 3-6, truncation 1.0" in viewer.out.value
    viewer.other.value = "4 kimg"
    assert "12 kimg beside 4 kimg" in viewer.out.value


def test_viewer_tells_what_is_wrong_in_words(viewer):
    before = viewer.out.value
    viewer.seeds.value = "all"
    assert "are no seeds" in viewer.status.value and "⚠" in viewer.status.value and viewer.out.value == before


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
    assert tag + '"data:' in viewer.out.value and "a walk through the seeds 1-2" in viewer.out.value
    shown = viewer.out.value
    monkeypatch.setattr("sg2ada_colab.colab.html.MOST_ANIMATION_BYTES", 10)
    viewer.save_history.click()
    assert "history" + suffix in viewer.status.value and viewer.out.value == shown, "too large to lie in a notebook"


def test_a_saved_video_is_named_where_nothing_can_be_shown(explorer, capsys):
    path = explorer.save_video(explorer.walk(seeds="1,200", frames=4), "walk")
    explorer.show_video(path)
    assert capsys.readouterr().out == "Saved: {}\n".format(path)
