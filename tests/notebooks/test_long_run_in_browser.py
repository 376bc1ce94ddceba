"""A browser after twelve hours of the panel's updates: how long its slider takes, how much memory it holds."""

import json
import time

import pytest

from .browser import HANDLE, WAIT_MS, front_end_fixture, page_fixture, see, take_picture, turn  # noqa: F401  the fixtures

nbformat = pytest.importorskip("nbformat")
pytestmark = pytest.mark.soak

CODE = """
import json, os, sys
sys.path.insert(0, os.environ["SG2ADA_TEST_FAKES"])
from twelve_hours import run
figures = run({folder!r}, {enough!r})
print("FIGURES", json.dumps(figures))
"""
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


def test_slider_and_scrolling_are_quick_after_twelve_hours(front_end, page, home):
    enough = home.folder / "enough"
    code = CODE.format(folder=str(home.folder / "run"), enough=str(enough))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, str(front_end.folder / "long.ipynb"))
    front_end.open(page, "long")
    began = time.monotonic()
    front_end.run_all(page)
    see(page, "Twelve hours have passed")
    seconds = time.monotonic() - began
    page.wait_for_timeout(3000)
    page.locator(".sg2-panel").get_by_text("History of the pictures").first.click()
    page.locator(".sg2-history img").first.wait_for(state="attached", timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    assert page.locator(".sg2-history img").count() == 32, "the browser was told all"
    running = turn_there_and_back(page)
    dragged = drag_there_and_back(page)
    assert page.get_by_text("FIGURES {").count() == 0, "the cell still runs"
    take_picture(page, front_end, "slider-while-training", ".sg2-panel")
    enough.touch()
    see(page, "Stopped, and everything is saved", ".sg2-panel")
    see(page, "FIGURES {")
    page.wait_for_timeout(3000)
    ended = turn_there_and_back(page)
    frames = sorted(page.evaluate(SCROLL))
    client = page.context.new_cdp_session(page)
    client.send("HeapProfiler.collectGarbage")
    client.send("Performance.enable")
    metrics = {one["name"]: one["value"] for one in client.send("Performance.getMetrics")["metrics"]}
    take_picture(page, front_end, "after-twelve-hours")
    size_bytes = saved_size_bytes(front_end, page)
    print(json.dumps({
        "front end": type(front_end).__name__, "updates of twelve hours, s": round(seconds),
        "slider while it runs, ms: median, 90 %, worst": figures_of(running),
        "the same with the mouse": figures_of(dragged), "with keys after the end": figures_of(ended),
        "frame while scrolling, ms: median": round(frames[30]), "worst": round(frames[-1]),
        "heap, MB": round(metrics["JSHeapUsedSize"] / 1e6, 1), "nodes": int(metrics["Nodes"]),
        "notebook, MB": round(size_bytes / 1e6, 2),
    }))  # fmt: skip
    for turns in (running, dragged, ended):
        assert median(turns) < 250 and max(turns) < 5000, "the slider turns the pages"
    assert frames[30] < 100 and metrics["JSHeapUsedSize"] < 200e6
    assert 1e6 < size_bytes < 20e6


def turn_there_and_back(page):
    return [turn(page, "keydown", lambda key=key: page.keyboard.press(key)) for key in ["ArrowRight"] * 20 + ["ArrowLeft"] * 20]


def drag_there_and_back(page):
    """Drag the slider with the mouse, page by page; return milliseconds."""
    handle = page.locator(HANDLE).first
    track = handle.locator("xpath=ancestor::*[contains(@class, 'slider')][last()]").bounding_box()
    box = handle.bounding_box()
    x, y, step = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, track["width"] / 31
    page.mouse.move(x, y)
    page.mouse.down()
    places = list(range(1, 11)) + list(range(9, -1, -1))
    times = [turn(page, "pointermove", lambda place=place: page.mouse.move(x + place * step, y)) for place in places]
    page.mouse.up()
    return times


def saved_size_bytes(front_end, page):
    """Save the notebook with its widgets; return the file's size when it does not change any more."""
    front_end.save_with_widgets(page)
    before, size = 0, front_end.size_bytes("long")
    for _ in range(60):
        if size == before and size > 1e6:
            break
        page.wait_for_timeout(2000)
        before, size = size, front_end.size_bytes("long")
    return size


def median(times):
    return sorted(times)[len(times) // 2]


def figures_of(times):
    return [round(one) for one in (median(times), sorted(times)[len(times) * 9 // 10], max(times))]
