"""A page of a real browser on one of the front ends, and what is done with it. Imported where there is none, it skips the module.

Pictures of the pages are left in the folder that SG2ADA_SCREENSHOTS names.
"""

import importlib.util
import os
import re

import pytest

from .front_ends import CHROMIUM_WORDS, Classic, Lab, chromium

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("ipywidgets")
if chromium() is None:
    pytest.skip("needs Chromium", allow_module_level=True)

from .conftest import TINY  # noqa: E402

WAIT_MS = 900000
FULL = {"resolution": 32}
SIZES = dict(TINY, preview_dataset=FULL, prepare_dataset=FULL, train=dict(TINY["train"], kimg=3))

HANDLE = ".sg2-panel [role=slider], .sg2-panel .noUi-handle, .sg2-panel .ui-slider-handle"
# Before a page is opened: what it plays to its end, as [seconds, whether the player is hidden].
LISTEN = """window.heard = []; document.addEventListener('ended', event => window.heard.push(
    [event.target.duration, getComputedStyle(event.target).display === 'none']), true)"""
SHOWN = "[...document.querySelectorAll('.sg2-history img')].filter(image => image.offsetParent)"
# From an event of the page on, count the milliseconds until another picture stands there, drawn; 5000 where none ever does.
WATCH = f"""([handle, event]) => {{
    const shown = () => {SHOWN}, names = () => shown().map(image => image.alt).join();
    document.querySelector(handle).focus();
    const before = names();
    window.turned = new Promise(done => document.addEventListener(event, async () => {{
        const began = performance.now();
        while (['', before].includes(names()) && performance.now() - began < 5000) await new Promise(requestAnimationFrame);
        await Promise.all(shown().map(image => image.decode()));
        await new Promise(requestAnimationFrame);
        done(performance.now() - began);
    }}, {{capture: true, once: true}}));
}}"""


def available_front_ends():
    found = [Lab] if importlib.util.find_spec("jupyterlab") else []
    if importlib.util.find_spec("notebook"):
        import notebook

        found += [Classic] if notebook.__version__.startswith("6.") else []
    return found


FRONT_ENDS = available_front_ends() or [pytest.param(None, marks=pytest.mark.skip("needs jupyterlab or notebook 6"))]


@pytest.fixture(name="front_end", params=FRONT_ENDS)
def front_end_fixture(request, home):
    home.set_sizes(SIZES)
    home.variables["SG2ADA_COMPILE_CACHE"] = str(home.folder / "programs")
    with request.param(home) as server:
        yield server


@pytest.fixture(name="page")
def page_fixture():
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium(), args=CHROMIUM_WORDS)
        opened = browser.new_page(viewport={"width": 1280, "height": 2200})
        opened.set_default_timeout(WAIT_MS)
        opened.problems = []
        opened.on("pageerror", lambda error: opened.problems.append(str(error)))
        yield opened
        browser.close()


def take_picture(page, front_end, name, selector=None):
    """Leave a picture of the page, or of one element, for people to look at."""
    folder = os.environ.get("SG2ADA_SCREENSHOTS")
    if folder:
        path = os.path.join(folder, f"{type(front_end).__name__.lower()}-{name}.png")
        (page.locator(selector).last if selector else page).screenshot(path=path)


def see(page, text, inside="body"):
    """Wait until a text stands on the page."""
    page.locator(inside).get_by_text(re.compile(text)).first.wait_for(state="visible", timeout=WAIT_MS)


def turn(page, event, move):
    """Move the history's slider by a call that causes `event`; return the milliseconds until the page showed another picture."""
    page.evaluate(WATCH, [HANDLE, event])
    move()
    return page.evaluate("() => window.turned")
