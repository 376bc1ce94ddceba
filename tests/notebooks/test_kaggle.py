"""The notebooks as they are, run on Kaggle, FAKED: images as an input, no Drive, and a run that a later version goes on with."""

import os
import shutil
import zipfile

import pytest

import sg2ada_colab

from .conftest import HERE, TINY
from .test_run_all import outputs_of, run_all

pytestmark = pytest.mark.slow


def test_all_cells_run_and_a_later_version_goes_on(home):
    shutil.copy(str(HERE / "play_kaggle.py"), str(home.startup / "00-play-kaggle.py"))
    (home.content / "working").mkdir(parents=True)
    flags = os.path.join(sg2ada_colab.__path__[0], "demo_images", "flags.zip")
    with zipfile.ZipFile(flags) as archive:
        for name in archive.namelist()[:64]:
            archive.extract(name, str(home.content / "input" / "datasets" / "someone" / "photos"))

    said = outputs_of(run_all(home, "01_setup"))
    assert "Only /kaggle/working is kept" in said and "Kaggle Batch" in said and "Drive" not in said.split("Runs so far")[0]
    typed = {call: dict(TINY[call], source="photos") for call in ("preview_dataset", "prepare_dataset")}
    home.set_sizes(dict(TINY, **typed))
    run_all(home, "02_dataset")
    tree = home.content / "working" / "colab-sg2-ada" / "stylegan2-ada"
    assert os.listdir(str(tree / "datasets")) == ["photos"]
    run_all(home, "03_train")
    (run,) = (tree / "results").glob("0*")
    assert list(run.glob("network-snapshot-000001*.pkl"))

    shutil.move(str(home.content / "working"), str(home.content / "input" / "notebooks-my-training"))
    (home.content / "working").mkdir()
    home.set_sizes(dict(TINY, train=dict(TINY["train"], kimg=2)))
    said = outputs_of(run_all(home, "03_train", "#@title Train"))
    assert f"Going on with {run.name}" in said
    (again,) = (tree / "results").glob("0*")
    assert again.name == run.name and list(again.glob("network-snapshot-000002*.pkl"))
