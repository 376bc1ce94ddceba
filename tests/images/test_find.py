import io
import os
import struct
import tarfile
import zipfile
import zlib

import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.images import archives
from sg2ada_colab.images.archives import ZipSource
from sg2ada_colab.images.find import open_source
from sg2ada_colab.images.labels import find_labels


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
    assert list(source.label_files) == ["dataset.json"] and source.label_file() == "dataset.json"
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
    assert source.open_at(source.label_files["dataset.json"]).read() == b"{}"
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
    (tmp_path / "list.txt").write_text("ab\0.png\na.png\n")
    source = open_source(tmp_path / "list.txt")
    with pytest.raises(OSError, match="no name of a file"):
        source.open(0)
    assert source.fingerprint()
    (tmp_path / "list.txt").write_text("a.png\na.png\n")
    with pytest.raises(UserError, match="names 1 files twice, such as a.png"):
        open_source(tmp_path / "list.txt")


def test_other_paths(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    assert open_source(tmp_path / "a.png").names == ["a.png"]
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(UserError, match="not a kind of file that holds images"):
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


@pytest.mark.parametrize("name", ["birds.zip", "birds.tar.gz", "birds"])
def test_the_labels_of_a_folder_that_was_packed_itself_are_found(tmp_path, name):
    members = [
        ("birds/0.png", png()),
        ("birds/1.png", png()),
        ("birds/dataset.json", b'{"labels": [["0.png", 1], ["1.png", 0]]}'),
    ]
    if name == "birds":
        for member, data in members:
            (tmp_path / name / member).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / member).write_bytes(data)
    else:
        write_archive(tmp_path / name, members + [("__MACOSX/birds/._dataset.json", b"x")])
    source = open_source(tmp_path / name)
    assert find_labels(source, "auto").rows.tolist() == [[0, 1], [1, 0]]
    assert source.ignored == ({} if name == "birds" else {"system file": 1})


def test_a_link_to_a_label_file_is_followed(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "0.png").write_bytes(png())
    (tmp_path / "labels.json").write_text('{"labels": [["0.png", 0]]}')
    os.symlink(str(tmp_path / "labels.json"), str(tmp_path / "set" / "dataset.json"))
    assert find_labels(open_source(tmp_path / "set"), "auto").rows.tolist() == [[1]]


