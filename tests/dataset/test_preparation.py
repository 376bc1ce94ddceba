import hashlib
import json
import os

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.dataset.tools import verify
from sg2ada_colab.images.fit import FitOptions


def check_hashes(folder, expected_files):
    for name, expected in expected_files.items():
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert digest == expected.get("sha256_shape_first", expected.get("sha256")), name
        assert (folder / name).stat().st_size == expected["size"]
    names = {entry.name for entry in folder.iterdir()}
    assert names == set(expected_files) | {"manifest.json"}


@pytest.mark.parametrize("kind", ["rgb", "gray"])
@pytest.mark.parametrize("shuffle", [0, 1])
@pytest.mark.parametrize("workers", [1, 2])
def test_files_equal_the_reference_byte_for_byte(tmp_path, make_folder, facts, reference, kind, shuffle, workers):
    entry = facts[f"from_images_{kind}_shuffle{shuffle}"]
    folder = make_folder(reference("dataset")[f"src_{kind}.images"], facts["src_" + kind]["names"])
    options = PrepareOptions(shuffle=bool(shuffle), workers=workers)
    result = prepare(folder, tmp_path / entry["tfrecord_dir"], options, progress=False)
    check_hashes(tmp_path / entry["tfrecord_dir"], entry["files"])
    assert result.manifest["files"].keys() == entry["files"].keys()
    for name, expected in entry["files"].items():
        assert result.manifest["files"][name]["sha256"] == expected["sha256_shape_first"]


@pytest.mark.parametrize("shuffle", [0, 1])
def test_files_with_label_vectors_equal_the_reference(tmp_path, make_folder, facts, reference, shuffle):
    entry = facts[f"from_hdf5_labels_shuffle{shuffle}"]
    folder = make_folder(reference("dataset")["src_rgb.images"])
    table = tmp_path / "labels.csv"
    rows = reference("dataset")["src_hdf5.labels"]
    table.write_text(
        "name,a,b,c,d\n" + "".join("{:04d}.png,{}\n".format(i, ",".join(map(repr, map(float, r)))) for i, r in enumerate(rows))
    )
    options = PrepareOptions(shuffle=bool(shuffle), labels=str(table))
    prepare(folder, tmp_path / entry["tfrecord_dir"], options, progress=False)
    check_hashes(tmp_path / entry["tfrecord_dir"], entry["files"])


def test_a_grey_set_becomes_rgb_and_the_other_way_round_as_asked(tmp_path, make_folder, reference):
    grey = make_folder(reference("dataset")["src_gray.images"], folder="grey")
    rgb = make_folder(reference("dataset")["src_rgb.images"], folder="rgb")
    as_rgb = open_dataset(prepare(grey, tmp_path / "a", PrepareOptions(color="rgb", shuffle=False), progress=False).path)
    as_grey = open_dataset(prepare(rgb, tmp_path / "b", PrepareOptions(color="grey", shuffle=False), progress=False).path)
    assert (as_rgb.channels, as_grey.channels) == (3, 1)
    assert (as_rgb.read([2])[0] == reference("dataset")["src_gray.images"][2][..., None]).all()
    weights = reference("dataset")["src_rgb.images"][2] @ [0.299, 0.587, 0.114]
    assert np.abs(as_grey.read([2])[0, ..., 0] - weights).max() <= 1


