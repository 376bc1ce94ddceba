"""How much room a run takes on Drive, and the warning that names what to delete."""
from sg2ada_colab.snapshots.retention import Retention
from sg2ada_colab.snapshots.room import room_for_run, room_warning, what_takes_room


def test_room_counts_what_is_kept_and_what_is_in_transit():
    assert room_for_run(100, Retention(keep_last=3), 25000) == 600
    assert room_for_run(100, Retention(keep_last=3, keep_every_kimg=1000), 25000, other_bytes=7) == 3107


def test_a_warning_names_the_largest_runs(tmp_path):
    for name, size in (("00000-small", 10), ("00001-big", 3_000_000_000), ("00002-middle", 500_000_000), ("00003-tiny", 1)):
        (tmp_path / name).mkdir()
        with open(str(tmp_path / name / "network-snapshot-000004.pkl"), "wb") as file:
            file.truncate(size)
    text = room_warning(6e9, 2e9, tmp_path)
    assert "6.0 GB" in text and "2.0 GB are free" in text
    assert text.index("00001-big (3.0 GB)") < text.index("00002-middle (0.5 GB)") < text.index("00000-small")
    assert "00003-tiny" not in text and "trash" in text
    assert room_warning(1e9, 2e9, tmp_path) is None and room_warning(1e9, None, tmp_path) is None


def test_an_absent_folder_names_nothing(tmp_path):
    assert "not known" in what_takes_room(tmp_path / "absent")
