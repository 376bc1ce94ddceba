"""The quick tour: what it says and does with and without a GPU, and its three distances."""

import dataclasses
import os
from pathlib import Path

import pytest

import sg2ada_colab
from sg2ada_colab.colab import session, tour
from sg2ada_colab.colab.form import plan_form
from sg2ada_colab.colab.plan import plan_run
from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.options_file import options_text
from sg2ada_colab.storage.store import RunStore

FLAGS = ("A100", "500", 40000)
NO_OPTIONS = {"without_gpu", "run", "if_different"}  # arguments of `train` itself


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_open", {})
    return session._open_workspace(str(tmp_path))


@pytest.mark.parametrize("cards, side, kimg", [([], 32, 284), ([FLAGS], 64, 322)])
def test_it_goes_on_from_the_network_that_ships_with_options_that_fit(workspace, monkeypatch, capsys, cards, side, kimg):
    monkeypatch.setattr(tour, "gpus", lambda: cards)
    made = sg2ada_colab.tour()
    said = capsys.readouterr().out
    assert "learned these flags for 282 thousand images on a GPU" in said and made.resolution == side
    assert ("it learns" in said or "learns to draw them at 64x64" in said) if cards else "This machine has no GPU" in said
    options = made.training()
    assert set(options) - NO_OPTIONS <= {field.name for field in dataclasses.fields(TrainOptions)}
    path = sg2ada_colab.prepare_dataset(made.images, made.name, made.resolution, upscale=made.has_gpu, max_images=40)
    plan = plan_run(workspace, path, {name: value for name, value in options.items() if name not in NO_OPTIONS})
    config = plan.config
    assert (config.resolution, config.schedule.total_kimg, config.start.kimg) == (side, kimg, 282)
    assert made.training(3, 4)["kimg"] == 289


def leave(plan):
    """Write what a run leaves behind, without training; return its name."""
    store = RunStore(plan.run_dir)
    Path(plan.run_dir, "training_options.json").write_text(options_text(plan.config, plan.run_dir, ours=True))
    kimg = plan.config.start.kimg + 1
    store.write_snapshot_async(kimg, lambda file: file.write(b"x"), {"a": [0.0]}, {"nimg": kimg * 1000})
    store.wait()
    return os.path.basename(plan.run_dir)


def test_it_keeps_to_its_own_run_where_notebook_3_has_trained_on_the_same_flags(workspace, monkeypatch):
    monkeypatch.setattr(tour, "gpus", list)
    made = sg2ada_colab.tour()
    flags, own = (sg2ada_colab.prepare_dataset(made.images, name, 32, max_images=40) for name in ("flags", made.name))
    leave(plan_run(workspace, flags, {"kimg": 1, "batch": 16, "metrics": "none"}))

    def planned(*kimgs):
        given = made.training(*kimgs)
        options = {name: value for name, value in given.items() if name not in NO_OPTIONS}
        return plan_form(workspace, own, options, None, False, given.get("run"), given.get("if_different", "ask"))

    plan, begins = planned()
    assert begins and plan.config.data.name == made.name and plan.config.start.kimg == 282
    name = leave(plan)
    again, begins = planned(2, 1)
    assert not begins and os.path.basename(again.run_dir) == name and tour.own_run(made.name) == name
    leave(plan_run(workspace, flags, {"kimg": 1, "batch": 16, "metrics": "none"}, new_run=True))
    assert made.training()["run"] == name, "also where a run of notebook 3 is newer"
    other_size = dataclasses.replace(made, resolution=64, has_gpu=True).training()
    assert "run" not in other_size and other_size["if_different"] == "new run", "on a machine with a GPU it is another run"


def test_the_kimg_of_the_network_that_ships_is_that_of_its_note():
    folder = os.path.join(os.path.dirname(sg2ada_colab.__file__), "demo_network")
    with open(os.path.join(folder, "SOURCE.txt"), encoding="utf-8") as file:
        assert f"for {tour.SHIPPED_KIMG} kimg" in file.read()