def test_bad_images_are_left_out_and_the_set_equals_one_without_them(tmp_path, make_folder):
    images = np.random.RandomState(1).randint(0, 256, (40, 16, 16, 3)).astype(np.uint8)
    clean = make_folder(images, folder="clean")
    dirty = make_folder(images, folder="dirty")
    data = (dirty / "0003.png").read_bytes()
    (dirty / "0003a.png").write_bytes(data[: len(data) // 2])  # its header is whole: found when it is decoded
    (dirty / "0007a.png").write_bytes(b"no image")
    (dirty / "0009a.png").write_bytes(b"")
    Image.new("RGB", (9, 20)).save(str(dirty / "small.png"))
    (dirty / "LICENSE").write_text("Do as you like.")
    (dirty / "Thumbs.db").write_bytes(b"x")
    (dirty / ".DS_Store").write_bytes(b"x")
    for workers in (1, 2):
        options = PrepareOptions(resolution=16, workers=workers)
        a = prepare(clean, tmp_path / f"clean{workers}" / "set", options, progress=False)
        b = prepare(dirty, tmp_path / f"dirty{workers}" / "set", options, progress=False)
        assert a.manifest["files"] == b.manifest["files"]
        assert sorted((name, kind) for name, kind, _ in b.problems) == [
            ("0003a.png", "truncated"), ("0007a.png", "not an image"), ("0009a.png", "empty"), ("small.png", "left out"),
        ]  # fmt: skip
        assert b.ignored == {"system file": 1, "hidden file": 1, "not an image (its name has no suffix)": 1}
        assert b.num_images == 40
    with pytest.raises(UserError, match="4 images in .* cannot be used(.|\n)*0007a.png: text(.|\n)*--strict") as caught:
        prepare(dirty, tmp_path / "strict", PrepareOptions(resolution=16, strict=True), progress=False)
    assert "small.png: 9 x 20 is too small for 16 pixels" in str(caught.value)
    assert not (tmp_path / "strict").exists()


def test_a_killed_run_goes_on_and_gives_the_same_files(tmp_path, make_folder, monkeypatch):
    from sg2ada_colab.dataset import building as module

    images = np.random.RandomState(1).randint(0, 256, (300, 8, 8, 3)).astype(np.uint8)
    folder = make_folder(images)
    whole = prepare(folder, tmp_path / "whole" / "set", PrepareOptions(), progress=False)
    calls = []
    convert = module.convert_some

    def killed(conversion, positions):
        calls.append(positions)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return convert(conversion, positions)

    monkeypatch.setattr(module, "convert_some", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder, tmp_path / "part" / "set", PrepareOptions(workers=1), progress=False)
    assert not (tmp_path / "part" / "set").exists()
    with pytest.raises(UserError, match="unfinished"):
        open_dataset(tmp_path / "part" / "set.partial")
    again = prepare(folder, tmp_path / "part" / "set", PrepareOptions(workers=1), progress=False)
    assert len(calls) == 2 + 1 + 1  # the two finished jobs are not done again
    assert again.manifest["files"] == whole.manifest["files"]
    assert os.listdir(str(tmp_path / "part")) == ["set"]


def test_what_a_crashed_machine_lost_is_written_again(tmp_path, make_folder, monkeypatch):
    from sg2ada_colab.dataset import building as module

    images = np.random.RandomState(1).randint(0, 256, (300, 8, 8, 3)).astype(np.uint8)
    folder = make_folder(images)
    convert, calls = module.convert_some, []

    def killed(conversion, positions):
        calls.append(positions)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return convert(conversion, positions)

    monkeypatch.setattr(module, "convert_some", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder, tmp_path / "set", PrepareOptions(workers=1), progress=False)
    file = tmp_path / "set.partial" / "set-r02.tfrecords"
    data = bytearray(file.read_bytes())
    data[200 * 82 : 201 * 82] = bytes(82)  # a record of the second job
    file.write_bytes(bytes(data))
    prepare(folder, tmp_path / "set", PrepareOptions(workers=1), progress=False)
    assert [positions[0] for positions in calls[3:]] == [128, 256]
    assert verify(tmp_path / "set", progress=False).problems == []


def test_a_journal_that_breaks_off_is_believed_up_to_there(tmp_path, make_folder, monkeypatch):
    from sg2ada_colab.dataset import building as module

    folder = make_folder(np.random.RandomState(1).randint(0, 256, (300, 8, 8, 3)).astype(np.uint8))
    convert, calls = module.convert_some, []

    def killed(conversion, positions):
        calls.append(positions)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return convert(conversion, positions)

    monkeypatch.setattr(module, "convert_some", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder, tmp_path / "set", PrepareOptions(workers=1), progress=False)
    journal = tmp_path / "set.partial" / "prepare-journal.jsonl"
    journal.write_text(journal.read_text()[:-3])
    prepare(folder, tmp_path / "set", PrepareOptions(workers=1), progress=False)
    assert [positions[0] for positions in calls[3:]] == [128, 256]
    assert verify(tmp_path / "set", progress=False).problems == []


def test_a_kill_while_gaps_are_closed_does_no_harm(tmp_path, make_folder, monkeypatch):
    from sg2ada_colab.dataset import building as module

    images = np.random.RandomState(1).randint(0, 256, (30, 16, 16, 3)).astype(np.uint8)
    folder = make_folder(images)
    data = (folder / "0005.png").read_bytes()
    (folder / "0005a.png").write_bytes(data[: len(data) // 2])
    replace, calls = os.replace, []

    def killed(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return replace(*arguments)

    monkeypatch.setattr(module.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder, tmp_path / "set", PrepareOptions(workers=1), progress=False)
    with pytest.raises(UserError, match="unfinished"):
        open_dataset(tmp_path / "set.partial")
    result = prepare(folder, tmp_path / "set", PrepareOptions(workers=1), progress=False)
    (folder / "0005a.png").unlink()
    clean = prepare(folder, tmp_path / "clean" / "set", PrepareOptions(workers=1), progress=False)
    assert result.manifest["files"] == clean.manifest["files"]


def test_other_options_start_the_partial_folder_anew(tmp_path, make_folder):
    folder = make_folder(np.zeros((3, 8, 8, 3), np.uint8))
    partial = tmp_path / "set.partial"
    partial.mkdir()
    (partial / "lock").touch()
    (partial / "prepare-journal.jsonl").write_text(json.dumps("another run") + "\n[0, []]\n")
    (partial / "set-r09.tfrecords").write_bytes(b"leftover")
    result = prepare(folder, tmp_path / "set", PrepareOptions(), progress=False)
    assert sorted(os.listdir(result.path)) == ["manifest.json", "set-r02.tfrecords", "set-r03.tfrecords"]


def test_tiles_cut_many_squares_from_one_image(tmp_path, make_folder):
    scan = np.random.RandomState(2).randint(0, 256, (40, 70, 3)).astype(np.uint8)
    folder = make_folder([scan])
    options = PrepareOptions(resolution=16, fit=FitOptions("tiles"), shuffle=False)
    data = open_dataset(prepare(folder, tmp_path / "set", options, progress=False).path)
    assert len(data) == 8
    expected = [scan[4 + 16 * y :][:16, 3 + 16 * x :][:, :16] for y in range(2) for x in range(4)]
    assert (data.read(range(8)) == np.array(expected)).all()
    shuffled = open_dataset(
        prepare(folder, tmp_path / "b", PrepareOptions(resolution=16, fit=FitOptions("tiles")), progress=False).path
    )
    order = np.arange(8)
    np.random.RandomState(123).shuffle(order)
    assert (shuffled.read(range(8)) == np.array(expected)[order]).all()


def test_full_only_leaves_out_the_smaller_levels(tmp_path, make_folder):
    folder = make_folder(np.full((2, 16, 16, 3), 7, np.uint8))
    result = prepare(folder, tmp_path / "set", PrepareOptions(full_only=True), progress=False)
    assert sorted(os.listdir(result.path)) == ["manifest.json", "set-r04.tfrecords"]
    assert open_dataset(result.path).resolution == 16


def test_errors_say_what_to_do(tmp_path, make_folder):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match=r"no images in .*not an image by its name \(.txt\)"):
        prepare(empty, tmp_path / "a", progress=False)
    small = make_folder(np.zeros((3, 8, 8, 3), np.uint8))
    with pytest.raises(UserError, match="none of the 3 images(.|\n)*--upscale"):
        prepare(small, tmp_path / "a", PrepareOptions(resolution=16), progress=False)
    with pytest.raises(UserError, match="12 is not a power of two"):
        prepare(small, tmp_path / "a", PrepareOptions(resolution=12), progress=False)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "x").write_text("")
    with pytest.raises(UserError, match="is in use"):
        prepare(small, tmp_path / "used", progress=False)
    with pytest.raises(UserError, match="--color 'blue' does not exist"):
        prepare(small, tmp_path / "a", PrepareOptions(color="blue"), progress=False)
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "a.partial").exists()


def test_no_space_is_said_before_anything_is_written(tmp_path, make_folder, monkeypatch):
    import collections
    import shutil

    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1000))
    with pytest.raises(UserError, match="the dataset needs(.|\n)*--full-only"):
        prepare(make_folder(np.zeros((3, 32, 32, 3), np.uint8)), tmp_path / "set", progress=False)
    assert not (tmp_path / "set").exists()


