import json

import numpy as np
import pytest

from sg2ada_colab import UserError
from sg2ada_colab.images.labels import find_labels
from sg2ada_colab.images.source import Source


def source(*names, own=None):
    return Source("set", list(names), [None] * len(names), own_labels=own)


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
    own = json.dumps({"labels": [["b.png", 3], ["a.png", 0]]})
    assert find_labels(source("a.png", "b.png", own=own), "auto").rows.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    assert find_labels(source("a.png", own='{"labels": null}'), "auto") is None
    assert find_labels(source("a.png", own=own), "none") is None
    assert find_labels(source("a.png"), "auto") is None
    vectors = json.dumps({"labels": {"a.png": [0.5, -1], "b.png": [2, 3]}})
    assert find_labels(source("a.png", "b.png", own=vectors), "auto").rows.tolist() == [[0.5, -1], [2, 3]]


@pytest.mark.parametrize("own", [
    "", "[]", "{}", '{"labels": 3}', '{"labels": [["a.png"]]}', '{"labels": [[1, 2]]}', '{"labels": [["a.png", {"x": 1}]]}',
    '{"labels": [["a.png", []]]}',
    '{"labels": [["a.png", [NaN]]]}', '{"labels": [["a.png", -1]]}', '{"labels": [["a.png", 1.5]]}',
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
    table.write_text("a.png,2\nb/c.png,0\n\n")
    assert find_labels(names, str(table)).rows.tolist() == [[0, 0, 1], [1, 0, 0]]
    table.write_text("a.png,0.5,1\nb/c.png,-2,3\n")
    assert find_labels(names, str(table)).rows.tolist() == [[0.5, 1], [-2, 3]]


@pytest.mark.parametrize("text, expected", [
    ("", "has no lines"), ("a.png\n", "line without a label"), ("a.png,1,x\n", "not all numbers"),
    ("a.png,1,2\nb.png,1,2,3\n", "mixes kinds or lengths"), ("a.png,1\na.png,2\n", "twice, with different labels"),
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
