"""Downloads: google.colab.files in Colab, a path elsewhere, a folder as one archive."""

import zipfile

import pytest

from sg2ada_colab.colab.download import download
from sg2ada_colab.errors import UserError


def test_colab_is_asked_to_download(fake_colab, tmp_path, capsys):
    path = tmp_path / "a.zip"
    path.write_bytes(b"x")
    assert download(path) == str(path)
    assert fake_colab.calls == [("download", str(path))]
    assert "The browser downloads a.zip." in capsys.readouterr().out


def test_a_folder_becomes_one_archive(fake_colab, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    for name in ("b.png", "a.png"):
        (folder / name).write_bytes(name.encode())
    path = download(str(folder) + "/")
    assert fake_colab.calls == [("download", path)] and path == str(folder) + ".zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["a.png", "b.png"] and archive.read("b.png") == b"b.png"


def test_elsewhere_the_path_is_said(tmp_path, capsys):
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"x")
    path = download(folder)
    assert capsys.readouterr().out == f"Saved: {path}\n1 file, 0.0 MB\n"


@pytest.mark.parametrize("made, words", [(True, "is empty"), (False, "There is no file")])
def test_nothing_to_download(fake_colab, tmp_path, made, words):
    if made:
        (tmp_path / "kept").mkdir()
    with pytest.raises(UserError, match=words):
        download(tmp_path / "kept")
    assert fake_colab.calls == []
