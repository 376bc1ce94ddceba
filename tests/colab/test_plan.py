"""Begin or go on: which run, which options, what is refused; and nothing of it imports TensorFlow."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.colab.plan import find_dataset, parse_options, plan_run, runs_of
from sg2ada_colab.colab.workspace import open_workspace
from sg2ada_colab.dataset import PrepareOptions, prepare
from sg2ada_colab.errors import UserError
from sg2ada_colab.snapshots.store import RunStore
from sg2ada_colab.training.options_file import options_text

ROOT = Path(__file__).parent.parent.parent
SMALL = {"kimg": 100, "batch": 16, "cbase": 64, "cmax": 8, "metrics": "none"}


@pytest.fixture
def workspace(tmp_path):
    workspace = open_workspace(tmp_path)
    for name, seed in (("birds", 1), ("trees", 2)):
        source = tmp_path / ("source-" + name)
        source.mkdir()
        for number in range(6):
            pixels = np.random.RandomState(seed * 10 + number).randint(0, 256, [8, 8, 3]).astype(np.uint8)
            Image.fromarray(pixels).save(str(source / "{}.png".format(number)))
        prepare(str(source), str(Path(workspace.datasets) / name), PrepareOptions(resolution=8, workers=1), progress=False)
    return workspace


def data(workspace, name="birds"):
    return find_dataset(workspace, name)


def begin(workspace, name="birds", kimgs=(4,), **options):
    """Write what a run leaves behind, without training; returns its plan."""
    plan = plan_run(workspace, data(workspace, name), dict(SMALL, **options), new_run=True)
    store = RunStore(plan.run_dir)
    Path(plan.run_dir, "training_options.json").write_text(options_text(plan.config, plan.run_dir, ours=True))
    for kimg in kimgs:
        store.write_snapshot(kimg, lambda file: file.write(b"x"), {"a": np.zeros(2)}, {"nimg": kimg * 1000})
    return plan


def test_the_first_run_is_begun_and_the_next_call_goes_on(workspace):
    plan = plan_run(workspace, data(workspace), SMALL)
    assert plan.candidate is None and plan.run_dir.endswith("00000-birds-auto1-kimg100-batch16") and plan.drive_dir is None
    assert not Path(plan.run_dir).exists() and plan.config.metrics == []
    begin(workspace, kimgs=(4, 12))
    again = plan_run(workspace, data(workspace), SMALL)
    assert again.run_dir == plan.run_dir and again.candidate.kimg == 12 and not again.is_finished
    assert again.config.to_dict() == dict(plan.config.to_dict(), notes=again.config.notes)


def test_only_runs_on_the_same_images_are_gone_on_with(workspace):
    begin(workspace, "birds")
    assert plan_run(workspace, data(workspace, "trees"), SMALL).candidate is None
    begin(workspace, "trees", (8,))
    assert plan_run(workspace, data(workspace, "birds"), SMALL).candidate.kimg == 4
    assert [name.split("-")[1] for name, _ in runs_of(workspace)] == ["trees", "birds"]


def test_a_run_without_a_whole_snapshot_is_passed_over_with_a_sentence(workspace):
    begin(workspace, kimgs=(4,))
    Path(begin(workspace, kimgs=(8,)).run_dir, "training-state-000008.npz").unlink()
    plan = plan_run(workspace, data(workspace), SMALL)
    assert plan.candidate.kimg == 4 and any("no complete snapshot" in sentence for sentence in plan.sentences)
    Path(plan.candidate.state).unlink()
    new = plan_run(workspace, data(workspace), SMALL)
    assert new.candidate is None and Path(new.run_dir).name.startswith("00002-")


def test_a_new_run_can_be_asked_for(workspace):
    begin(workspace)
    plan = plan_run(workspace, data(workspace), SMALL, new_run=True)
    assert plan.candidate is None and "/00001-" in plan.run_dir


def test_a_run_at_its_length_is_finished_until_more_is_asked_for(workspace):
    begin(workspace, kimgs=(100,))
    assert plan_run(workspace, data(workspace), SMALL).is_finished
    longer = plan_run(workspace, data(workspace), dict(SMALL, kimg=200))
    assert not longer.is_finished and longer.config.total_kimg == 200
    assert any("total_kimg: 100 before, 200 now" in sentence for sentence in longer.sentences)


def test_options_that_are_not_given_stay_the_runs_own(workspace):
    begin(workspace, mirror=True, gamma=3.0)
    plan = plan_run(workspace, data(workspace), {})
    assert plan.config.mirror_x and plan.config.r1_gamma == 3.0 and plan.config.total_kimg == 100


def test_a_setting_that_would_make_another_run_is_refused_with_the_way_out(workspace):
    begin(workspace)
    with pytest.raises(UserError, match="new_run=True") as caught:
        plan_run(workspace, data(workspace), dict(SMALL, gamma=7))
    assert "r1_gamma" in caught.value.what


def test_forms_give_text(workspace):
    options = parse_options({"kimg": "20", "mirror": "yes", "metrics": "none", "gamma": "0.5", "data": "x"})
    assert (options.kimg, options.mirror, options.metrics, options.gamma) == (20, True, [], 0.5)
    with pytest.raises(UserError, match="kimg='many'"):
        parse_options({"kimg": "many"})
    with pytest.raises(UserError, match="does not know the options kimgs"):
        parse_options({"kimgs": 3})


def test_a_dataset_is_found_by_name_path_and_memory(workspace, tmp_path):
    assert data(workspace, "trees") == str(Path(workspace.datasets) / "trees")
    assert data(workspace, str(tmp_path)) == str(tmp_path)
    with pytest.raises(UserError, match="not clear which dataset") as caught:
        find_dataset(workspace)
    assert "birds, trees" in caught.value.expected
    workspace.choose(dataset="birds")
    assert find_dataset(workspace).endswith("birds")
    with pytest.raises(UserError, match="no dataset 'bees'"):
        find_dataset(workspace, "bees")


def test_in_colab_runs_lie_on_the_machine_and_on_drive_and_numbers_count_both(workspace, tmp_path, monkeypatch):
    begin(workspace)  # lies in the workspace, as on Drive
    monkeypatch.setattr("sg2ada_colab.colab.workspace.in_colab", lambda: True)
    monkeypatch.setattr("sg2ada_colab.colab.workspace.MACHINE_FOLDER", str(tmp_path / "machine"))
    plan = plan_run(workspace, data(workspace), SMALL)
    assert plan.run_dir.startswith(str(tmp_path / "machine")) and plan.drive_dir.startswith(workspace.results)
    assert plan.candidate.run_dir == plan.drive_dir
    fresh = plan_run(workspace, data(workspace), SMALL, new_run=True)
    assert "/00001-" in fresh.run_dir and fresh.drive_dir.endswith(Path(fresh.run_dir).name)


def test_the_job_of_a_plan_survives_json(workspace):
    from sg2ada_colab.colab.supervisor import TrainingProcess
    from sg2ada_colab.training.config import TrainConfig

    plan = plan_run(workspace, data(workspace), SMALL)
    process = TrainingProcess.of_plan(plan)
    job = json.loads(json.dumps(process.job))
    process.forget()
    assert TrainConfig.from_dict(job["config"]) == plan.config and job["resume"] is False and job["drive_dir"] is None


def test_the_notebooks_calls_import_no_tensorflow():
    code = (
        "import sys, sg2ada_colab as s\n"
        "[getattr(s, name) for name in s.__all__]\n"
        "sys.exit('tensorflow' in sys.modules or 'ipywidgets' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=str(ROOT)).returncode == 0


def test_names_that_do_not_exist_are_attribute_errors():
    import sg2ada_colab

    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        sg2ada_colab.trian  # noqa: B018
    assert "train" in dir(sg2ada_colab)
