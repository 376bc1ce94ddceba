"""The report of notebook 2: a table with the refused files and their pictures, in words that the form has."""

import re

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.colab.dataset_report import MOST_REFUSED, report_html
from sg2ada_colab.images.doctor import diagnose
from sg2ada_colab.images.find import open_source
from sg2ada_colab.images.fit import FitOptions
from sg2ada_colab.images.read import ReadOptions


@pytest.fixture
def report(tmp_path):
    """Return (HTML, plain) of a folder with 70 good images, two small ones, a damaged and a wrong one, and a repetition."""
    random = np.random.RandomState(1)
    for number in range(70):
        Image.fromarray(random.randint(0, 255, (16, 16, 3)).astype(np.uint8)).save(str(tmp_path / f"{number:02d}.png"))
    for name in ("small <b>.png", "tiny.png"):
        Image.new("RGB", (4, 4), name[0] == "s" and "red" or "blue").save(str(tmp_path / name))
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes((tmp_path / "00.png").read_bytes()[:200])
    (tmp_path / "again.png").write_bytes((tmp_path / "01.png").read_bytes())
    source = open_source(tmp_path)
    found, findings = diagnose(source, 16, FitOptions(), workers=1)
    return report_html(found, source, findings, FitOptions(), ReadOptions())


def test_the_headline_and_the_sheet_count(report):
    content, plain = report
    assert "73 of 75 images can be read; they give 71 pictures of 16×16." in content
    assert "60 of 73 shown. Bright: kept." in content and "75 image files" in plain
    sides = "<td>Images by their shorter side in pixels</td><td>"
    assert re.search(sides + r"(\d+ to \d+: \d+(, )?)+</td>", content)


def test_refused_files_stand_in_a_table_with_their_pictures(report):
    content = report[0]
    assert "<b>4 files are left out</b>" in content
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td></tr>", content.split("left out</b>")[1])
    found = {name: (shown, reason) for shown, name, reason in rows}
    assert found["text.png"] == ("<i>no picture</i>", "text, not an image")
    cut, reason = found["cut.png"]
    assert cut == "<i>no picture</i>" and re.match("truncated in its IDAT chunk|damaged: |image file is truncated", reason)
    shown, reason = found["small &lt;b&gt;.png"]
    assert shown.startswith('<img src="data:image/jpeg;base64,') and reason == "4 x 4 is too small for 16 pixels"


def test_repetitions_are_folded_and_shown(report):
    content = report[0]
    assert "<summary>Pictures that are there more than once</summary>" in content and "01.png = again.png" in content


def test_advice_names_fields_and_not_options_of_the_command_line(report):
    content, plain = report
    assert "What you can do" in content and "upscale enlarges those that are too small" in content
    assert "drop_duplicates=near (or =exact) leaves them out" in content
    assert not re.search(r"(?<![\w<-])--\w", re.sub(r"<!--.*?-->", "", content)) and "--" not in plain


def test_many_refused_files_are_counted(tmp_path):
    Image.new("RGB", (16, 16)).save(str(tmp_path / "good.png"))
    for number in range(MOST_REFUSED + 3):
        (tmp_path / f"{number}.jpg").write_text("x")
    source = open_source(tmp_path)
    found, findings = diagnose(source, 16, FitOptions(), workers=1)
    content, _ = report_html(found, source, findings, FitOptions(), ReadOptions())
    assert content.count("<i>no picture</i>") == MOST_REFUSED and "<div>and 3 more</div>" in content
