"""How much space a run takes on Drive, and the warning that names what to delete."""

from sg2ada_colab.storage import disk_space
from sg2ada_colab.storage.disk_space import largest_runs, space_report, space_warning


def test_the_estimate_counts_what_is_in_transit_and_what_is_there_already(tmp_path, monkeypatch):
    (tmp_path / "results" / "00000-run").mkdir(parents=True)
    (tmp_path / "results" / "00000-run" / "network-snapshot-000004.pkl").write_bytes(b"x" * 10**8)
    places = (tmp_path / "here" / "00000-run", tmp_path / "results" / "00000-run")
    monkeypatch.setattr(disk_space, "drive_free_bytes", lambda *ignored: 5e9)
    assert space_report(2e9, 5e8, *places) == ["This run will take about 2.9 GB more on Drive; 5.0 GB are free there."]
    estimate, warning = space_report(9e9, 5e8, *places)
    assert estimate.startswith("This run will take about 9.9 GB more") and "Free some space" in warning and "00000-run" in warning
    monkeypatch.undo()
    (text,) = space_report(1e15, 5e8, *places)  # the same disk: nothing is known of Drive's
    assert "cannot be read" in text


def test_a_warning_names_the_largest_runs(tmp_path):
    for name, size in (("00000-small", 10), ("00001-big", 3_000_000_000), ("00002-middle", 500_000_000), ("00003-tiny", 1)):
        (tmp_path / name).mkdir()
        with open(str(tmp_path / name / "network-snapshot-000004.pkl"), "wb") as file:
            file.truncate(size)
    text = space_warning(6e9, 2e9, tmp_path)
    assert "6.0 GB more" in text and "2.0 GB are free" in text
    assert text.index("00001-big (3.0 GB)") < text.index("00002-middle (500.0 MB)") < text.index("00000-small")
    assert "00003-tiny" not in text and "trash" in text
    assert space_warning(1e9, 2e9, tmp_path) is None and space_warning(1e9, None, tmp_path) is None


def test_an_absent_folder_names_nothing(tmp_path):
    assert "not known" in largest_runs(tmp_path / "absent")
