"""Twelve hours of updates, in a moment, in a real kernel: what the notebook weighs afterwards and what the browser was sent."""

import json
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

HERE = Path(__file__).parent
# A grid every ten minutes, a tick every half, a metric every hour; each picture is as hard to compress as a photograph.
TWELVE_HOURS = """
import json, sys, time, types
from pathlib import Path
sys.path[:0] = [{root!r}, {here!r}]
from run_folders import TICK, add_noise_grid, add_snapshots, add_ticks, config
from sg2ada_colab.colab import panel as panels
from sg2ada_colab.colab.run_view import RunView
from sg2ada_colab.colab.supervisor import Ending
import ipywidgets

folder, now, sent = Path({folder!r}), types.SimpleNamespace(s=0.0), [0, 0]
folder.mkdir()
panels.time = types.SimpleNamespace(monotonic=lambda: 1000 + now.s, time=lambda: time.time() + now.s)
send = ipywidgets.Widget._send
def counted(self, message, buffers=None):
    sent[0] += 1
    sent[1] += len(json.dumps(message, default=str))
    return send(self, message, buffers)
ipywidgets.Widget._send = counted
panel = panels.WidgetPanel(RunView(folder), config(total_kimg=5000, resolution=256))
for ten_minutes in range(72):
    add_noise_grid(folder, "fakes{{:06d}}.png".format(ten_minutes * 30), 1920, 1080, seed=ten_minutes)
    if not ten_minutes:
        add_noise_grid(folder, "reals.png", 1920, 1080, seed=999)
        add_snapshots(folder, [0])
    for step in range(20):
        add_ticks(folder, [ten_minutes * 30 + step * 1.5])
        for _ in range(15):
            now.s += 2
            pulse = {{"kimg": now.s / 20, "images_per_second": 50.0, "session_s": now.s + 1, "time": time.time() + now.s}}
            panel.refresh(pulse)
panel.finish(Ending("stopped", "Stopped, and everything is saved."))
print(json.dumps({{"seconds": now.s, "messages": sent[0], "bytes": sent[1], "pages": len(panel.pages.children)}}))
"""


@pytest.mark.soak
def test_twelve_hours_leave_a_notebook_of_a_few_megabytes(tmp_path):
    code = TWELVE_HOURS.format(root=str(HERE.parent.parent), here=str(HERE), folder=str(tmp_path / "run"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", store_widget_state=True).execute()
    path = tmp_path / "after.ipynb"
    nbformat.write(notebook, str(path))
    (printed,) = [output["text"] for output in notebook.cells[0].outputs if output.get("name") == "stdout"]
    figures = json.loads(printed)
    print(figures, "notebook {:.2f} MB".format(path.stat().st_size / 1e6))
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    assert figures["seconds"] == 12 * 3600 and figures["pages"] == 32
    assert sum("sg2-picture" in str(model) or "sg2-zoom" in str(model) for model in state.values()) >= 34
    assert path.stat().st_size < 8e6  # 20 MB is what it may weigh
    assert figures["bytes"] < 120e6
