"""Each concern: said when there is reason, silent otherwise."""

from pathlib import Path

import pytest
from PIL import Image
from run_folders import add_grid, add_snapshots, add_ticks

from sg2ada_colab.colab.concerns import concerns, drive_lags, gpu_changed, no_progress
from sg2ada_colab.colab.run_view import RunView

ROOT = Path(__file__).parents[2]
STATUS = {"state": "idle", "sentence": "All is there.", "waiting": 0, "waiting_bytes": 0, "behind_s": 0.0}


def view_of(folder):
    view = RunView(folder)
    view.update()
    return view


def test_a_healthy_run_gives_no_concern(tmp_path):
    add_ticks(tmp_path, range(0, 200, 4))
    add_snapshots(tmp_path, [40])
    add_grid(tmp_path, "reals.png")
    add_grid(tmp_path, "fakes000100.png", 0.8, seed=1)
    assert concerns(view_of(tmp_path), 1e9, 20.0, 8) == []


def test_nothing_there_yet_gives_no_concern(tmp_path):
    assert concerns(view_of(tmp_path), 0, 0.0, 8) == []


@pytest.mark.parametrize(
    "values, words",
    [
        ({"augment": 0.85}, "0.85. Above about 0.8"),
        ({"augment": 1.4}, "runs away: 1.40"),
        ({"signs_real": 0.99, "signs_fake": -1.0}, "tells every fake"),
        ({"overflow_frequency": 0.9}, "not finite"),
    ],
)
def test_numbers_that_go_wrong(tmp_path, values, words):
    add_ticks(tmp_path, range(6), **values)
    found = concerns(view_of(tmp_path))
    assert len(found) == 1 and words in found[0]


def test_one_bad_tick_is_not_a_collapse(tmp_path):
    add_ticks(tmp_path, range(20))
    add_ticks(tmp_path, [20], signs_real=1.0, signs_fake=-1.0)
    assert concerns(view_of(tmp_path)) == []


def test_fakes_that_are_alike_are_suspected_but_not_at_the_beginning(tmp_path):
    add_grid(tmp_path, "reals.png")
    add_grid(tmp_path, "fakes000008.png", 0.05, seed=1)
    assert concerns(view_of(tmp_path), resolution=8) == []
    add_grid(tmp_path, "fakes000080.png", 0.05, seed=1)
    found = concerns(view_of(tmp_path), resolution=8)
    assert len(found) == 1 and "5% of the variety" in found[0] and "collapse is suspected" in found[0]


@pytest.mark.parametrize(
    "picture, kimg, size, alike",
    [
        ("training-collapse.jpg", 331, 64, "a collapse is suspected"),  # fakes of runs that collapsed, and of runs that did not
        ("emoji-auto.jpg", 147, 64, "so far"),  # a run that ended well looked so, too
        ("emoji-auto.jpg", 100, 64, None),
        ("emoji-gamma.jpg", 344, 64, None),
        ("emoji-fakes.jpg", 328, 64, None),
        ("emoji-transparent.jpg", 442, 64, None),
        ("training-good.jpg", 327, 64, None),
    ],
)
def test_one_outline_in_many_colours_is_a_collapse_and_good_fakes_are_none(tmp_path, picture, kimg, size, alike):
    with Image.open(str(ROOT / "docs" / "pictures" / picture)) as image:
        if picture == "training-good.jpg":
            image = image.crop((0, 4 * size, image.width, 5 * size))  # the last of five moments
        image.convert("RGB").save(str(tmp_path / f"fakes{kimg:06}.png"))
    with Image.open(str(ROOT / "docs" / "pictures" / "emoji-gamma.jpg")) as image:
        image.convert("RGB").save(str(tmp_path / "reals.png"))  # stands for the emoji, whose outlines are as unlike
    found = concerns(view_of(tmp_path), resolution=size)
    assert len(found) == (alike is not None)
    assert all("same outline" in sentence and alike in sentence for sentence in found)


def test_a_disk_without_room_for_snapshots(tmp_path):
    add_snapshots(tmp_path, [4], size=1000000)
    assert concerns(view_of(tmp_path), 100e6) == []
    found = concerns(view_of(tmp_path), 2e6)
    assert len(found) == 1 and "nearly full: 2.0 MB free" in found[0]


def test_drive_speaks_for_itself_and_slowness_is_told():
    assert drive_lags(None) is None and drive_lags(STATUS) is None
    assert drive_lags(dict(STATUS, state="full", sentence="Drive is full.")) == "Drive is full."
    behind = drive_lags(dict(STATUS, state="copying", waiting=4, waiting_bytes=2.4e9, behind_s=1800.0))
    assert behind == "Drive is behind: 4 snapshots (2.4 GB) are on this machine only, the oldest for 30 minutes."


def test_another_gpu_than_in_the_session_before():
    assert gpu_changed([]) is None and gpu_changed(["Tesla T4"]) is None and gpu_changed(["a", "b", "b"]) is None
    assert gpu_changed(["Tesla T4", "NVIDIA L4"]).startswith("This session trains on NVIDIA L4; the one before had Tesla T4.")


def test_silence_counts_in_minutes():
    assert no_progress(600) is None and "20 minutes" in no_progress(1200)


def test_a_metric_that_grows_names_the_best(tmp_path):
    view = view_of(tmp_path)
    view.metrics = {"fid50k_full": [(10, 50.0), (20, 30.0), (30, 49.0)]}
    assert concerns(view) == []
    view.metrics = {"fid50k_full": [(10, 50.0), (20, 30.0), (30, 49.0), (40, 61.5)]}
    assert concerns(view) == ["fid50k_full has become worse: 61.5 now, 30 at 20 kimg. That snapshot is kept as the best."]
    view.metrics = {"is50k": [(10, 1.0), (20, 3.0), (30, 49.0), (40, 61.5)]}
    assert concerns(view) == []
