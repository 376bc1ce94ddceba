"""The network that a new run begins with: named as it is, by a run, or the newest of a dataset before it has grown."""

from pathlib import Path

import numpy as np
import pytest
from some_images import save_images

import sg2ada_colab as sg2
from sg2ada_colab.colab import session
from sg2ada_colab.colab.plan import plan_run
from sg2ada_colab.colab.start_from import earlier_run, start_network
from sg2ada_colab.config.options_file import options_text
from sg2ada_colab.dataset import open_dataset
from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.store import RunStore

SMALL = {"kimg": 100, "batch": 16, "cbase": 64, "cmax": 8, "metrics": "none"}


FORMS = {"square": {"resolution": 8}, "wide": {"resolution": "12x8"}, "tall rgba": {"resolution": "8x12", "alpha": "keep"}}


@pytest.fixture
def grown(request, home):
    """Return (the dataset after it has grown, the newest network of the run before), in one of the FORMS."""
    form = dict(FORMS[getattr(request, "param", "square")], upscale=True, workers=1)
    path = sg2.prepare_dataset(str(home / "images"), "", **form)
    plan = plan_run(session.workspace(), path, SMALL, new_run=True)
    store = RunStore(plan.run_dir)
    Path(plan.run_dir, "training_options.json").write_text(options_text(plan.config, plan.run_dir, ours=True))
    for kimg in (4, 8):
        store.write_snapshot_async(kimg, lambda file: file.write(b"x"), {"a": np.zeros(2)}, {"nimg": kimg * 1000})
        store.wait()
    assert earlier_run(session.workspace(), open_dataset(path)) is None, "the images are those of the run"
    save_images(home / "images", 30)
    path = sg2.prepare_dataset(str(home / "images"), "", **form)
    return open_dataset(path), str(Path(plan.run_dir, "network-snapshot-000008.pkl"))


@pytest.mark.parametrize("grown", FORMS, indirect=True)
def test_the_newest_network_of_the_run_before_is_found(grown):
    data, network = grown
    name, _, config = earlier_run(session.workspace(), data)
    assert name.startswith("00000-images") and config.data.num_images == 24
    assert start_network(session.workspace(), data, "newest") == network
    assert start_network(session.workspace(), data, "0") == start_network(session.workspace(), data, name) == network


def test_other_values_are_taken_as_they_are_and_noise_is_none(grown):
    data, _ = grown
    for value in ("ffhq256", "https://example.org/a.pkl", "/content/a.pkl"):
        assert start_network(session.workspace(), data, value) == value
    assert start_network(session.workspace(), data, "noise") is None and start_network(session.workspace(), data, "") is None


@pytest.mark.parametrize("size", ["4", "8x12"])
def test_a_set_of_another_size_is_no_earlier_one(grown, home, size):
    path = sg2.prepare_dataset(str(home / "images"), "", size, upscale=True, workers=1)
    assert earlier_run(session.workspace(), open_dataset(path)) is None
    with pytest.raises(UserError, match=f"no earlier run on a dataset called images with images of {size} px"):
        start_network(session.workspace(), open_dataset(path), "newest")


def test_a_run_that_is_not_there_is_said(grown):
    with pytest.raises(UserError, match="There is no run '7'"):
        start_network(session.workspace(), grown[0], "7")
