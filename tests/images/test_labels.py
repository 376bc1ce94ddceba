import io
import json
import os
import unicodedata

import numpy as np
import pytest

from sg2ada_colab import UserError
from sg2ada_colab.images.labels import find_labels
from sg2ada_colab.images.source import Source


class Own(Source):
    """A source whose label files are texts, at hand."""

    def open_at(self, location):
        return io.BytesIO(location if isinstance(location, bytes) else location.encode())


def source(*names, own=None, own_name="dataset.json"):
    return Own("set", list(names), [None] * len(names), label_files={} if own is None else {own_name: own})


def message(*arguments):
    with pytest.raises(UserError) as caught:
        find_labels(*arguments)
    return str(caught.value)


def test_sub_folders_become_classes_in_code_point_order():
    labels = find_labels(source("b/1.png", "b/2.png", "a/1.png", "B/x/1.png"), "folders")
    assert labels.classes == ["B/x", "a", "b"]
    assert labels.rows.dtype == np.float32
    assert labels.rows.tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_without_sub_folders_there_are_no_classes():
    assert "has no sub-folders" in message(source("a.png", "b.png"), "folders")
    assert "1 of 2 images without a label: b.png" in message(source("x/a.png", "b.png"), "folders")


def test_dataset_json():
    own = json.dumps({"labels": [["b.png", 1], ["a.png", 0], ["c.png", 1]]})
    assert find_labels(source("a.png", "b.png", "c.png", own=own), "auto").rows.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert find_labels(source("a.png", own='{"labels": null}'), "auto") is None
    assert find_labels(source("a.png", own=own), "none") is None
    assert find_labels(source("a.png"), "auto") is None
    vectors = json.dumps({"labels": {"a.png": [0.5, -1], "b.png": [2, 3]}})
    assert find_labels(source("a.png", "b.png", own=vectors), "auto").rows.tolist() == [[0.5, -1], [2, 3]]


@pytest.mark.parametrize("own", [
    "", "[]", "{}", '{"labels": 3}', '{"labels": [["a.png"]]}', '{"labels": [[1, 2]]}', '{"labels": [["a.png", {"x": 1}]]}',
    '{"labels": [["a.png", []]]}',
    '{"labels": [["a.png", [NaN]]]}', '{"labels": [["a.png", -1]]}', '{"labels": [["a.png", [[1]]]]}',
    '{"labels": [["a.png", true]]}', '{"labels": [["a.png", 99999999999]]}', '{"labels": [["a.png", 1], ["a.png", 2]]}',
])  # fmt: skip
def test_a_dataset_json_that_is_wrong_is_refused(own):
    assert "label file" in message(source("a.png", own=own), "auto")


def test_csv_with_class_names_numbers_and_vectors(tmp_path):
    table = tmp_path / "labels.csv"
    names = source("a.png", "b/c.png")
    table.write_text("\ufefffilename,class\na.png,cat\nb\\c.png, dog \n", encoding="utf-8")
    labels = find_labels(names, str(table))
    assert labels.classes == ["cat", "dog"] and labels.rows.tolist() == [[1, 0], [0, 1]]
    table.write_text("a.png,1\nb/c.png,0\n\n")
    assert find_labels(names, str(table)).rows.tolist() == [[0, 1], [1, 0]]
    table.write_text("a.png,0.5,1\nb/c.png,-2,3\n")
    assert find_labels(names, str(table)).rows.tolist() == [[0.5, 1], [-2, 3]]


@pytest.mark.parametrize("text, expected", [
    ("", "has no lines"), ("a.png\n", "line without a label"), ("a.png,1,x\n", "not all numbers"),
    ("a.png,1,2\nb.png,1,2,3\n", "mixes kinds or lengths of labels: a list of 2 for a.png, a list of 3 for b.png"),
    ("a.png,1\na.png,2\n", "twice, with different labels"),
])  # fmt: skip
def test_a_csv_that_is_wrong(tmp_path, text, expected):
    (tmp_path / "labels.csv").write_text(text)
    assert expected in message(source("a.png", "b.png"), str(tmp_path / "labels.csv"))


def test_names_that_do_not_fit_are_told_from_both_sides(tmp_path):
    (tmp_path / "labels.csv").write_text("a.png,1\nx.png,1\ny.png,1\n")
    text = message(source("a.png", "b.png"), str(tmp_path / "labels.csv"))
    assert "1 of 2 images without a label: b.png" in text
    assert "2 labels are for images not there: x.png, y.png" in text
    assert "--labels none" in text
    assert "cannot be read" in message(source("a.png"), str(tmp_path / "nothing.csv"))
    (tmp_path / "labels.json").write_text('{"labels": null}')
    assert "holds no labels" in message(source("a.png"), str(tmp_path / "labels.json"))


