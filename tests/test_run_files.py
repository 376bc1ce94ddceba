"""Names in a run folder: each is spelled in one module, and told apart from those of other files."""

import re
from pathlib import Path

import sg2ada_colab
from sg2ada_colab import run_files


def test_names_and_their_order():
    assert run_files.pickle_name("000012") == "network-snapshot-000012.pkl"
    assert run_files.state_name("000012-1") == "training-state-000012-1.npz"
    assert run_files.grid_name(8) == "fakes000008.png" and run_files.neighbours_name("000012") == "neighbours-000012.png"
    metric = "fid50k_full"
    files = [run_files.metric_text(metric), run_files.metric_lines(metric), run_files.metric_picture(metric)]
    assert files == ["metric-fid50k_full.txt", "metric-fid50k_full.jsonl", "metric-fid50k_full.png"]
    names = ["1000000", "000012-1", "000012", "000004"]
    assert sorted(names, key=run_files.order_of) == ["000004", "000012", "000012-1", "1000000"]


def test_a_snapshots_name_is_read_from_its_files_and_from_no_others():
    for file in ("network-snapshot-000012.pkl", "training-state-000012.npz", "network-snapshot-000012 (1).pkl"):
        assert run_files.snapshot_name(file) == "000012"
    for file in ("network-snapshot-12.pkl", "network-snapshot-000012.pkl.7-1.part", "fakes000012.png", "network-final.pkl"):
        assert run_files.snapshot_name(file) is None


def test_no_other_module_spells_a_name():
    names = r"training_options\.json|stats\.jsonl|events\.jsonl|log\.txt|drive-status\.json|reals\.png|fakes_init\.png"
    starts = r"network-snapshot-[^\"'N ]*|training-state-[^\"'N ]*|metric-\{[^\"']*"
    spelled = re.compile(rf"""["']({names}|{starts})["']""")
    assert spelled.search('open("log.txt")') and spelled.search('f"network-snapshot-{name}.pkl"')
    package = Path(sg2ada_colab.__file__).parent
    found = [
        f"{path.relative_to(package)}:{number} {match.group(0)}"
        for path in sorted(package.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in spelled.finditer(line)
        if path.name != "run_files.py"
    ]
    assert not found, "\n".join(found)
