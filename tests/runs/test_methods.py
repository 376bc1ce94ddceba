"""Every comparison method trains, saves and goes on."""

import pytest

from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.runs.start import find_snapshot, start
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.training.loop import Callback


class Sums(Callback):
    """Keeps the statistics of each tick."""

    def __init__(self):
        self.means = []

    def on_tick(self, progress):
        self.means.append(dict(progress.means))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["bcr", "zcr", "pagan", "wgangp", "auxrot", "spectralnorm", "shallowmap", "adropout"])
def test_method_trains_and_resumes(method, tiny_config, tiny_dataset, tmp_path):
    options = {"cmethod": method, "kimg": 1, "tick": 0.5, "cond": False}
    if method in ("pagan", "wgangp", "adropout"):
        options["aug"] = "noaug"
    else:
        options["augpipe"] = "noise"  # the transform whose graph is made fastest
    if method == "shallowmap":
        options["map_depth"] = None
        options["cfg"] = "stylegan2"
    config = tiny_config(**options)
    sums = Sums()
    run = str(tmp_path / "run")
    assert start(config, run, quiet=True, extra_callbacks=[sums]) == 0
    assert all(abs(value) < 1e6 for means in sums.means for value in means.values())
    assert ("Loss/pl_penalty" in sums.means[0]) == (method not in ("bcr", "zcr", "auxrot", "wgangp"))
    candidate, _ = find_snapshot(RunStore(run))
    names = list(read_snapshot(candidate.pickle).D.variables)
    assert any(name.endswith("weight_sn") for name in names) == (method == "spectralnorm")
    assert any("PAGAN" in name for name in names) == (method == "pagan")