def rows(*values, names=None, own_name="dataset.json"):
    """Return the label rows of images that a dataset.json gives these values."""
    names = names or [f"{i}.png" for i in range(len(values))]
    own = json.dumps({"labels": [[name.rpartition("/")[2], value] for name, value in zip(names, values)]})
    return find_labels(source(*names, own=own, own_name=own_name), "auto").rows.tolist()


def test_numbers_are_classes_where_all_are_whole_and_one_component_else():
    assert rows(1.0, 0, 2.0) == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert rows(0.5, 2, -1) == [[0.5], [2], [-1]]
    assert rows([3], [0]) == [[3], [0]]
    assert rows([True, False], [False, False]) == [[1, 0], [0, 0]]


def test_numbers_in_a_csv_are_read_alike(tmp_path):
    table = tmp_path / "labels.csv"
    for text, expected in (
        ("1.0 0", [[0, 1], [1, 0]]), ("1e0 0", [[0, 1], [1, 0]]), ("0.5 -2", [[0.5], [-2]]), ("2 10", [[1, 0], [0, 1]]),
    ):  # fmt: skip
        a, b = text.split()
        table.write_text(f"a.png,{a}\nb.png,{b}\n")
        if text == "2 10":
            assert "the class number 10 for b.png, but there are only 2 images" in message(source("a.png", "b.png"), str(table))
        else:
            assert find_labels(source("a.png", "b.png"), str(table)).rows.tolist() == expected


def test_digits_of_other_scripts_and_underscores_are_names(tmp_path):
    (tmp_path / "labels.csv").write_text("a.png,²\nb.png,1_0\n", encoding="utf-8")
    assert find_labels(source("a.png", "b.png"), str(tmp_path / "labels.csv")).classes == ["1_0", "²"]


@pytest.mark.parametrize("value, reason", [
    (1000000, "has the class number 1000000 for 1.png, but there are only 2 images: more classes than images"),
    (2, "has the class number 2 for 1.png, but there are only 2 images: more classes than images"),
    (-1, "has the class number -1 for 1.png; classes count from 0"),
    (10**400, "has for 1.png the value 1000000000000000... (401 characters); a label holds up to 3.4e+38"),
    (1e39, "has for 1.png the value 1e+39; a label holds up to 3.4e+38"),
    (float("inf"), "has for 1.png the value inf; a label holds up to 3.4e+38"),
    (float("nan"), "has for 1.png the value nan; a label holds up to 3.4e+38"),
    ([1, 2], "mixes kinds or lengths of labels: a number for 0.png, a list of 2 for 1.png"),
    ("cat", "mixes kinds or lengths of labels: a number for 0.png, a name for 1.png"),
    (True, "has for 1.png the label True, which is not a class, number or list of numbers"),
    ({"a": 1}, "has for 1.png the label {'a': 1}, which is not a class, number or list of numbers"),
])  # fmt: skip
def test_what_cannot_be_a_label_is_told_with_its_image(value, reason):
    own = json.dumps({"labels": [["0.png", 0], ["1.png", value]]})
    assert reason in message(source("0.png", "1.png", own=own), "auto")


def test_values_at_the_edge_of_float32():
    assert rows([3.4e38], [-3.4e38]) == [[np.float32(3.4e38)], [np.float32(-3.4e38)]]
    assert "1e+39" in message(source("a.png", own='{"labels": [["a.png", [0, 1e39]]]}'), "auto")
    assert "a number of 5000 digits" in message(source("a.png", own='{"labels": [["a.png", %s]]}' % ("9" * 5000)), "auto")


def test_more_labels_than_memory_are_refused(monkeypatch):
    names = [f"{i}/x.png" for i in range(40000)]
    assert "has 40000 classes for 40000 images, which takes 6.4 GB" in message(source(*names), "folders")


def test_class_names_that_are_numbers_are_in_their_order(tmp_path):
    assert find_labels(source("10/a.png", "9/a.png", "1/a.png"), "folders").classes == ["1", "9", "10"]
    assert find_labels(source("10/a.png", "9/a.png", "x/a.png"), "folders").classes == ["10", "9", "x"]
    assert find_labels(source("a", "b", own='{"labels": {"a": "10", "b": "9"}}'), "auto").rows.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["labels.json", "labels.csv", "own"])
