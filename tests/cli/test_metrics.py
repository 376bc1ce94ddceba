"""The verb `metrics` from the command line's side."""

import argparse
import json

import pytest

from sg2ada_colab.cli import metrics
from sg2ada_colab.errors import UserError
from sg2ada_colab.storage.run_folder import metric_settings


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
        (folder / f"network-snapshot-{number:06d}.pkl").write_bytes(b"not opened here")
    return folder


def test_show_lists_and_plots_what_was_measured(tmp_path, capsys):
    runs = [make_run(tmp_path / name, 0, 200) for name in ("00000-a", "00001-b")]
    for run_dir, values in zip(runs, ((80.5, 40.25), (70.0, 60.0))):
        lines = [f"network-snapshot-{k:06d}        time 12s          fid5k_full {v}" for k, v in zip((0, 200), values)]
        (run_dir / "metric-fid5k_full.txt").write_text("\n".join(lines) + "\n")
    assert run(str(runs[0]), str(runs[1]), "--show") == 0
    printed = capsys.readouterr().out
    assert f"fid5k_full of {runs[0]}: 2 measured, best 40.25 at network-snapshot-000200" in printed
    assert all((run_dir / "metric-fid5k_full.png").stat().st_size > 1000 for run_dir in runs)


def test_a_snapshot_that_cannot_be_measured_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(metrics, "measure_target", lambda *_: [("network-snapshot-000004.pkl", "it is damaged")])
    make_run(tmp_path / "run", 4)
    assert run(str(tmp_path / "run")) == 1
    assert capsys.readouterr().err == "Not measured: network-snapshot-000004.pkl: it is damaged\n"


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
    assert metric_settings(folder) == {}
    data = {"path": "somewhere", "resolution": 64, "mirror_augment": True, "max_label_size": 0}
    (folder / "training_options.json").write_text(
        json.dumps({"metric_dataset_args": data, "metric_arg_list": [{"name": "fid50k_full"}]})
    )
    found = {"path": "somewhere", "resolution": 64, "mirror": True, "metrics": ["fid50k_full"], "seed": 0}
    assert metric_settings(folder) == found
    (folder / "training_options.json").write_text("{broken")
    assert metric_settings(folder) == {}


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


DATA = '"metric_dataset_args": {"path": "d"}'


@pytest.mark.parametrize(
    "text", ["{", "[]", "[" * 100_000, '{"metric_dataset_args": 7}', '{"metric_dataset_args": {"path": 7}}',
             "{%s, %s}" % (DATA, '"metric_arg_list": 7'), "{%s, %s}" % (DATA, '"sg2ada": {"seed": "x"}'),
             "{%s, %s}" % (DATA, '"sg2ada": {"seed": NaN}')],
)  # fmt: skip
def test_options_of_a_run_that_are_damaged_say_nothing(tmp_path, text):
    (tmp_path / "training_options.json").write_text(text)
    assert metric_settings(tmp_path) == {}
