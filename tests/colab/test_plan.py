"""Begin or go on: which run, which options, what is refused; and nothing of it imports TensorFlow."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.colab.plan import find_dataset, parse_options, plan_run
from sg2ada_colab.config.options_file import options_text
from sg2ada_colab.dataset import PrepareOptions, prepare
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.workspace import open_workspace
from tests.oracles.small_snapshots import small_snapshot

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
            Image.fromarray(pixels).save(str(source / f"{number}.png"))
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
        store.write_snapshot_async(kimg, lambda file: file.write(b"x"), {"a": np.zeros(2)}, {"nimg": kimg * 1000})
        store.wait()
    return plan


def test_the_first_run_is_begun_and_the_next_call_goes_on(workspace):
    plan = plan_run(workspace, data(workspace), SMALL)
    assert plan.candidate is None and plan.run_dir.endswith("00000-birds-auto1-kimg100-batch16") and plan.drive_dir is None
    assert not Path(plan.run_dir).exists() and plan.config.metrics.names == []
    begin(workspace, kimgs=(4, 12))
    again = plan_run(workspace, data(workspace), SMALL)
    assert again.run_dir == plan.run_dir and again.candidate.kimg == 12 and not again.is_finished
    assert again.config.to_dict() == dict(plan.config.to_dict(), notes=again.config.notes)


def test_a_new_run_can_be_asked_for(workspace):
    begin(workspace)
    plan = plan_run(workspace, data(workspace), SMALL, new_run=True)
    assert plan.candidate is None and "/00001-" in plan.run_dir


def test_a_run_at_its_length_is_finished_until_more_is_asked_for(workspace):
    begin(workspace, kimgs=(100,))
    assert plan_run(workspace, data(workspace), SMALL).is_finished
    longer = plan_run(workspace, data(workspace), dict(SMALL, kimg=200))
    assert not longer.is_finished and longer.config.schedule.total_kimg == 200
    assert "Changed: --kimg: 100 before, 200 now" in longer.sentences


def test_a_setting_that_would_make_another_run_is_refused_with_the_way_out(workspace):
    begin(workspace)
    with pytest.raises(UserError, match="new_run=True") as caught:
        plan_run(workspace, data(workspace), dict(SMALL, gamma=7))
    assert "r1_gamma" in caught.value.what


@pytest.mark.parametrize(
    "option, words", [({"p": "0.5"}, "--p: not given before, 0.5 now"), ({"desc": "x"}, "--desc: not given")]
)
def test_options_that_make_no_sense_with_the_runs_own_are_explained_as_others(workspace, option, words):
    begin(workspace)
    with pytest.raises(UserError) as caught:
        plan_run(workspace, data(workspace), dict(SMALL, **option))
    assert words in caught.value.what and "with new_run=True" in caught.value.next_step


def test_forms_give_text(workspace):
    options = parse_options({"kimg": "20", "mirror": "yes", "metrics": "none", "gamma": "0.5", "data": "x"})
    assert (options.kimg, options.mirror, options.metrics, options.gamma) == (20, True, [], 0.5)
    with pytest.raises(UserError, match="kimg='many'"):
        parse_options({"kimg": "many"})
    with pytest.raises(UserError, match="does not know the options kimgs"):
        parse_options({"kimgs": 3})


def test_the_network_to_begin_with_is_opened_before_anything_starts(workspace, tmp_path):
    for name, resolution in (("small", 16), ("fits", 8)):
        write_network_pickle(tmp_path / f"{name}.pkl", small_snapshot(resolution=resolution))

    def plan(network):
        return plan_run(workspace, data(workspace), dict(SMALL, resume=str(network)), new_run=True)

    with pytest.raises(UserError, match="does not exist"):
        plan(tmp_path / "missing.pkl")
    with pytest.raises(UserError, match="Resolution: the snapshot has 16, this run wants 8"):
        plan(tmp_path / "small.pkl")
    with pytest.raises(UserError, match="is a folder"):
        plan(tmp_path)
    planned = plan(tmp_path / "fits.pkl")
    assert planned.config.G["latent_size"] == 5
    assert [sentence for sentence in planned.sentences if sentence.startswith("A new run begins with the networks of fits.pkl")]


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
    monkeypatch.setattr("sg2ada_colab.storage.workspace.in_colab", lambda: True)
    monkeypatch.setattr("sg2ada_colab.storage.workspace.MACHINE_FOLDER", str(tmp_path / "machine"))
    plan = plan_run(workspace, data(workspace), SMALL)
    assert plan.run_dir.startswith(str(tmp_path / "machine")) and plan.drive_dir.startswith(workspace.results)
    assert plan.candidate.run_dir == plan.drive_dir
    fresh = plan_run(workspace, data(workspace), SMALL, new_run=True)
    assert "/00001-" in fresh.run_dir and fresh.drive_dir.endswith(Path(fresh.run_dir).name)


def test_the_job_of_a_plan_survives_json(workspace):
    from sg2ada_colab.colab.supervisor import TrainingProcess
    from sg2ada_colab.config.train_config import TrainConfig

    plan = plan_run(workspace, data(workspace), SMALL)
    process = TrainingProcess.of_plan(plan)
    job = json.loads(json.dumps(process.job))
    process.forget()
    assert TrainConfig.from_dict(job["config"]) == plan.config and job["resume"] is None and job["drive_dir"] is None


@pytest.mark.parametrize("options", [{"deterministic": True}, {"no_xla": True}])
def test_the_child_is_compiled_for_as_the_job_says(workspace, tmp_path, monkeypatch, options):
    from sg2ada_colab.colab import child
    from sg2ada_colab.runs import start as runs

    asked = []
    monkeypatch.setattr(child, "use_for_run", lambda *given: asked.append(given))
    monkeypatch.setattr(runs, "start", lambda config, run_dir, **more: 0)
    plan = plan_run(workspace, data(workspace), dict(SMALL, **options))
    job = {"config": plan.config.to_dict(), "run_dir": plan.run_dir, "drive_dir": None, "resume": None}
    assert child.train(json.loads(json.dumps(job)), str(tmp_path)) == 0
    assert asked == [("no_xla" not in options, "deterministic" in options, None)]


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
