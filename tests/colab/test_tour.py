"""The quick tour: what it says and does with and without a GPU, and its three distances."""

import dataclasses
import os

import pytest

import sg2ada_colab
from sg2ada_colab.colab import session, tour
from sg2ada_colab.colab.plan import plan_run
from sg2ada_colab.config.options import TrainOptions

FLAGS = ("A100", "500", 40000)


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
    assert set(options) - {"without_gpu"} <= {field.name for field in dataclasses.fields(TrainOptions)}
    path = sg2ada_colab.prepare_dataset(made.images, made.name, made.resolution, upscale=made.has_gpu, max_images=40)
    plan = plan_run(workspace, path, {name: value for name, value in options.items() if name != "without_gpu"})
    config = plan.config
    assert (config.resolution, config.schedule.total_kimg, config.start.kimg) == (side, kimg, 282)
    assert made.training(3, 4)["kimg"] == 289


def test_the_kimg_of_the_network_that_ships_is_that_of_its_note():
    folder = os.path.join(os.path.dirname(sg2ada_colab.__file__), "demo_network")
    with open(os.path.join(folder, "SOURCE.txt"), encoding="utf-8") as file:
        assert f"for {tour.SHIPPED_KIMG} kimg" in file.read()
