import numpy as np
import pytest
from PIL import Image

from sg2ada_colab import UserError
from sg2ada_colab.dataset import PrepareOptions, open_dataset, prepare
from sg2ada_colab.images.doctor import diagnose
from sg2ada_colab.images.find import open_source
from sg2ada_colab.images.grey_range import GreyValues, parse_grey_range, range_for_all

SENTENCE = (
    "2 images of grey in more than 8 bits use the values 0 to 4095 of 0 to 65535, which is nearly black; "
    "--grey-range=used, or --grey-range=0:4095, stretches them."
)


def ramp(top, dtype=np.uint16):
    return np.linspace(0, top, 64).reshape(8, 8).astype(dtype)


@pytest.fixture
def scans(tmp_path):
    """Return a folder of two scans of 12 bits in 16-bit PNGs, of which one is darker and the other way round."""
    (tmp_path / "scans").mkdir()
    Image.fromarray(ramp(4095)).save(str(tmp_path / "scans" / "a.png"))
    Image.fromarray(np.ascontiguousarray(ramp(1000)[::-1])).save(str(tmp_path / "scans" / "b.png"))
    return tmp_path / "scans"


def converted(folder, target, how):
    result = prepare(folder, target, PrepareOptions(grey_range=how, shuffle=False), progress=False)
    return open_dataset(result.path).read([0, 1])[..., 0].astype(int), result


def test_scans_of_12_bits_are_said_and_stretched_on_request(scans, tmp_path):
    dark, result = converted(scans, tmp_path / "full", "full")
    assert result.notes == [SENTENCE] and dark.max() == 16
    for how in ("used", (0, 4095)):
        stretched, result = converted(scans, tmp_path / f"set{how}", how)
        assert result.notes == [] and result.manifest["options"]["grey_range"] == (0.0, 4095.0)
        assert (stretched[0] == np.rint(ramp(4095) / 4095 * 255)).all()  # one range for all images
        assert (stretched[1] == np.rint(ramp(1000)[::-1] / 4095 * 255)).all()


def test_the_doctor_says_it_and_tells_dark_images_apart(scans):
    report, _ = diagnose(open_source(scans), workers=1)
    assert report.advice[-1] == SENTENCE and report.grey_values == (0, 4095) and report.near == []


def test_the_whole_of_16_bits_is_nothing_to_talk_about(scans, tmp_path):
    Image.fromarray(ramp(65535)).save(str(scans / "c.png"))
    pixels, result = converted(scans, tmp_path / "set", "full")
    assert result.notes == [] and pixels[0].max() == 16
    assert not any("--grey-range" in sentence for sentence in diagnose(open_source(scans), workers=1)[0].advice)


def test_floats_of_one_collection_share_their_white(tmp_path):
    (tmp_path / "floats").mkdir()
    Image.fromarray(ramp(1.0, np.float32)).save(str(tmp_path / "floats" / "a.tif"))
    Image.fromarray(ramp(2.0, np.float32)).save(str(tmp_path / "floats" / "b.tif"))
    pixels, result = converted(tmp_path / "floats", tmp_path / "set", "full")
    assert pixels.max(axis=(1, 2)).tolist() == [1, 2] and "use the values 0 to 2 of 0 to 255" in result.notes[0]
    pixels, _ = converted(tmp_path / "floats", tmp_path / "stretched", "used")
    assert pixels.max(axis=(1, 2)).tolist() == [128, 255]


def test_what_becomes_black_and_white():
    bright = GreyValues(5, 60000, 65000, "I")
    assert bright.use_little() and "nearly without contrast" in bright.advice()
    assert not GreyValues(5, 7, 7, "I").use_little() and not GreyValues(5, 0, 70000, "I").use_little()
    assert range_for_all("full", bright) == (0, 65535) and range_for_all("used", bright) == (60000, 65000)
    assert range_for_all("used", GreyValues(1, 7, 7, "I")) == (0, 65535) and range_for_all((1, 2), bright) == (1, 2)
    assert range_for_all("full", GreyValues(2, 0, 3, "")) is None and range_for_all("used", None) is None


@pytest.mark.parametrize("text", ["", "all", "5", "5:5", "9:1", "0:nan", "0:inf", "1:2:3"])
def test_a_range_that_is_none(text):
    with pytest.raises(UserError, match="(?s)--grey-range is .*two numbers such as 0:4095") as error:
        parse_grey_range(text)
    assert repr(text) in str(error.value)


def test_ranges_in_words():
    assert [parse_grey_range(text) for text in ("full", "used", "0:4095", "-1:0.5")] == ["full", "used", (0, 4095), (-1, 0.5)]
