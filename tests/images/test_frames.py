import io

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.images.doctor import diagnose
from sg2ada_colab.images.find import open_source
from sg2ada_colab.images.frames import all_frames, headers_of_frames
from sg2ada_colab.images.read import ReadOptions, read_header
from sg2ada_colab.images.scan import scan

COLORS = [(40 * i, 200 - 30 * i, 10 + i) for i in range(6)]


def save(path, kind, frames):
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(str(path), kind, save_all=True, append_images=frames[1:], **options)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a still image, an animation of each kind, and a TIFF of pages of three sizes."""
    made = tmp_path / "images"
    for sub in ("x", "y"):
        (made / sub).mkdir(parents=True)
    Image.new("RGB", (16, 16), (1, 2, 3)).save(str(made / "x" / "still.png"))
    for kind in ("GIF", "WEBP", "PNG"):
        save(made / "x" / f"{kind}.{kind.lower()}", kind, [Image.new("RGB", (16, 16), color) for color in COLORS])
    save(made / "y" / "pages.tif", "TIFF", [Image.new("RGB", size, (9, 9, 9)) for size in ((16, 16), (32, 20), (4, 4))])
    return made


SENTENCE = "4 files hold several frames or pages; of each the first is taken, 17 are left out: --frames=all takes them."


def test_what_is_left_out_is_said_by_prepare_and_doctor(folder, tmp_path):
    result = prepare(folder, tmp_path / "set", PrepareOptions(resolution=16), progress=False)
    assert result.num_images == 5 and result.notes == [SENTENCE]
    assert SENTENCE in diagnose(open_source(folder), workers=1)[0].advice


@pytest.mark.parametrize("workers", [1, 2])
def test_all_frames_are_taken_on_request(folder, tmp_path, workers):
    options = PrepareOptions(resolution=16, frames="all", labels="folders", shuffle=False, workers=workers)
    result = prepare(folder, tmp_path / "set", options, progress=False)
    assert result.notes == [] and result.num_images == 3 * 6 + 1 + 2
    assert result.problems == [("y/pages.tif#3", "left out", "4 x 4 is too small for 16 pixels")]
    data = open_dataset(result.path)
    assert data.labels.sum(0).tolist() == [19, 2]
    pixels = data.read(range(len(data))).astype(int)
    for first in (0, 6, 12):  # GIF.gif, PNG.png, WEBP.webp
        assert np.abs(pixels[first : first + 6, 5, 5] - COLORS).max() <= 2
    assert (pixels[18] == (1, 2, 3)).all() and (pixels[19:] == 9).all()


def test_names_headers_and_files_of_frames(folder):
    source = open_source(folder)
    headers = scan(source, ReadOptions(), 1)
    expanded, files = all_frames(source, headers)
    assert expanded.names[-3:] == ["y/pages.tif", "y/pages.tif#2", "y/pages.tif#3"] and files[-4:].tolist() == [3, 4, 4, 4]
    found = headers_of_frames(expanded, headers, files, ReadOptions(), 1)
    assert [(h.width, h.height) for h in found[-3:]] == [(16, 16), (32, 20), (4, 4)]
    report, _ = diagnose(expanded, workers=1)
    assert report.good == 22 and report.exact == []
    assert not any("--frames" in sentence for sentence in report.advice)


def test_frames_of_repeated_files_are_repeated(folder, tmp_path):
    (folder / "y" / "again.gif").write_bytes((folder / "x" / "GIF.gif").read_bytes())
    options = PrepareOptions(resolution=16, frames="all", drop_duplicates="exact")
    result = prepare(folder, tmp_path / "set", options, progress=False)
    assert result.num_images == 21
    assert ("y/again.gif#6", "repeated", "the same as x/GIF.gif#6") in result.problems


def test_a_damaged_frame_costs_itself_alone(folder, tmp_path):
    noise = np.random.RandomState(0).randint(0, 256, (3, 16, 16)).astype(np.uint8)
    save(folder / "y" / "pages.tif", "TIFF", [Image.fromarray(page) for page in noise])
    data = (folder / "y" / "pages.tif").read_bytes()
    at = data.index(noise[1].tobytes())
    pages = Image.open(str(folder / "y" / "pages.tif"))
    pages.seek(1)
    assert pages.tag_v2[273] == (at,)
    strip = data.rindex(at.to_bytes(4, "little"), 0, at)  # where the second page says that its pixels lie: now far outside
    (folder / "y" / "pages.tif").write_bytes(data[:strip] + (1 << 30).to_bytes(4, "little") + data[strip + 4 :])
    result = prepare(folder, tmp_path / "set", PrepareOptions(resolution=16, frames="all"), progress=False)
    assert [name for name, _, _ in result.problems] == ["y/pages.tif#2"] and result.num_images == 18 + 1 + 2


def test_the_second_picture_of_a_photograph_is_no_frame():
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "MPO", save_all=True, append_images=[Image.new("RGB", (16, 16))])
    stream.seek(0)
    header = read_header(stream)
    assert header.format == "MPO" and header.frames == 1 and header.notes == ()
