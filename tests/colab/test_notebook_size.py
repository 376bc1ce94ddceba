"""Twelve hours of updates, in a moment, in a real kernel: what the notebook weighs afterwards and what the browser was sent."""

import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CODE = """
import json, sys
sys.path[:0] = [{root!r}, {here!r}]
from twelve_hours import run
print(json.dumps(run({folder!r})))
"""


@pytest.mark.soak
def test_twelve_hours_leave_a_notebook_of_a_few_megabytes(tmp_path):
    nbformat, nbclient, _ = map(pytest.importorskip, ("nbformat", "nbclient", "ipykernel"))  # here, for it takes five seconds
    code = CODE.format(root=str(HERE.parent.parent), here=str(HERE), folder=str(tmp_path / "run"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", store_widget_state=True).execute()
    path = tmp_path / "after.ipynb"
    nbformat.write(notebook, str(path))
    printed = "".join(output["text"] for output in notebook.cells[0].outputs if output.get("name") == "stdout")
    figures = json.loads(printed.splitlines()[-1])  # below the lines of text that tell where training stands
    print(figures, f"notebook {path.stat().st_size / 1e6:.2f} MB")
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    assert figures["seconds"] == 12 * 3600 and figures["pages"] == 32
    assert sum("sg2-picture" in str(model) or "sg2-zoom" in str(model) for model in state.values()) >= 35
    assert path.stat().st_size < 8e6  # 20 MB is what it may weigh
    assert figures["bytes"] < 120e6
