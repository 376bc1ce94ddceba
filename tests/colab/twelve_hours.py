"""Twelve hours of the panel's updates, in a moment, for a notebook's kernel.

A grid every ten minutes, a tick every half, a snapshot at the beginning; each picture is as hard to compress as a photograph.
Training sends a message a second. Here they are sent no faster than a notebook's server takes them: it hears the kernel through
ZeroMQ, which drops what it finds more than a thousand messages behind, and widgets that are never opened show nothing.
"""

import json
import time
import types
from pathlib import Path

import ipywidgets
from run_folders import add_noise_grid, add_snapshots, add_ticks, config

from sg2ada_colab.colab import panel as panels
from sg2ada_colab.colab.run_view import RunView
from sg2ada_colab.colab.supervisor import Ending

TEN_MINUTES, TICKS, REFRESHES = 72, 20, 15
MESSAGES_PER_S = 250
LOOK_S, GRID_EVERY_S = 0.5, 10  # after the twelve hours


def run(folder, go_on_until=None):
    """Show the panel of a made-up run in `folder`, which must not be there, through all its updates.

    Args:
        folder: Path.
        go_on_until: Path; after the twelve hours the panel goes on as fast as the clock until there is such a file, ten minutes
            at most. None: it ends then.

    Returns:
        {"seconds": of the made-up clock, "messages", "bytes": sent to the browser, "pages": of the history}.
    """
    folder, now, sent = Path(folder), types.SimpleNamespace(s=0.0), count_messages()
    folder.mkdir()
    panels.time = types.SimpleNamespace(monotonic=lambda: 1000 + now.s, time=lambda: time.time() + now.s)
    panel = panels.WidgetPanel(RunView(folder), config(total_kimg=5000, resolution=256))
    for part in range(TEN_MINUTES):
        add_noise_grid(folder, f"fakes{part * 30:06d}.png", 1920, 1080, seed=part)
        if not part:
            add_noise_grid(folder, "reals.png", 1920, 1080, seed=999)
            add_snapshots(folder, [0])
        for step in range(TICKS):
            add_ticks(folder, [part * 30 + step * 1.5])
            for _ in range(REFRESHES):
                now.s += 2
                panel.refresh(pulse(now.s))
    figures = dict(sent, seconds=now.s)
    if go_on_until:
        go_on(folder, panel, now, Path(go_on_until))
    panel.finish(Ending("stopped", "Stopped, and everything is saved."))
    return dict(figures, pages=len(panel.pages.children))


def pulse(now_s):
    """Return what the training process would say."""
    return {"kimg": now_s / 20, "images_per_second": 50.0, "session_s": now_s + 1, "time": time.time() + now_s}


def go_on(folder, panel, now, until):
    """Go on as training does, with a grid far more often, until there is a file."""
    print("Twelve hours have passed.")
    began, before_s, grids = time.monotonic(), now.s, 0
    while not until.exists() and now.s < before_s + 600:
        now.s = before_s + time.monotonic() - began
        if now.s - before_s > grids * GRID_EVERY_S:
            grids += 1
            add_noise_grid(folder, f"fakes{TEN_MINUTES * 30 + grids * 30:06d}.png", 1920, 1080, seed=1000 + grids)
        panel.refresh(pulse(now.s))
        time.sleep(LOOK_S)


def count_messages():
    """Return a dict that counts from now on what widgets send to the browser; it is sent no faster than `MESSAGES_PER_S`."""
    sent, send, earliest = {"messages": 0, "bytes": 0}, ipywidgets.Widget._send, types.SimpleNamespace(s=0.0)

    def counted(self, message, buffers=None):
        earliest.s = max(earliest.s, time.monotonic()) + 1 / MESSAGES_PER_S
        time.sleep(max(0.0, earliest.s - time.monotonic()))
        sent["messages"] += 1
        sent["bytes"] += len(json.dumps(message, default=str))
        return send(self, message, buffers)

    ipywidgets.Widget._send = counted
    return sent
