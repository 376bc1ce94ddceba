"""A run in two processes: what they must have in common, and that it goes on from a stop or a death, in any number of them."""

import json
import os

import pytest

from sg2ada_colab.config.train_config import TrainConfig
from sg2ada_colab.metrics.report import read_measurements
from sg2ada_colab.tf import IS_TF1
from sg2ada_colab.training.ranks import ALONE

from ..training.rank_pair import RankPair
from ..training.shared_work import started
from .test_resume import ADA, assert_equal_runs, statistics

STARTED, WATCHED = ("tests.training.shared_work." + name for name in ("started", "started_and_watched"))
TWO_ROUNDS = dict(ADA, batch_gpu=8)


@pytest.fixture(scope="module")
def pair():
    with RankPair() as processes:
        yield processes


def ended(pair, *args_of_each):
    """Return the exit code of each process's run, or the RemoteError of what it raised."""
    pair.start(STARTED, *args_of_each)
    return pair.results()


def saved(run_dir):
    """Return the config of a run as its folder has it, as JSON."""
    with open(os.path.join(str(run_dir), "training_options.json"), encoding="utf-8") as file:
        return TrainConfig.from_dict(json.load(file)["sg2ada"]).to_json()


def names(run_dir):
    return sorted(name.partition(".tfevents")[0] for name in os.listdir(str(run_dir)))


@pytest.mark.once
def test_processes_with_other_options_or_images_refuse_each_other(pair, tiny_config, tmp_path):
    one, other = tiny_config(**TWO_ROUNDS), tiny_config(seed=5, **TWO_ROUNDS)
    results = ended(pair, (one.to_json(), str(tmp_path / "run")), (other.to_json(), str(tmp_path / "elsewhere")))
    for kind, text in [result.args for result in results]:
        assert kind == "UserError"
        assert "differ from process 0 in: the options of process 1 (seed: 1000 in process 0, 5 in process 1)." in text
    assert os.listdir(str(tmp_path)) == []


def test_stopped_on_two_resumed_on_two_on_one_and_on_two_equals_undisturbed(pair, tiny_config, tmp_path):
    """Two rounds: their sum is the same in either order, so the number of processes may change without a trace."""
    config, undisturbed, run, elsewhere = tiny_config(**TWO_ROUNDS), tmp_path / "a", tmp_path / "b", str(tmp_path / "none")
    assert ended(pair, (config.to_json(), str(undisturbed)), (config.to_json(), elsewhere)) == [0, 0]
    assert ended(pair, (config.to_json(), str(run)), (config.to_json(), elsewhere, None, 3)) == [130, 130]
    assert ended(pair, (saved(run), str(run), True, 2), (saved(run), elsewhere)) == [130, 130]
    assert json.loads(saved(run))["schedule"]["shared_rounds"]
    assert started(ALONE, saved(run), str(run), True, 4) == 130
    assert ended(pair, (saved(run), str(run), True), (saved(run), elsewhere)) == [0, 0]
    assert_equal_runs(run, undisturbed)
    assert statistics(run) == statistics(undisturbed)
    assert not os.path.exists(elsewhere) and set(names(undisturbed)) <= set(names(run))


@pytest.mark.once
def test_both_measure_and_it_is_what_one_process_measures(pair, tiny_config, tmp_path):
    options = dict(TWO_ROUNDS, metrics=["kid200_efflite0", "fd90_efflite0"], metrics_budget=0, kimg=1, tick=0.5, snap=1)
    config, together, alone = tiny_config(**options).to_json(), tmp_path / "a", tmp_path / "b"
    assert ended(pair, (config, str(together)), (config, str(tmp_path / "none"))) == [0, 0]
    assert started(ALONE, saved(together), str(alone)) == 0
    for name in options["metrics"]:
        values = [[item.values for item in read_measurements(run, name)] for run in (together, alone)]
        assert values[0] == values[1] and len(values[0]) == 2


@pytest.mark.once
def test_the_others_stay_until_the_first_has_finished_its_copies(pair, tiny_config, tmp_path):
    config = tiny_config(**dict(TWO_ROUNDS, kimg=1)).to_json()
    (copied, _), (nothing, ended_at) = pair.call("tests.training.shared_work.ends", config, str(tmp_path / "run"))
    assert nothing is None and ended_at > copied


@pytest.mark.slow
@pytest.mark.skipif(IS_TF1, reason="TF 1.14 waits for a process that has ended: what started it has to end the others")
def test_one_compiles_and_the_other_finds_it_and_killed_they_are_resumed(tiny_config, tmp_path):
    """Killed is the first process in one run, the second in another; both are compared with the same undisturbed run.

    Under XLA, whose programs are kept: that those compiled again are the same, test_resume.py shows. Without XLA,
    test_several_processes.py does all this with the launcher and the real steps.
    """
    programs = str(tmp_path / "programs")
    os.mkdir(programs)
    kept = {"TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={programs}"}
    config = tiny_config(deterministic=True, **dict(TWO_ROUNDS, no_xla=False)).to_json()
    undisturbed, runs = str(tmp_path / "a"), [str(tmp_path / "b"), str(tmp_path / "c")]

    def kill(pair, killed):
        pair.start(STARTED, *[(config, runs[killed], None, 9 if rank == killed else 0, True, programs) for rank in range(2)])
        assert pair.processes[killed].wait(300) == -9
        kind, text = pair.results_of(1 - killed).args
        assert kind == "OtherRankEnded" and "Another process of this run has ended" in text

    def resume(pair, run):
        assert ended(pair, *[(saved(run), run, True, 0, False, programs)] * 2) == [0, 0]
        assert_equal_runs(run, undisturbed)

    with RankPair(**kept) as pair:
        (code, (traced, count, _)), (code_too, (traced_too, count_too, files)) = pair.call(WATCHED, config, undisturbed, programs)
        assert code == code_too == 0
        assert len(set(traced) - set(traced_too)) == 1 == count - count_too  # the first one alone makes pictures, too
        assert set(traced_too) < set(traced)
        before, after = files  # when the second one looks for its programs, and when it has them
        assert before == after and len(before) == count >= 4
        kill(pair, 0)
    with RankPair(**kept) as pair:
        resume(pair, runs[0])
        kill(pair, 1)
    with RankPair(**kept) as pair:
        resume(pair, runs[1])
