"""The list of what lies on Drive, what is uploaded, and what an empty field means."""

import io
import os
import zipfile

import pytest
from PIL import Image
from some_images import save_images

import sg2ada_colab as sg2
from sg2ada_colab.colab import find_images, session
from sg2ada_colab.errors import UserError
from sg2ada_colab.images.find import open_source


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    monkeypatch.setattr(find_images, "_list", {})
    monkeypatch.setattr(find_images, "can_show_widgets", lambda: False)


def jpeg(colour):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "JPEG")
    return file.getvalue()


def test_archives_and_folders_of_images_are_found_and_nothing_else(tmp_path):
    root, workspace = tmp_path / "MyDrive", tmp_path / "MyDrive" / "colab-sg2-ada"
    for folder in ("art", "art/2026/cats", "letters", ".hidden", "colab-sg2-ada/results", "colab-sg2-ada/uploads"):
        (root / folder).mkdir(parents=True)
    save_images(root / "art" / "2026", 4)
    save_images(root / ".hidden", 4)
    save_images(workspace / "results", 4)
    (root / "photos.zip").write_bytes(b"x" * 2000)
    (root / "art" / "old.tar.gz").write_bytes(b"x")
    (workspace / "uploads" / "mine.zip").write_bytes(b"x")
    (root / "letters" / "one.pdf").write_bytes(b"x")
    found, is_all = find_images.images_on(str(root), str(workspace))
    assert is_all and [label for label, _ in found] == [
        "colab-sg2-ada/uploads/mine.zip (1 bytes)", "photos.zip (2.0 kB)", "art/old.tar.gz (1 bytes)",
        "art/2026 (folder, 4 images)",
    ]  # fmt: skip
    assert found[-1][1] == str(root / "art" / "2026")


def test_a_slow_drive_ends_the_search(tmp_path, monkeypatch):
    (tmp_path / "photos.zip").write_bytes(b"x")
    monkeypatch.setattr(find_images, "LOOK_S", -1.0)
    assert find_images.images_on(str(tmp_path), str(tmp_path / "w")) == ([], False)


def test_without_a_list_an_empty_field_means_the_flags(home, capsys):
    assert find_images.source_path("") == find_images.DEMO and os.path.isfile(find_images.DEMO)
    assert find_images.source_path("~/x.zip") == os.path.expanduser("~/x.zip")
    sg2.choose_images()
    said = capsys.readouterr().out
    assert f"images (folder, 24 images): {home / 'images'}" in said and "The flags that come along" in said


def test_what_is_chosen_in_the_list_is_what_an_empty_field_means(home, monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(find_images, "can_show_widgets", lambda: True)
    monkeypatch.setattr(find_images, "show_widgets", lambda box: None)
    sg2.choose_images()
    widget = find_images._list["widget"]
    assert widget.value == find_images.DEMO, "Run all takes the flags"
    widget.value = str(home / "images")
    assert find_images.source_path("") == str(home / "images") and find_images.source_path("/a") == "/a"
    assert os.path.basename(sg2.prepare_dataset(resolution=8, workers=1)) == "images"
    sg2.choose_images()
    assert find_images.source_path("") == str(home / "images"), "Run all again keeps the choice"


@pytest.mark.parametrize("place", ["images", "deep/down/below/images"])
def test_in_a_fresh_kernel_the_list_stands_where_the_dataset_was_made_from(home, monkeypatch, place):
    """Also where that is a path that was typed and no list finds."""
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(find_images, "can_show_widgets", lambda: True)
    monkeypatch.setattr(find_images, "show_widgets", lambda box: None)
    folder = home / place
    os.makedirs(str(folder.parent), exist_ok=True)
    if folder != home / "images":
        os.rename(str(home / "images"), str(folder))
    sg2.prepare_dataset(str(folder), "", 8, workers=1)
    monkeypatch.setattr(find_images, "_list", {})  # a fresh kernel
    sg2.choose_images()
    widget = find_images._list["widget"]
    assert widget.value == str(folder) and widget.options[0][1] == find_images.DEMO
    assert [path for _, path in widget.options].count(str(folder)) == 1
    monkeypatch.setattr(find_images, "_list", {})
    os.rename(str(folder), str(folder) + "-gone")
    sg2.choose_images()
    assert find_images._list["widget"].value == find_images.DEMO, "what is gone cannot be taken"


def test_single_images_that_are_uploaded_are_kept_on_drive_as_one_zip(colab_home, fake_colab, capsys):
    fake_colab.picked = {"a.jpg": jpeg("red"), "b.JPG": jpeg("blue"), "notes.txt": b"x"}
    before = os.getcwd()
    path = find_images.upload_images()
    assert os.getcwd() == before
    assert os.path.dirname(path) == os.path.join(session.workspace().root, "uploads") and "/drive/MyDrive/" in path
    assert open_source(path).names == ["a.jpg", "b.JPG"]
    said = capsys.readouterr().out
    assert "notes.txt: no image and no archive, so not taken." in said and "Uploaded: 2 images. They are kept on Drive" in said


def test_a_zip_that_is_uploaded_is_taken_as_it_is(colab_home, fake_colab, monkeypatch):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jpg", jpeg("red"))
    fake_colab.picked = {"photos.zip": file.getvalue()}
    path = find_images.upload_images()
    assert os.path.basename(path) == "photos.zip"
    with open(path, "rb") as kept:
        assert kept.read() == file.getvalue()


def test_an_upload_that_is_cancelled_leaves_the_list_as_it_is(colab_home, capsys):
    sg2.choose_images(upload=True)
    assert "Nothing was uploaded." in capsys.readouterr().out


def test_outside_colab_an_upload_says_what_to_do(home):
    with pytest.raises(UserError, match="Files can be uploaded in Colab only") as error:
        sg2.choose_images(upload=True)
    assert "write the path of their folder or zip into the field source" in error.value.next_step
