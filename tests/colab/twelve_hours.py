"""Twelve hours of the panel's updates, in a moment, for a notebook's kernel.

A grid every ten minutes, a tick every half, a snapshot at the beginning; each picture is as hard to compress as a photograph.
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


def run(folder):
    """Show the panel of a made-up run in `folder`, which must not be there, through all its updates.

    Returns:
        {"seconds": of the made-up clock, "messages", "bytes": sent to the browser, "pages": of the history}.
    """
    folder, now, sent = Path(folder), types.SimpleNamespace(s=0.0), count_messages()
    folder.mkdir()
    panels.time = types.SimpleNamespace(monotonic=lambda: 1000 + now.s, time=lambda: time.time() + now.s)
    panel = panels.WidgetPanel(RunView(folder), config(total_kimg=5000, resolution=256))
    panel.say(panels.STARTING)
    for part in range(TEN_MINUTES):
        add_noise_grid(folder, "fakes{:06d}.png".format(part * 30), 1920, 1080, seed=part)
        if not part:
            add_noise_grid(folder, "reals.png", 1920, 1080, seed=999)
            add_snapshots(folder, [0])
        for step in range(TICKS):
            add_ticks(folder, [part * 30 + step * 1.5])
            for _ in range(REFRESHES):
                now.s += 2
                kimg, written = now.s / 20, time.time() + now.s
                panel.refresh({"kimg": kimg, "images_per_second": 50.0, "session_s": now.s + 1, "time": written})
    panel.finish(Ending("stopped", "Stopped, and everything is saved."))
    return dict(sent, seconds=now.s, pages=len(panel.pages.children))


def count_messages():
    """Return a dict that counts from now on what widgets send to the browser."""
    sent, send = {"messages": 0, "bytes": 0}, ipywidgets.Widget._send

    def counted(self, message, buffers=None):
        sent["messages"] += 1
        sent["bytes"] += len(json.dumps(message, default=str))
        return send(self, message, buffers)

    ipywidgets.Widget._send = counted
    return sent
