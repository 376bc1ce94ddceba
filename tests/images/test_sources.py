import io
import os
import tarfile
import zipfile

import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.images.archives import ZipSource
from sg2ada_colab.images.sources import open_source


def png(color=(1, 2, 3)):
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), color).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def tree(tmp_path):
    """Return a folder with images, foreign files and links of all kinds."""
    root = tmp_path / "tree"
    for name in ("b/2.png", "a10.png", "a2.PNG", "B.jpg", "b/bild ü 絵.png", "plain"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png())
    for name in (".DS_Store", "Thumbs.db", "__MACOSX/._a.png", ".git/x.png", "b/.hidden.png", "notes.txt", "b/film.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    (root / "dataset.json").write_text('{"labels": null}')
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "o.png").write_bytes(png())
    os.symlink(str(root / "a10.png"), str(root / "again.png"))
    os.symlink(str(outside), str(root / "link"))
    os.symlink(str(outside), str(root / "second link"))
    os.symlink(str(outside / "o.png"), str(root / "direct.png"))
    os.symlink(str(root), str(root / "b" / "loop"))
    os.symlink(str(tmp_path / "nothing"), str(root / "broken.png"))
    return root


def test_a_folder_is_read_in_code_point_order_and_links_are_followed_once(tree):
    source = open_source(tree)
    assert source.names == ["B.jpg", "a10.png", "a2.PNG", "b/2.png", "b/bild ü 絵.png", "direct.png", "plain"]
    assert source.own_labels == '{"labels": null}'
    assert source.ignored == {
        "hidden file": 2,
        "system file": 1,
        "hidden or system folder": 2,
        "not an image by its name (.txt)": 1,
        "not an image by its name (.mp4)": 1,
        "broken link": 1,
        "link to a file already here": 2,
        "link to a folder already here": 2,
    }
    with source.open(4) as file:
        assert file.read() == png()


def test_a_linked_folder_counts_when_nothing_else_leads_there(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.png").write_bytes(png())
    (tmp_path / "set").mkdir()
    os.symlink(str(tmp_path / "real"), str(tmp_path / "set" / "link"))
    assert open_source(tmp_path / "set").names == ["link/x.png"]


def test_the_fingerprint_changes_with_the_files(tree):
    before = open_source(tree).fingerprint()
    assert open_source(tree).fingerprint() == before
    os.utime(str(tree / "a10.png"), (1, 1))
    assert open_source(tree).fingerprint() != before


def write_archive(path, members):
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members:
                archive.writestr(name, data)
    else:
        mode = {".tar": "w", ".gz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}[path.suffix]
        with tarfile.open(str(path), mode) as archive:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.xz", "x.tar.bz2"])
def test_archives_are_read_in_place(tmp_path, name):
    members = [
        ("z/1.png", png()),
        ("a.png", png((9, 9, 9))),
        ("__MACOSX/a.png", b"x"),
        ("read.me", b"x"),
        ("dataset.json", b"{}"),
    ]
    source = open_source(write_archive(tmp_path / name, members))
    assert source.names == ["a.png", "z/1.png"]
    assert source.open(0).read() == png((9, 9, 9)) and source.open(1).read() == png()
    assert source.own_labels == "{}"
    assert source.ignored == {"system file": 1, "not an image by its name (.me)": 1}
    assert sorted(os.listdir(str(tmp_path))) == [name]


def test_every_reader_of_a_zip_has_its_own_handle(tmp_path):
    first = open_source(write_archive(tmp_path / "x.zip", [("a.png", png())]))
    assert first.open(0).read() == png()
    write_archive(tmp_path / "x.zip", [("a.png", png((5, 5, 5)))])
    assert open_source(tmp_path / "x.zip").open(0).read() == png((5, 5, 5))


@pytest.mark.parametrize("member", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "C:/evil.png", "..\\evil.png"])
@pytest.mark.parametrize("name", ["x.zip", "x.tar"])
def test_unsafe_paths_are_refused(tmp_path, name, member):
    with pytest.raises(UserError, match="unsafe path"):
        open_source(write_archive(tmp_path / name, [("a.png", png()), (member, png())]))


def test_links_in_a_tar_are_not_followed(tmp_path):
    with tarfile.open(str(tmp_path / "x.tar"), "w") as archive:
        link = tarfile.TarInfo("passwd.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    source = open_source(tmp_path / "x.tar")
    assert len(source) == 0 and source.ignored == {"link or special file in the archive": 1}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.xz"])
def test_damaged_archives(tmp_path, name):
    path = write_archive(tmp_path / name, [("a.png", png()), ("b.png", png() * 50)])
    data = path.read_bytes()
    for damaged in (b"", b"not an archive at all" * 30, data[: len(data) // 2]):
        path.write_bytes(damaged)
        try:
            source = open_source(path)
        except UserError as error:
            assert "cannot be read" in error.what
        else:
            assert len(source) <= 1  # a tar file may end early without notice


def test_a_damaged_member_costs_that_image_alone(tmp_path):
    path = write_archive(tmp_path / "x.zip", [("a.png", png()), ("b.png", png((7, 7, 7)))])
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(bytes(data))
    source = open_source(path)
    with pytest.raises(OSError, match="in the archive"):
        source.open(0)
    assert source.open(1).read() == png((7, 7, 7))


def test_a_list_of_paths(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "list.txt").write_text("\ufeff# chosen\na.png\nmissing.png\n\n", encoding="utf-8")
    source = open_source(tmp_path / "list.txt")
    assert source.names == ["a.png", "missing.png"]
    with pytest.raises(OSError):
        source.open(1)
    (tmp_path / "list.txt").write_text("a.png\na.png\n")
    with pytest.raises(UserError, match="names 1 files twice, such as a.png"):
        open_source(tmp_path / "list.txt")


def test_other_paths(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    assert open_source(tmp_path / "a.png").names == ["a.png"]
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(UserError, match="no kind of file that holds images"):
        open_source(tmp_path / "a.mp4")
    with pytest.raises(UserError, match="does not exist(.|\n)*Drive is mounted"):
        open_source(tmp_path / "nothing")


def test_encrypted_members_are_counted(tmp_path):
    path = write_archive(tmp_path / "x.zip", [("a.png", png())])
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 8] |= 1
    path.write_bytes(bytes(data))
    source = open_source(path)
    assert isinstance(source, ZipSource) and len(source) == 0 and source.ignored == {"encrypted": 1}
