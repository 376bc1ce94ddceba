"""The workspace: scaffolded again and again without harm, choices that last, damage that costs no run."""

import json
import os

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.workspace import Workspace, open_workspace, workspace_root


def test_is_scaffolded_idempotently(tmp_path):
    workspace = open_workspace(tmp_path)
    root = tmp_path / "colab-sg2-ada" / "stylegan2-ada"
    assert workspace.root == str(root)
    assert sorted(os.listdir(str(root))) == ["datasets", "results", "workspace.json"]
    (root / "results" / "keep").write_text("x")
    before = (root / "workspace.json").read_bytes()
    assert open_workspace(tmp_path).root == open_workspace(root).root == str(root)
    assert (root / "workspace.json").read_bytes() == before and (root / "results" / "keep").read_text() == "x"


def test_choices_last(tmp_path):
    open_workspace(tmp_path).choose(dataset="faces", batch=8)
    open_workspace(tmp_path).choose(batch=16)
    assert open_workspace(tmp_path).choices == {"dataset": "faces", "batch": 16}
    assert json.loads((tmp_path / "colab-sg2-ada" / "stylegan2-ada" / "workspace.json").read_text())["format_version"] == 1


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format_version": 1}', '{"format_version": 1, "choices": 5}', '{"format_version": "1", "choices": {}}',
     "[" * 100_000, '{"format_version": 1, "choices": ' + '{"a": ' * 50_000],
)  # fmt: skip
def test_a_damaged_file_is_put_aside_with_a_sentence(tmp_path, text):
    root = open_workspace(tmp_path).root
    with open(os.path.join(root, "workspace.json"), "w") as file:
        file.write(text)
    workspace = open_workspace(tmp_path)
    assert workspace.choices == {} and "was damaged" in workspace.notes[0]
    with open(os.path.join(root, "workspace.json.damaged")) as file:
        assert file.read() == text
    assert open_workspace(tmp_path).notes == ()


def test_a_later_version_is_refused(tmp_path):
    root = open_workspace(tmp_path).root
    with open(os.path.join(root, "workspace.json"), "w") as file:
        file.write('{"format_version": 7, "choices": {}}')
    with pytest.raises(UserError, match="format version 7"):
        open_workspace(tmp_path)


def test_a_place_that_cannot_hold_it_says_so(tmp_path):
    (tmp_path / "colab-sg2-ada").write_text("a file is in the way")
    with pytest.raises(UserError, match="cannot be made") as error:
        open_workspace(tmp_path)
    assert "sg2ada init" in error.value.next_step


def test_runs_are_written_on_the_machine_first_in_colab_only(tmp_path, fake_colab, monkeypatch):
    workspace = Workspace(workspace_root(tmp_path))
    assert workspace.places() == ["/content/sg2ada/results", workspace.results]
    monkeypatch.setattr("sg2ada_colab.machine.COLAB_MARK", str(tmp_path / "absent"))
    assert workspace.places() == [workspace.results]
