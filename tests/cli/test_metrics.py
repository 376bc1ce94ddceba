"""The verb `metrics` from the command line's side."""
import argparse
import json

import pytest

from sg2ada_colab.cli import metrics
from sg2ada_colab.errors import UserError


def parse(*words):
    parser = argparse.ArgumentParser(prog="sg2ada")
    metrics.register(parser.add_subparsers())
    return parser.parse_args(["metrics"] + list(words))


def run(*words):
    args = parse(*words)
    return args.run(args)


def make_run(folder, *kimg):
    folder.mkdir(parents=True)
    for number in kimg:
        (folder / "network-snapshot-{:06d}.pkl".format(number)).write_bytes(b"not opened here")
    return folder


def test_show_lists_and_plots_what_was_measured(tmp_path, capsys):
    runs = [make_run(tmp_path / name, 0, 200) for name in ("00000-a", "00001-b")]
    for run_dir, values in zip(runs, ((80.5, 40.25), (70.0, 60.0))):
        lines = ["network-snapshot-{:06d}        time 12s          fid5k_full {}".format(k, v) for k, v in zip((0, 200), values)]
        (run_dir / "metric-fid5k_full.txt").write_text("\n".join(lines) + "\n")
    assert run(str(runs[0]), str(runs[1]), "--show") == 0
    printed = capsys.readouterr().out
    assert "fid5k_full of {}: 2 measured, best 40.25 at network-snapshot-000200".format(runs[0]) in printed
    assert all((run_dir / "metric-fid5k_full.png").stat().st_size > 1000 for run_dir in runs)


def test_paths_that_are_no_snapshots_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for path, text in ((tmp_path / "gone.pkl", "does not exist"), (tmp_path / "empty", "holds no network-snapshot")):
        with pytest.raises(UserError, match=text):
            run(str(path))
    with pytest.raises(UserError, match="no snapshot and no run is named"):
        run()


@pytest.mark.parametrize("words,text", [
    (["--every", "0"], "--every 0"), (["--budget", "0"], "--budget 0"), (["--neighbours", "-1"], "--neighbours -1"),
    (["--metrics", "fid9"], None), (["--metrics", "fid50k_fully"], "no metric 'fid50k_fully'"),
])  # fmt: skip
def test_wrong_values_are_refused_before_anything_is_done(tmp_path, words, text):
    folder = make_run(tmp_path / "run", 0)
    with pytest.raises(UserError, match=text or "training_options.json"):
        run(str(folder), *words)


def test_a_runs_options_are_read(tmp_path):
    folder = make_run(tmp_path / "run", 0)
    assert metrics.run_options(folder) == {}
    data = {"path": "somewhere", "resolution": 64, "mirror_augment": True, "max_label_size": 0}
    (folder / "training_options.json").write_text(
        json.dumps({"metric_dataset_args": data, "metric_arg_list": [{"name": "fid50k_full"}]})
    )
    found = {"path": "somewhere", "resolution": 64, "mirror": True, "metrics": ["fid50k_full"], "seed": 0}
    assert metrics.run_options(folder) == found
    (folder / "training_options.json").write_text("{broken")
    assert metrics.run_options(folder) == {}


def test_a_single_snapshot_or_a_run_is_a_target(tmp_path):
    folder = make_run(tmp_path / "run", 0, 40, 80)
    assert metrics.find_target(folder / "network-snapshot-000040.pkl", 1) == (folder, [folder / "network-snapshot-000040.pkl"])
    found, snapshots = metrics.find_target(folder, 2)
    assert found == folder and [path.stem[-2:] for path in snapshots] == ["00", "80"]


def test_the_progress_bar_prints_sentences_on_lines_of_their_own(capsys):
    bar = metrics.ProgressBar()
    bar.title = "network-snapshot-000040"
    for done in (32, 64):
        bar("fakes", done, 64)
    bar.say("a result")
    bar("reals", 10, 20)
    bar.close()
    printed = capsys.readouterr()
    assert printed.out == "a result\n" and "fakes" in printed.err and "reals" in printed.err
