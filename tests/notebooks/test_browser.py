"""The notebooks in a real browser: JupyterLab with ipywidgets 8 and the classic Notebook with ipywidgets 7, clicked through.

Colab's own front end cannot be had here.
"""

import re

import pytest

from .browser import HANDLE, WAIT_MS, front_end_fixture, page_fixture, see, take_picture, turn  # noqa: F401  the fixtures
from .front_ends import FrontEnd

nbformat = pytest.importorskip("nbformat")

pytestmark = pytest.mark.slow


def pictures(page, inside):
    """Return [(alt, natural width)] of the pictures inside an element, but for the badge, which lies on a server."""
    script = "root => [...root.querySelectorAll('img[src^=data]')].map(image => [image.alt, image.naturalWidth])"
    return page.locator(inside).last.evaluate(script)


def bring_into_view(page, selector):
    page.locator(selector).last.scroll_into_view_if_needed()
    page.wait_for_timeout(500)


def test_dataset_training_and_exploring_in_a_browser(front_end, page, home):
    see_the_dataset(front_end, page)
    watch_the_training(front_end, page)
    explore_the_fakes(front_end, page, home)
    assert not [problem for problem in page.problems if "sg2" in problem]


def see_the_dataset(front_end, page):
    front_end.open(page, "02_dataset")
    front_end.run_all(page)
    see(page, r"my-images: 366 images of 32 px")
    page.get_by_alt_text(re.compile("as the discriminator sees them")).first.wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    found = pictures(page, front_end.cells)
    assert len(found) >= 2 and all(alt and width > 100 for alt, width in found), found
    page.get_by_alt_text(re.compile("a sheet of")).first.scroll_into_view_if_needed()
    take_picture(page, front_end, "dataset")
    page.get_by_alt_text(re.compile("as the discriminator sees them")).first.scroll_into_view_if_needed()
    take_picture(page, front_end, "augmentation")
    front_end.save(page)


def watch_the_training(front_end, page):
    front_end.open(page, "03_train")
    front_end.run_all(page)
    page.locator(".sg2-panel").last.wait_for(state="visible", timeout=WAIT_MS)
    see(page, r"\d\.\d of 3 kimg", ".sg2-panel")
    see(page, r"img/s", ".sg2-panel")
    panel = page.locator(".sg2-panel")
    panel.get_by_alt_text(re.compile("a grid of images that the generator made")).first.wait_for(timeout=WAIT_MS)
    bring_into_view(page, ".sg2-panel")
    take_picture(page, front_end, "panel-while-training", ".sg2-panel")
    turn_the_history(front_end, page)
    see(page, "The run has reached its length", ".sg2-panel")
    page.wait_for_timeout(3000)
    enlarge_a_picture(page)
    found = pictures(page, ".sg2-panel")
    assert len(found) >= 3 and all(alt for alt, _ in found), found
    assert page.locator(".sg2-panel").last.evaluate("root => root.scrollWidth <= root.clientWidth + 2"), "nothing is cut off"
    take_picture(page, front_end, "panel", ".sg2-panel")
    front_end.save(page)
    page.wait_for_timeout(3000)
    assert front_end.size_bytes("03_train") < 4e6


def turn_the_history(front_end, page):
    """Open the history and move its slider while the cell runs: the kernel is busy, so this works in the browser alone."""
    page.locator(".sg2-panel").get_by_text("History of the pictures").first.click()
    page.wait_for_function(
        "() => document.querySelectorAll('.sg2-panel .sg2-history img').length >= 2", timeout=WAIT_MS)  # fmt: skip
    page.wait_for_timeout(500)  # the slider is freed after the pages are there
    keys = ["ArrowRight", "ArrowLeft"] * 4
    turns = sorted(turn(page, "keydown", lambda key=key: page.keyboard.press(key)) for key in keys)
    print("slider while it trains, ms:", [round(one) for one in turns])
    assert turns[len(turns) // 2] < 300 and turns[-1] < 5000, "the slider changes the picture at once"
    assert page.locator(".sg2-panel").get_by_text("Training. To stop early").count() == 1, "it still trains"
    take_picture(page, front_end, "history", ".sg2-panel")


def enlarge_a_picture(page):
    box = page.locator(".sg2-panel .sg2-zoom").first
    before = box.locator("img").evaluate("image => image.clientWidth")
    box.locator("input").check()
    assert box.locator("img").evaluate("image => image.clientWidth") > 1.3 * before
    box.locator("input").uncheck()


def explore_the_fakes(front_end, page, home):
    front_end.open(page, "05_explore")
    front_end.run_all(page)
    explorer = page.locator(".sg2-explorer").last
    explorer.get_by_alt_text(re.compile("seeds 0-15, truncation 0.7")).wait_for(timeout=WAIT_MS)
    see(page, r"Saved: .*walk")  # the cells below are done, so the kernel listens
    bring_into_view(page, ".sg2-explorer")
    take_picture(page, front_end, "explorer", ".sg2-explorer")
    explorer.get_by_role("button", name="Other seeds").click()
    explorer.get_by_alt_text(re.compile("seeds 16-31, truncation 0.7")).wait_for(timeout=WAIT_MS)
    explorer.locator("select").nth(1).select_option(index=2)
    explorer.get_by_alt_text(re.compile("kimg.* beside .*kimg")).wait_for(timeout=WAIT_MS)
    take_picture(page, front_end, "compare", ".sg2-explorer")
    explorer.get_by_role("button", name="Save PNG").click()
    explorer.get_by_text(re.compile(r"Saved: .*fakes-.*\.png")).wait_for(timeout=WAIT_MS)
    assert list((home.run_dir() / "pictures").glob("fakes-*.png"))
    explorer.get_by_role("button", name="Play the history").click()
    explorer.get_by_text(re.compile(r"\d+ pictures, from")).wait_for(timeout=WAIT_MS)


CODE = """
import time, ipywidgets
from sg2ada_colab.colab.html import show_widgets
box = ipywidgets.VBox([ipywidgets.HTML("here it is")])
box.add_class("sg2-panel")
show_widgets(box)
time.sleep(3)
"""


def test_widgets_stay_where_all_cells_are_run_in_the_first_second(front_end, page, home):
    cells = [nbformat.v4.new_code_cell(code) for code in (CODE, "print('The last', 'cell')")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, str(front_end.folder / "first.ipynb"))
    FrontEnd.open(front_end, page, "first")  # without the wait for a quiet page
    front_end.run_all(page)
    see(page, "here it is", ".sg2-panel")
    see(page, "The last cell")
    page.wait_for_timeout(5000)
    assert page.locator(".sg2-panel:visible").count() == 1