def test_pipes_and_devices_are_no_images(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.png").write_bytes(png())
    os.mkfifo(str(folder / "pipe.png"))
    os.symlink(str(folder / "pipe.png"), str(folder / "link.png"))
    os.symlink("/dev/zero", str(folder / "zero.png"))
    os.mkfifo(str(folder / "dataset.json"))
    source = open_source(folder)
    assert source.names == ["a.png"] and source.label_files == {} and source.ignored == {"not a plain file": 4}
    (tmp_path / "list.txt").write_text(f"{folder}/pipe.png\n/dev/zero\n{folder}\n")
    source = open_source(tmp_path / "list.txt")
    for index in range(3):
        with pytest.raises(OSError, match="not a plain file"):
            source.open(index)
    with pytest.raises(UserError, match="pipe.png is not a plain file"):
        open_source(folder / "pipe.png")


@pytest.fixture
def deep_folder(tmp_path):
    """Yield a folder in which an image lies 1,100 folders deep; take it away again, because pytest cannot."""
    here, made = os.getcwd(), str(tmp_path / "deep")
    os.mkdir(made)
    try:
        os.chdir(made)
        for _ in range(1100):
            os.mkdir("d")
            os.chdir("d")
        with open("deep.png", "wb") as file:
            file.write(png())
    finally:
        os.chdir(here)
    yield made
    os.unlink(made + "/d" * 1100 + "/deep.png")
    for depth in range(1100, 0, -1):
        os.rmdir(made + "/d" * depth)


def test_a_thousand_nested_folders(deep_folder):
    source = open_source(deep_folder)
    assert source.names == ["d/" * 1100 + "deep.png"] and source.open(0).read() == png()


def test_a_folder_of_several_archives_is_one_source(tmp_path):
    labels = b'{"labels": [["a.png", 0], ["b.png", 1], ["c.png", 1]]}'
    write_archive(tmp_path / "birds-001.zip", [("birds/a.png", png()), ("birds/dataset.json", labels)])
    write_archive(tmp_path / "birds-002.tar.gz", [("birds/b.png", png((7, 7, 7))), ("birds/c.png", png()), ("x.txt", b"")])
    source = open_source(tmp_path)
    assert source.names == ["birds/a.png", "birds/b.png", "birds/c.png"]
    assert source.open(1).read() == png((7, 7, 7)) and source.open(0).read() == png()
    assert find_labels(source, "auto").rows.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert source.ignored == {"not an image by its name (.txt)": 1}
    before = source.fingerprint()
    write_archive(tmp_path / "birds-001.zip", [("birds/b.png", png((8, 8, 8)))])
    source = open_source(tmp_path)
    assert source.names == ["birds-001/birds/b.png", "birds-002.tar/birds/b.png", "birds-002.tar/birds/c.png"]
    assert source.open(0).read() == png((8, 8, 8)) and source.fingerprint() != before


def test_an_archive_beside_images_is_said(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    write_archive(tmp_path / "b.zip", [("b.png", png())])
    assert open_source(tmp_path).ignored == {"archive among other files (unpack it, or give it by itself)": 1}
    archive = write_archive(tmp_path / "c.zip", [("b.zip", b"x"), ("a.png", png())])
    assert open_source(archive).ignored == {"archive among other files (unpack it, or give it by itself)": 1}


def deflate64_zip(path, name, data):
    """Write a zip whose one member is packed with Deflate64; below 258 bytes a match the two packings are the same."""
    pytest.importorskip("inflate64")
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflater.compress(data) + deflater.flush()
    write_archive(path, [(name, packed)])
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(name, packed)
    content = bytearray(path.read_bytes())
    for start, method, crc, size in ((0, 8, 14, 22), (content.rindex(b"PK\x01\x02"), 10, 16, 24)):
        content[start + method : start + method + 2] = struct.pack("<H", 9)
        content[start + crc : start + crc + 4] = struct.pack("<I", zlib.crc32(data))
        content[start + size : start + size + 4] = struct.pack("<I", len(data))
    path.write_bytes(bytes(content))
    return path


def test_deflate64_is_read_where_a_library_is_present_and_refused_with_the_reason_else(tmp_path, monkeypatch):
    path = deflate64_zip(tmp_path / "x.zip", "a.png", png())
    assert open_source(path).open(0).read() == png()
    damaged = bytearray(path.read_bytes())
    damaged[60] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(OSError, match="in the archive"):
        open_source(path).open(0)
    monkeypatch.setattr(archives, "inflate64", None)
    with pytest.raises(UserError, match="1 image in the archive .*x.zip packed with Deflate64(.|\n)*pip install inflate64"):
        open_source(path)


def test_an_unknown_way_of_packing_is_named(tmp_path):
    path = write_archive(tmp_path / "x.zip", [("a.png", png())])
    content = bytearray(path.read_bytes())
    for start, method in ((0, 8), (content.rindex(b"PK\x01\x02"), 10)):
        content[start + method] = 98
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="1 image in the archive .*x.zip packed with the zip method 98(.|\n)*unpack it"):
        open_source(path)


def test_names_that_begin_with_the_present_folder(tmp_path):
    assert open_source(write_archive(tmp_path / "x.zip", [("./a/b.png", png()), (".hid/c.png", png())])).names == ["a/b.png"]


def test_names_that_are_no_unicode(tmp_path):
    (tmp_path / os.fsdecode(b"ch\xe2t")).mkdir()
    (tmp_path / os.fsdecode(b"ch\xe2t") / "a.png").write_bytes(png())
    source = open_source(tmp_path)
    assert source.names == ["ch\udce2t/a.png"] and source.open(0).read() == png()
