"""What is read of a run folder, and that what is damaged or absent is as if it were not there."""

import json

import pytest

from sg2ada_colab import run_files
from sg2ada_colab.storage import run_folder


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "00000-faces-auto1"
    folder.mkdir()
    return folder


def test_nothing_is_read_from_nothing(run):
    for folder in (run, run / "absent"):
        assert run_folder.total_kimg(folder) is None and run_folder.metric_settings(folder) == {}
        assert run_folder.trained_kimg(folder) == 0 and run_folder.events(folder) == [] and run_folder.grids(folder) == {}
        assert run_folder.pickles(folder) == run_folder.metric_files(folder) == []
        assert run_folder.measured(folder) == {} and run_folder.measured_metrics(folder) == []
        assert run_folder.augmentation_at(folder, 12) is None
        assert run_folder.drive_status(folder) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"total_kimg": null}', '{"total_kimg": "much"}', "[" * 100000])
def test_damaged_options_are_none(run, text):
    (run / run_files.OPTIONS).write_text(text)
    assert run_folder.total_kimg(run) is None and run_folder.metric_settings(run) == {}


def test_options_of_any_program_are_read(run):
    (run / run_files.OPTIONS).write_text(json.dumps({"total_kimg": 25000, "metric_dataset_args": {"path": "~/set"}}))
    assert run_folder.total_kimg(run) == 25000
    assert run_folder.metric_settings(run) == {"path": "~/set", "resolution": None, "mirror": False, "metrics": [], "seed": 0}


def test_the_newest_tick_counts_past_damaged_lines(run):
    lines = [json.dumps({"Progress/kimg": kimg}) for kimg in (4, 8)]
    (run / run_files.STATS).write_text("\n".join(lines + ["\0\0", "7", '{"Progress/kimg": "x"}', '{"Progress']))
    assert run_folder.trained_kimg(run) == 8


def test_snapshots_and_grids_are_in_the_order_of_training(run):
    for name in ("000004", "000012", "000012-10", "000012-2", "1000000", "000008"):
        (run / run_files.pickle_name(name)).write_bytes(b"")
    for name in ("network-snapshot-000008 (1).pkl", "network-snapshot-x.pkl", "network-snapshot-000008.pkl.7-1.part"):
        (run / name).write_bytes(b"")
    found = [path.rsplit("-snapshot-", 1)[1] for path in run_folder.pickles(run)]
    assert found == ["000004.pkl", "000008.pkl", "000012.pkl", "000012-2.pkl", "000012-10.pkl", "1000000.pkl"]
    (run / run_files.FAKES_INIT).write_bytes(b"")
    (run / run_files.grid_name(200)).write_bytes(b"")
    shown = {kimg: path.rsplit("/", 1)[1] for kimg, path in run_folder.grids(run).items()}
    assert shown == {0: "fakes_init.png", 200: "fakes000200.png"}
    (run / run_files.grid_name(0)).write_bytes(b"")
    assert run_folder.grids(run)[0].endswith("fakes000000.png")


@pytest.mark.parametrize("start, kimg", [({"kimg": 282}, 282), ({"kimg": 0}, 0), ({"kimg": "x"}, 0), (None, 0)])
def test_the_grid_of_before_training_is_of_the_kimg_that_a_run_counts_from(tmp_path, start, kimg):
    (tmp_path / run_files.OPTIONS).write_text(json.dumps({"sg2ada": {"start": start}}))
    for name in (run_files.FAKES_INIT, run_files.grid_name(284)):
        (tmp_path / name).write_bytes(b"")
    found = {kimg: path.rsplit("/", 1)[1] for kimg, path in run_folder.grids(tmp_path).items()}
    assert found == {kimg: "fakes_init.png", 284: "fakes000284.png"} and run_folder.start_kimg(tmp_path) == kimg


def test_results_are_the_metric_files_and_the_neighbours(run):
    names = ["metric-fid5k_full.txt", "metric-fid5k_full.jsonl", "metric-kid1k_efflite0.txt", "neighbours-000012.png"]
    for name in names + ["log.txt", "neighbours-x.png"]:
        lines = [
            f"network-snapshot-00000{number} time 1s fid5k_full {value}" for number, value in enumerate(("nan", "31.5", "x"))
        ]
        (run / name).write_text("\n".join(lines) + "\n")
    (run / "metric-partial").mkdir()
    assert [path.rsplit("/", 1)[1] for path in run_folder.metric_files(run)] == sorted(names)
    assert run_folder.measured(run) == {"fid5k_full": [31.5]}


def test_the_copiers_status_is_a_dictionary_or_none(run):
    status = {"state": "idle", "sentence": "x", "waiting": 0, "waiting_bytes": 0, "behind_s": 0.5, "last_copied": None}
    (run / run_files.DRIVE_STATUS).write_text(json.dumps(status))
    assert run_folder.drive_status(run) == status
    for text in ("", "[]", "{", '{"state": "ok"}', "[" * 100_000, json.dumps(dict(status, waiting="2"))):
        (run / run_files.DRIVE_STATUS).write_text(text)
        assert run_folder.drive_status(run) is None


def test_the_augmentation_strength_is_that_of_the_last_tick_up_to_a_kimg(run):
    lines = [f"tick {tick}     kimg {tick * 4}.2      time 5s  augment 0.{tick}00" for tick in (1, 2, 3)]
    (run / run_files.LOG).write_text("augment 0.9\n" + "\n".join(lines) + "\n")
    assert [run_folder.augmentation_at(run, kimg) for kimg in (3, 4, 8, 11, 99)] == [None, 0.1, 0.2, 0.2, 0.3]