def test_two_runs_cannot_write_one_set(tmp_path, make_folder):
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "set.partial").mkdir()
    with open(str(tmp_path / "set.partial" / "lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="being written by another process"):
            prepare(make_folder(np.zeros((3, 8, 8, 3), np.uint8)), tmp_path / "set", progress=False)


def test_strict_refuses_mixed_sizes_of_which_some_do_not_fit(tmp_path, make_folder):
    sizes = [(64, 64)] * 18 + [(64, 20), (30, 64)]
    folder = make_folder([np.zeros(size + (3,), np.uint8) for size in sizes])
    with pytest.raises(UserError) as error:
        prepare(folder, tmp_path / "set", PrepareOptions(strict=True), progress=False)
    text = str(error.value)
    assert "2 images in" in text and "0018.png: 20 x 64 is too small for 64" in text and "0019.png: 64 x 30 is" in text
    assert "\n  Expected: every image valid" in text and "\n  Next: fix or remove them" in text
    assert not (tmp_path / "set").exists()
    assert prepare(folder, tmp_path / "set", PrepareOptions(), progress=False).num_images == 18  # goes on from there


def test_of_an_archive_with_sub_folders_a_csv_and_a_subset(tmp_path, make_folder):
    """The ways in, one after the other: a tar, labels by folder, a CSV with class names, only the first images."""
    import tarfile

    images = np.random.RandomState(1).randint(0, 256, (6, 8, 8, 3)).astype(np.uint8)
    names = ["{}/{}.png".format("ab"[i % 2], i) for i in range(6)]
    folder = make_folder(images, names)
    with tarfile.open(str(tmp_path / "x.tar.gz"), "w:gz") as archive:
        archive.add(str(folder), ".")
    options = PrepareOptions(shuffle=False, labels="folders", workers=2)
    from_tar = open_dataset(prepare(tmp_path / "x.tar.gz", tmp_path / "tar", options, progress=False).path)
    assert from_tar.labels.argmax(1).tolist() == [0, 0, 0, 1, 1, 1]
    assert (from_tar.read(range(6)) == images[[0, 2, 4, 1, 3, 5]]).all()
    table = tmp_path / "labels.csv"
    table.write_text("file,class\n" + "".join("{},{}\n".format(name, "hund" if i < 4 else "ä") for i, name in enumerate(names)))
    options = PrepareOptions(shuffle=False, labels=str(table), max_images=4)
    result = prepare(tmp_path / "x.tar.gz", tmp_path / "csv", options, progress=False)
    some = open_dataset(result.path)
    assert result.manifest["classes"] == ["hund", "ä"] and some.labels.argmax(1).tolist() == [0, 0, 1, 0]
    (tmp_path / "list.txt").write_text("images/b/5.png\nimages/a/2.png\n")
    listed = open_dataset(prepare(tmp_path / "list.txt", tmp_path / "list", PrepareOptions(shuffle=False), progress=False).path)
    assert (listed.read(range(2)) == images[[5, 2]]).all()  # in the list's order
