"""A run folder that grows is read piece by piece, and what is half written is read later."""

import json

from run_folders import add_grid, add_snapshots, add_ticks

from sg2ada_colab.colab.run_view import MOST_POINTS, GrowingFile, RunView
from sg2ada_colab.storage import run_folder
from sg2ada_colab.storage.manifest import read_manifest


def test_lines_come_once_and_only_whole(tmp_path):
    path = tmp_path / "a.txt"
    file = GrowingFile(path)
    assert file.new_lines() == ([], False)
    path.write_bytes(b"eins\nzw")
    assert file.new_lines() == (["eins"], False)
    with open(str(path), "ab") as more:
        more.write("ölf\n".encode())
    assert file.new_lines() == (["zwölf"], False) and file.new_lines() == ([], False)


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path, other = tmp_path / "a.txt", tmp_path / "b.txt"
    path.write_text("1\n2\n3\n")
    file = GrowingFile(path)
    file.new_lines()
    other.write_text("1\n2\n4\n5\n")
    other.replace(path)
    assert file.new_lines() == (["1", "2", "4", "5"], True)


def test_curves_follow_the_ticks_and_a_resume_takes_ticks_back(tmp_path):
    view = RunView(tmp_path)
    assert view.update() is False and view.kimg == 0
    add_ticks(tmp_path, [0, 4, 8])
    assert view.update() is True and view.update() is False
    assert view.kimg == 8 and view.curves["r_t"] == [(0, 0.4), (4, 0.4), (8, 0.4)] and view.last("p") == 0.1
    # What a resume does: the lines after its snapshot go, in a new file.
    lines = (tmp_path / "stats.jsonl").read_text().splitlines(True)
    (tmp_path / "new").write_text("".join(lines[:2]))
    (tmp_path / "new").replace(tmp_path / "stats.jsonl")
    assert view.update() is True and view.kimg == 4 and len(view.curves["p"]) == 2


def test_damaged_lines_are_passed_over(tmp_path):
    (tmp_path / "stats.jsonl").write_text('nonsense\n{"Progress/tick": 3}\n[]\n')
    add_ticks(tmp_path, [4])
    view = RunView(tmp_path)
    view.update()
    assert view.curves["p"] == [(4, 0.1)]


def test_long_curves_are_thinned_but_keep_their_ends(tmp_path):
    add_ticks(tmp_path, range(MOST_POINTS + 500))
    view = RunView(tmp_path)
    view.update()
    curve = view.curves["G loss"]
    assert len(curve) <= MOST_POINTS and curve[0][0] == 0 and curve[-1][0] == MOST_POINTS + 499
    assert [x for x, _ in curve] == sorted(x for x, _ in curve)


def test_events_give_devices_and_what_a_person_should_read_whatever_the_log_says(tmp_path):
    (tmp_path / "log.txt").write_text("sg2ada_colab on TensorFlow 2.20.0, Tesla P4.\n\nDrive is a word in the log.\n")
    events = [
        ("device", "Tesla T4"),
        ("storage", "Drive is full. Make room."),
        ("device", "NVIDIA L4"),
        ("warning", "No metric: x"),
    ]
    lines = [json.dumps({"kind": kind, "text": text, "time": 1.0}) for kind, text in events]
    (tmp_path / "events.jsonl").write_text("\n".join([lines[0], "\0\0damaged", "7", '{"kind": 1}'] + lines[1:]) + "\n")
    view = RunView(tmp_path)
    view.update()
    assert view.devices == ["Tesla T4", "NVIDIA L4"] and view.notes == ["Drive is full. Make room.", "No metric: x"]
    assert view.log == ["sg2ada_colab on TensorFlow 2.20.0, Tesla P4.", "Drive is a word in the log."]
    assert [event["text"] for event in run_folder.events(tmp_path)] == [text for _, text in events]


def test_metrics_are_read_with_their_kimg(tmp_path):
    view = RunView(tmp_path)
    with open(str(tmp_path / "metric-fid50k_full.jsonl"), "w") as file:
        for name, value in (("000012", 90.5), ("000024-1", 60.25)):
            record = {"results": {"fid50k_full": value}, "metric": "fid50k_full"}
            file.write(json.dumps(dict(record, snapshot_pkl=f"network-snapshot-{name}.pkl")) + "\n")
        file.write("half a li")
    view.update()
    view.update()
    assert view.metrics == {"fid50k_full": [(12, 90.5), (24, 60.25)]}


def test_pictures_in_the_order_of_training(tmp_path):
    for name in ("fakes000012.png", "fakes000004.png", "fakes_init.png", "reals.png", "fakes1.txt"):
        add_grid(tmp_path, name) if name.endswith("png") else (tmp_path / name).write_text("")
    view = RunView(tmp_path)
    assert [kimg for kimg, _ in view.fakes()] == [0, 4, 12] and view.reals().endswith("reals.png")
    add_grid(tmp_path, "fakes000000.png")
    assert run_folder.grids(tmp_path)[0].endswith("fakes000000.png")


def test_snapshots_say_where_they_are(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    add_snapshots(here, [4, 8])
    add_snapshots(there, [2, 4])
    on_drive = {record.name: record for record in read_manifest(there).snapshots}
    rows = RunView(here).snapshots(on_drive)
    assert [(row[1], row[3]) for row in rows] == [(8, "this machine"), (4, "this machine and Drive"), (2, "Drive")]


def test_what_is_damaged_or_of_another_type_is_passed_over(tmp_path):
    for damaged in ("", "{", "[]", "7", "[" * 100_000, '{"state": 7}', '{"state": "idle", "sentence": "x", "waiting": NaN}'):
        (tmp_path / "drive-status.json").write_text(damaged)
        assert RunView(tmp_path).drive_status() is None
        (tmp_path / "training_options.json").write_text(damaged)
        assert RunView(tmp_path).update() is False
    (tmp_path / "training_options.json").write_text('{"total_kimg": [1]}')
    (tmp_path / "stats.jsonl").write_text(
        "[" * 100_000 + '\n{"Progress/kimg": "4"}\n{"Progress/kimg": NaN}\n{"Progress/kimg": true}\n'
    )
    (tmp_path / "metric-kid.jsonl").write_text(
        "[" * 100_000 + '\n{"metric": [1], "snapshot_pkl": "network-snapshot-000004.pkl", "results": {"kid": 1}}\n'
        '{"metric": "kid", "snapshot_pkl": "network-snapshot-000004.pkl", "results": {"kid": NaN}}\n'
    )
    view = RunView(tmp_path)
    assert view.update() is False and view.total_kimg is None and view.metrics == {} and view.ticks == 0
    with open(str(tmp_path / "stats.jsonl"), "a") as file:
        file.write('{"Progress/kimg": 4, "Loss/G/loss": NaN, "Loss/D/loss": [], "Loss/signs/real": 0.5}\n')
    assert view.update() is True and view.curves["r_t"] == [(4, 0.5)] and view.curves["G loss"] == [] == view.curves["D loss"]
