import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.images.contact_sheet import CELL_PX, contact_sheet
from sg2ada_colab.images.doctor import diagnose, report_text
from sg2ada_colab.images.find import open_source
from sg2ada_colab.images.fit import FitOptions


def picture(width, height, seed=0):
    return Image.fromarray(np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Return a folder with everything that an artist's folder may hold."""
    for i in range(12):
        picture(100 + i, 80, i).save(str(tmp_path / f"{i:02d}.png"))
    picture(100, 80, 0).save(str(tmp_path / "same.png"))
    picture(90, 90, 77).convert("RGBA").save(str(tmp_path / "alpha.png"))
    picture(90, 90, 78).convert("CMYK").save(str(tmp_path / "print.jpg"))
    picture(20, 90, 79).save(str(tmp_path / "narrow.png"))
    data = (tmp_path / "03.png").read_bytes()
    (tmp_path / "half.png").write_bytes(data[:2000])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "LICENSE").write_text("x")
    return tmp_path


@pytest.mark.parametrize("workers", [1, 2])
def test_one_pass_finds_everything(folder, workers):
    done = []
    report, _ = diagnose(open_source(folder), workers=workers, progress=done.append)
    assert (sum(done), report.files) == (19, 18)
    assert report.ignored == {"not an image by its name (.txt)": 1, "not an image (its name has no suffix)": 1}
    assert report.good == 16
    assert report.formats == {"PNG": 15, "JPEG": 1}
    assert report.modes == {"RGB": 14, "RGBA": 1, "CMYK": 1}
    assert report.notes == {"transparency": 1}
    assert report.short_sides == {"64 .. 127": 15, "16 .. 31": 1}
    assert report.suggested_resolution == report.resolution == 64
    assert report.exact == report.near == [["00.png", "same.png"]]
    assert sorted((name, kind) for name, kind, _ in report.problems) == [
        ("half.png", "truncated"), ("narrow.png", "left out"), ("text.png", "not an image"),
    ]  # fmt: skip
    assert report.num_images == 15 and report.full_only_bytes == 15 * 3 * 64 * 64
    assert report.dataset_bytes == 15 * 3 * 64 * 64 * 4 // 3
    assert not report.all_grey
    assert json.loads(json.dumps(report.as_json()))["good"] == 16


def test_the_text_tells_what_matters(folder):
    text = report_text(diagnose(open_source(folder), workers=1)[0])
    expected = [
        "18 image files, 16 can be read",
        "half.png: ",
        "text.png: text, not an image",
        "1 file is damaged: copy or download it again, or go on without",
        "245.8 kB on disk (184.3 kB with --full-only)",
    ]
    expected += ["suggested resolution: 64 pixels", "--upscale", "--drop-duplicates", "--background", "--fit=tiles"]
    for part in expected:
        assert part in text


def test_a_folder_where_nothing_is_good(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    report, _ = diagnose(open_source(tmp_path), workers=1)
    assert report.good == 0 and report.suggested_resolution is None
    assert "Nothing here can be used" in report_text(report)


def test_colourless_images_are_noticed_whatever_their_mode(tmp_path):
    Image.new("L", (32, 32), 90).convert("RGB").save(str(tmp_path / "a.png"))
    picture(32, 32).convert("L").save(str(tmp_path / "b.png"))
    report, _ = diagnose(open_source(tmp_path), workers=1)
    assert report.all_grey and report.full_only_bytes == 2 * 32 * 32


def test_the_sheet_shows_what_is_taken_bright_and_the_rest_dim(tmp_path):
    Image.new("RGB", (400, 200), (240, 240, 240)).save(str(tmp_path / "wide.png"))
    Image.new("RGB", (20, 20), (240, 240, 240)).save(str(tmp_path / "tiny.png"))
    source = open_source(tmp_path)
    _, findings = diagnose(source, 64, workers=1)
    sheet = np.asarray(contact_sheet(source, findings, 64, FitOptions(), workers=1, columns=2)).astype(int)
    assert sheet.shape == (6 + CELL_PX + 6, 2 * (CELL_PX + 6) + 6, 3)
    cell = sheet[6 : 6 + CELL_PX, 2 * 6 + CELL_PX :][:, :CELL_PX]  # the second: wide.png
    middle = cell[CELL_PX // 2]
    assert (middle[CELL_PX // 2] == 240).all() and (middle[10] == 80).all() and (middle[-10] == 80).all()
    green = (middle[:, 1] > middle[:, 0] + 100).nonzero()[0]
    assert abs(green[0] - 40) <= 1 and abs(green[-1] - 119) <= 1
    first = sheet[6 : 6 + CELL_PX, 6 : 6 + CELL_PX]
    assert (first[CELL_PX // 2, CELL_PX // 2] == (220, 60, 60)).all()  # crossed out


def deep_png(values):
    """Return a PNG with 16 bits a colour of uint16 [H, W, 3] values, which Pillow does not write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_images_that_are_nearly_black_are_told(tmp_path):
    values = np.random.RandomState(0).randint(0, 4096, (32, 32, 3)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(deep_png(values))
    report, _ = diagnose(open_source(tmp_path), workers=1)
    assert report.notes == {"16 bits a colour, the upper 8 are read": 1}
    (sentence,) = [sentence for sentence in report.advice if "nearly black" in sentence]
    assert "they hold 16 bits a colour and use the lower ones" in sentence
    (tmp_path / "a.png").write_bytes(deep_png(values * 16))
    assert not any("nearly black" in sentence for sentence in diagnose(open_source(tmp_path), workers=1)[0].advice)
    Image.new("RGB", (32, 32), (9, 5, 5)).save(str(tmp_path / "a.png"))
    (sentence,) = [sentence for sentence in diagnose(open_source(tmp_path), workers=1)[0].advice if "nearly black" in sentence]
    assert sentence == "All images are nearly black: no part of any is brighter than 9 of 255."
