"""The folder to give a network away, and its upload with a client that is made up."""

import sys

import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.files import sha256_of
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.publish import Answers, publish, upload
from tests.oracles.forms import FORMS, picture_shape
from tests.oracles.small_snapshots import small_snapshot

ANSWERS = Answers("Flags", "cc0-1.0", "366 flags.", "public domain", description="Flags that are none.", authors="Somebody")


@pytest.mark.parametrize("form", ["square", "wide rgba"])
def test_the_folder_holds_a_card_both_files_and_a_grid(form, tmp_path):
    pytest.importorskip("safetensors")
    snapshot, folder = small_snapshot(label_size=2, **FORMS[form]), tmp_path / "flags"
    height, width, channels = picture_shape(form)
    files = publish(TrainedGenerator(snapshot.Gs, xla=False), snapshot, ANSWERS, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)
    card = (folder / "README.md").read_text()
    head = card.split("---")[1]
    assert 'license: "cc0-1.0"' in head and 'library_name: "sg2ada_colab"' in head and '"stylegan2-ada"' in head
    expected = [
        "# Flags",
        f"{width}x{height} pixels, {channels} channels, 2 classes",
        "stylegan2-ada-pytorch and stylegan3, too" if width == height else "the PyTorch programs know squares only",
        "366 flags.",
        "Licence of the images: public domain",
        "Somebody",
    ]
    for words in expected + [sha256_of(folder / "network.pkl")[1], "Flags that are none."]:
        assert words in card
    for name in ("network.pkl", "network.safetensors"):
        assert set(read_snapshot(folder / name).Gs.variables) == set(snapshot.Gs.variables)
    assert Image.open(str(folder / "grid.png")).size == (4 * width, 4 * height)
    with pytest.raises(UserError, match="is there already"):
        publish(TrainedGenerator(snapshot.Gs, xla=False), snapshot, ANSWERS, folder)


def test_what_only_a_person_knows_is_asked(tmp_path):
    with pytest.raises(UserError) as refused:
        publish(None, None, Answers(name="Flags", licence=" "), tmp_path / "flags")
    assert "--licence: under which licence" in refused.value.what and "--data: what was it trained on" in refused.value.what
    assert "--name" not in refused.value.what and not (tmp_path / "flags").exists()


class Client:
    """Notes what it is asked for."""

    def __init__(self, error=None):
        self.calls, self.error = [], error

    def create_repo(self, **arguments):
        self.calls.append(("create_repo", arguments))

    def upload_folder(self, **arguments):
        if self.error:
            raise self.error
        self.calls.append(("upload_folder", arguments))


def test_upload(tmp_path, monkeypatch):
    client = Client()
    assert upload(tmp_path, "me/flags", True, client) == "hf://me/flags/network.pkl"
    assert client.calls == [
        ("create_repo", {"repo_id": "me/flags", "private": True, "exist_ok": True}),
        ("upload_folder", {"folder_path": str(tmp_path), "repo_id": "me/flags"}),
    ]
    with pytest.raises(UserError, match="'flags' names no repository"):
        upload(tmp_path, "flags", client=client)
    with pytest.raises(UserError, match="The Hub did not take .*: 401 Unauthorized"):
        upload(tmp_path, "me/flags", client=Client(ValueError("401 Unauthorized")))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match="huggingface_hub is not installed"):
        upload(tmp_path, "me/flags")
