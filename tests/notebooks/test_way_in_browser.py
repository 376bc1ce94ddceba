"""The way in, in a real browser, as a person goes it: where it broke before. JupyterLab and the classic Notebook."""

import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from .browser import WAIT_MS, front_end_fixture, page_fixture, see, take_picture  # noqa: F401  the fixtures
from .conftest import TINY

pytestmark = pytest.mark.slow
HEIF = pytest.importorskip("pillow_heif")


@pytest.fixture
def photographs(home):
    """A zip of 40 photographs on Drive, one of them HEIC, one cut off, and one that is text."""
    random = np.random.RandomState(4)
    folder = home.folder / "made"
    folder.mkdir()
    for number in range(39):
        Image.fromarray(random.randint(0, 255, (40, 60, 3)).astype(np.uint8)).save(str(folder / f"IMG_{number:04d}.jpg"))
    HEIF.from_pillow(Image.new("RGB", (64, 48), "teal")).save(str(folder / "IMG_0039.HEIC"))
    (folder / "cut.jpg").write_bytes((folder / "IMG_0001.jpg").read_bytes()[:700])
    (folder / "notes.png").write_text("no image at all")
    with zipfile.ZipFile(str(home.folder / "photos.zip"), "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(str(path), path.name)


def test_ones_own_photographs_after_the_demo(front_end, page, home, photographs):
    """Run all with the flags, then choose the photographs in the list and press Run all again: they are the dataset."""
    front_end.open(page, "02_dataset")
    front_end.run_all(page)
    see(page, r"flags: 366 images of 32 px")
    see(page, r"Everything lies in .*, on this computer")
    page.locator(f"{front_end.cells} select").last.select_option(
        label="photos.zip ({})".format(_size(home.folder / "photos.zip"))
    )
    page.wait_for_timeout(1000)
    front_end.run_all(page)
    see(page, r"40 of 42 images can be read; they give 40 pictures of 32×32")
    see(page, r"2 files are left out")
    see(page, r"photos: 40 images of 32 px")
    bring(page, "2 files are left out")
    take_picture(page, front_end, "report")
    names = sorted(path.name for path in (home.workspace / "datasets").iterdir())
    assert names == ["flags", "photos"]
    assert '"dataset": "photos"' in (home.workspace / "workspace.json").read_text()
    assert not [problem for problem in page.problems if "sg2" in problem]


def bring(page, text):
    """Scroll a text into view, for the picture."""
    page.locator(".jp-OutputArea, .output_area").get_by_text(re.compile(text)).first.scroll_into_view_if_needed()
    page.wait_for_timeout(500)


def _size(path):
    return f"{path.stat().st_size / 1e3:.1f} kB"


def test_no_gpu_then_finish_and_train_again_and_a_changed_field_in_a_fresh_kernel(front_end, page, home):
    """On a FAKE Colab without a GPU, whose Drive is really unmounted."""
    home.play_colab()
    home.add_dataset("photos")
    tiny = dict(TINY["train"], kimg=1)
    home.set_sizes({"train": {name: value for name, value in tiny.items() if name != "without_gpu"}})
    nothing_is_started_without_a_gpu(front_end, page, home)
    home.set_sizes({"train": tiny})
    finish_and_train_again(front_end, page, home)
    a_changed_field_is_asked_about(front_end, page)


def nothing_is_started_without_a_gpu(front_end, page, home):
    front_end.open(page, "03_train")
    front_end.run_all(page)
    warning = page.get_by_role("alert").get_by_text(re.compile("There is no GPU on this machine")).first
    warning.wait_for(timeout=WAIT_MS)
    assert warning.evaluate("text => parseFloat(getComputedStyle(text).fontSize)") >= 18
    see(page, "Nothing was started, because this machine has no GPU")
    bring(page, "There is no GPU on this machine")
    take_picture(page, front_end, "no-gpu")
    assert page.locator(".sg2-panel").count() == 0 and home.run_dir() is None


def finish_and_train_again(front_end, page, home):
    front_end.end_sessions()
    front_end.fill("03_train", unmount=True)
    front_end.open(page, "03_train")
    front_end.run_all(page)
    see(page, "Everything is on Drive, and Drive is unmounted")
    assert not (home.content / "drive" / "MyDrive").exists()
    page.wait_for_timeout(1000)
    front_end.run_all(page)  # in the same kernel: Drive is mounted again, and the dataset is found
    see(page, "This run is finished: 1")
    see(page, "Everything is on Drive, and Drive is unmounted")


def a_changed_field_is_asked_about(front_end, page):
    front_end.end_sessions()
    front_end.fill("03_train", unmount=False, gamma="2", kimg="")
    front_end.open(page, "03_train")
    front_end.run_all(page)
    see(page, "Some fields differ from what the run 00000-photos.* was begun with")
    see(page, "Nothing was started: gamma differs from the run")
    bring(page, "Some fields differ from what the run")
    take_picture(page, front_end, "changed-field")
    front_end.end_sessions()
    front_end.fill("03_train", if_different="go on as begun")
    front_end.open(page, "03_train")
    front_end.run_all(page)
    see(page, "This run is finished: 1")
