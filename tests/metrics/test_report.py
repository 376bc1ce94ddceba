"""Result files: the original's line, appended, read back, the best found."""

import collections
import json

from sg2ada_colab.metrics.evaluate import MetricResult
from sg2ada_colab.metrics.report import best_measurement, read_measurements, result_line, write_result


def result(name, seconds=266.0, **values):
    pairs = collections.OrderedDict((suffix and "_" + suffix, value) for suffix, value in (values or {"": 46.56327}).items())
    return MetricResult(name, pairs, seconds, 100, 50000, ["a note"])


def test_the_lines_are_the_originals():
    assert result_line("network-snapshot-000200", result("fid50k_full")) == (
        "network-snapshot-000200        time 4m 26s       fid50k_full 46.5633"
    )
    line = result_line("ffhq-res1024-mirror-paper1024-noaug", result("kid50k_full", 3723, **{"": 0.0123456789}))
    assert line == "...024-mirror-paper1024-noaug  time 1h 02m 03s   kid50k_full 0.01234568"
    line = result_line("x", result("pr50k3_full", 12, precision=0.5, recall=0.25))
    assert line == "x                              time 12s          pr50k3_full_precision 0.5000     pr50k3_full_recall 0.2500"


def test_written_results_are_read_back_in_order(tmp_path):
    for kimg, value in ((400, 3.5), (0, 9.25), (1200, 5.0), (400, 4.5)):
        write_result(tmp_path, f"/somewhere/network-snapshot-{kimg:06d}.pkl", result("fid5k_full", **{"": value}))
    measurements = read_measurements(tmp_path, "fid5k_full")
    assert [(item.kimg, item.values[""]) for item in measurements] == [(0, 9.25), (400, 4.5), (1200, 5.0)]
    assert best_measurement(measurements).kimg == 400
    records = [json.loads(line) for line in (tmp_path / "metric-fid5k_full.jsonl").read_text().splitlines()]
    assert records[0]["results"] == {"fid5k_full": 3.5} and records[0]["snapshot_pkl"] == "network-snapshot-000400.pkl"
    assert records[0]["metric"] == "fid5k_full" and records[0]["total_time_str"] == "4m 26s"


def test_a_line_cut_off_by_a_crash_is_left_out_and_closed(tmp_path):
    path = tmp_path / "metric-fid5k_full.txt"
    path.write_text("network-snapshot-000200        time 4m 26s       fid5k_")
    write_result(tmp_path, "network-snapshot-000400.pkl", result("fid5k_full"))
    assert [item.kimg for item in read_measurements(tmp_path, "fid5k_full")] == [400]
    assert len(path.read_text().splitlines()) == 2


def test_best_of_scores_is_the_largest_and_nan_never_wins(tmp_path):
    for kimg, mean in ((0, 1.5), (200, 3.5), (400, float("nan"))):
        write_result(tmp_path, f"network-snapshot-{kimg:06d}.pkl", result("is50k", mean=mean, std=0.1))
    assert best_measurement(read_measurements(tmp_path, "is50k"), lower=False).kimg == 200
    assert best_measurement([]) is None


def test_snapshots_within_one_kimg_keep_their_kimg(tmp_path):
    write_result(tmp_path, "network-snapshot-000012-1.pkl", result("fid5k_full"))
    assert read_measurements(tmp_path, "fid5k_full")[0].kimg == 12
