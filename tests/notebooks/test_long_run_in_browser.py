"""A browser after twelve hours of the panel's updates: how long its slider takes, how much memory it holds."""

import json
import time

import pytest

from .browser import WAIT_MS, front_end_fixture, page_fixture, see, take_picture  # noqa: F401  the fixtures

nbformat = pytest.importorskip("nbformat")
pytestmark = pytest.mark.soak

CODE = """
import json, os, sys
sys.path.insert(0, os.environ["SG2ADA_TEST_FAKES"])
from twelve_hours import run
figures = run({folder!r})
print("FIGURES", json.dumps(figures))
"""
SHOWN = "[...document.querySelectorAll('.sg2-history img')].filter(image => image.offsetParent).map(image => image.alt).join()"
# From a key's press on the slider, count the milliseconds until another picture stands there, drawn.
WATCH = """() => {{
    const shown = () => {shown};
    document.querySelector('.sg2-panel [role=slider], .sg2-panel .noUi-handle, .sg2-panel .ui-slider-handle').focus();
    const before = shown();
    window.turned = new Promise(done => document.addEventListener('keydown', async () => {{
        const began = performance.now();
        while (shown() === before && performance.now() - began < 5000) await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
        done(performance.now() - began);
    }}, {{capture: true, once: true}}));
}}""".format(shown=SHOWN)
SCROLL = """async () => {
    const times = [];
    let at = performance.now();
    const box = [...document.querySelectorAll('.jp-WindowedPanel-outer, #site')].find(one => one.scrollHeight > one.clientHeight)
        || document.scrollingElement;
    for (let step = 0; step < 60; step++) {
        box.scrollTop += step < 30 ? 40 : -40;
        await new Promise(requestAnimationFrame);
        times.push(performance.now() - at);
        at = performance.now();
    }
    return times;
}"""


def turn(page, key):
    """Press a key on the history's slider; return the milliseconds until the page showed it."""
    page.evaluate(WATCH)
    page.keyboard.press(key)
    return page.evaluate("() => window.turned")


def test_slider_and_scrolling_are_quick_after_twelve_hours(front_end, page, home):
    code = CODE.format(folder=str(home.folder / "run"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, str(front_end.folder / "long.ipynb"))
    front_end.open(page, "long")
    began = time.monotonic()
    front_end.run_all(page)
    see(page, "Stopped, and everything is saved", ".sg2-panel")
    see(page, "FIGURES")
    seconds = time.monotonic() - began
    page.wait_for_timeout(3000)
    page.locator(".sg2-panel").get_by_text("History of the pictures").first.click()
    page.locator(".sg2-history img").first.wait_for(state="attached", timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    turns = sorted(turn(page, "ArrowRight" if number < 20 else "ArrowLeft") for number in range(40))
    frames = sorted(page.evaluate(SCROLL))
    client = page.context.new_cdp_session(page)
    client.send("HeapProfiler.collectGarbage")
    client.send("Performance.enable")
    metrics = {one["name"]: one["value"] for one in client.send("Performance.getMetrics")["metrics"]}
    take_picture(page, front_end, "after-twelve-hours")
    front_end.save(page)
    page.wait_for_timeout(5000)
    print(json.dumps({
        "front end": type(front_end).__name__, "updates of twelve hours, s": round(seconds),
        "slider, ms: median": round(turns[20]), "slider, ms: worst": round(turns[-1]),
        "frame while scrolling, ms: median": round(frames[30]), "worst": round(frames[-1]),
        "heap, MB": round(metrics["JSHeapUsedSize"] / 1e6, 1), "nodes": int(metrics["Nodes"]),
        "notebook, MB": round(front_end.size_bytes("long") / 1e6, 2),
    }))  # fmt: skip
    assert turns[20] < 250 and turns[-1] < 5000, "the slider turns the pages"
    assert frames[30] < 100 and metrics["JSHeapUsedSize"] < 200e6
    assert front_end.size_bytes("long") < 20e6