def test_every_encoding_of_unicode(tmp_path, encoding, name):
    names = ["bär/1.png", "a.png"]
    own = json.dumps({"labels": [["bär/1.png", "ä"], ["a.png", "b"]]}, ensure_ascii=False)
    text = own if name != "labels.csv" else "a.png,b\nbär/1.png,ä\n"
    (tmp_path / name).write_bytes(text.encode(encoding))
    if name == "own":
        labels = find_labels(source(*names, own=own.encode(encoding)), "auto")
    else:
        labels = find_labels(source(*names), str(tmp_path / name))
    assert labels.classes == ["b", "ä"] and labels.rows.tolist() == [[0, 1], [1, 0]]


def test_names_that_differ_in_their_unicode_form_alone_are_one_name():
    composed, taken_apart = unicodedata.normalize("NFC", "bär.png"), unicodedata.normalize("NFD", "bär.png")
    assert composed != taken_apart
    for on_disk, in_file in ((composed, taken_apart), (taken_apart, composed)):
        own = json.dumps({"labels": {in_file: 1, "b.png": 0}})
        assert find_labels(source(on_disk, "b.png", own=own), "auto").rows.tolist() == [[0, 1], [1, 0]]
    both = json.dumps({"labels": {composed: 1, taken_apart: 0}})  # two files, as on a Linux disk
    assert find_labels(source(composed, taken_apart, own=both), "auto").rows.tolist() == [[0, 1], [1, 0]]
    one = json.dumps({"labels": {composed: 1}})
    assert "1 of 2 images without a label" in message(source(composed, taken_apart, own=one), "auto")


def test_class_names_that_differ_in_their_unicode_form_alone_are_one_class():
    names = [unicodedata.normalize(form, "ä/" + form) for form in ("NFC", "NFD")]
    assert find_labels(source(*names), "folders").classes == ["ä"]


@pytest.mark.parametrize("names, own_name", [
    (("birds/0.png", "birds/1.png"), "birds/dataset.json"),
    (("birds/00000/0.png", "birds/00000/1.png"), "birds/00000/dataset.json"),
    (("birds/0.png", "birds/1.png"), "birds/Dataset.JSON"),
])  # fmt: skip
def test_labels_below_the_top_folder(names, own_name):
    assert rows(1, 0, names=list(names), own_name=own_name) == [[0, 1], [1, 0]]


def test_labels_above_the_common_folder_and_names_from_the_top():
    own = json.dumps({"labels": {"00000/0.png": 1, "00000/1.png": 0}})
    names = ("birds/00000/0.png", "birds/00000/1.png")
    assert find_labels(source(*names, own=own, own_name="birds/dataset.json"), "auto").rows.tolist() == [[0, 1], [1, 0]]
    own = json.dumps({"labels": {name: i for i, name in enumerate(names)}})
    assert find_labels(source(*names, own=own, own_name="birds/dataset.json"), "auto").rows.tolist() == [[1, 0], [0, 1]]


def test_labels_of_some_folders_alone_are_refused_and_not_dropped():
    some = source("train/0.png", "val/0.png", own='{"labels": [["0.png", 0]]}', own_name="train/dataset.json")
    text = message(some, "auto")
    assert "set holds dataset.json in train/dataset.json, but not all images lie there" in text and "--labels none" in text
    assert find_labels(some, "none") is None


@pytest.mark.parametrize("data, reason", [
    (b"[" * 100000, "cannot be read: its brackets nest 100000 deep; the limit is 64"),
    (b'{"labels": ' + b'{"a":' * 70 + b"1" + b"}" * 71, "nest 71 deep"),
    (b'{"labels": [["caf\xe9.png", 0]]}', "cannot be read: it is not UTF-8 text at byte"),
])  # fmt: skip
def test_json_that_is_too_deep_or_no_text(data, reason):
    assert reason in message(source("a.png", own=data), "auto")


@pytest.mark.parametrize("text, reason", [
    ('a.png,"' + "x" * 200000, "cannot be read: field larger than field limit"), ("a.png,x\0y\nb.png,z", ""),
])  # fmt: skip
def test_csv_that_csv_cannot_read(tmp_path, text, reason):
    (tmp_path / "labels.csv").write_text(text)
    assert reason in message(source("a.png", "c.png"), str(tmp_path / "labels.csv"))


def test_a_pipe_is_no_label_file(tmp_path):
    os.mkfifo(str(tmp_path / "labels.csv"))
    assert "cannot be read: not a plain file" in message(source("a.png"), str(tmp_path / "labels.csv"))
