"""When to measure and with how many images."""

import pytest

from sg2ada_colab.config.metric_names import parse_metric
from sg2ada_colab.metrics.schedule import (
    fit_to_seconds,
    is_due,
    measured_name,
    previously_measured_size,
    seconds_allowed,
    usable_metrics,
)


def test_every_third_snapshot_and_never_the_untrained_network():
    assert [tick for tick in range(40) if is_due(tick, 5)] == [5, 10, 15, 20, 25, 30, 35]
    assert [tick for tick in range(40) if is_due(tick, 5, every=3)] == [15, 30]


def test_the_share_of_the_session_counts_the_measurements_themselves():
    seconds = seconds_allowed(0.05, 600, every=2)
    assert seconds / (seconds + 1200) == pytest.approx(0.05)


@pytest.mark.parametrize("rate,seconds,name", [
    (100, 60, "fid5k_full"), (1000, 600, "fid50k_full"), (10, 10, "fid1k_full"), (100, 199, "fid10k_full"),
    (100, 200, "fid20k_full"),
])  # fmt: skip
def test_the_budget_chooses_the_largest_size_that_fits(rate, seconds, name):
    spec, sentence = fit_to_seconds(parse_metric("fid50k_full"), rate, seconds)
    assert spec.name == name and sentence.startswith(name)
    assert ("longer than allowed" in sentence) == (rate * seconds < 1000)


def test_a_metric_is_never_made_larger():
    assert fit_to_seconds(parse_metric("kid_efflite0"), 1000, 1000)[0].name == "kid_efflite0"
    assert fit_to_seconds(parse_metric("kid300_efflite0"), 1, 1)[0].name == "kid300_efflite0"


def test_a_run_keeps_the_size_it_was_measured_with():
    fid = parse_metric("fid50k_full")
    assert previously_measured_size(fid, ["fid2k_full", "kid5k_full"]).name == "fid2k_full"
    assert previously_measured_size(fid, ["fid2k_full", "fid50k_full"]) == fid
    assert previously_measured_size(fid, ["kid5k_full", "fid5k"]) is None


def test_another_size_or_the_replacement_stands_for_a_metric():
    assert measured_name("fid50k_full", ["fid2k_full", "kid_efflite0"]) == "fid2k_full"
    assert measured_name("fid50k_full", ["kid_efflite0", "pr50k3"]) == "kid_efflite0"
    assert measured_name("fid50k_full", ["kid2k_efflite0"]) == "kid2k_efflite0"
    assert measured_name("pr50k3_full", ["kid_efflite0"]) is None


def test_without_inception_the_small_network_takes_over_and_says_so():
    def is_available(name):
        return None if name == "efflite0" else "no weights; put them there"

    specs, sentences = usable_metrics(["fid50k_full", "kid50k_full", "pr50k3_full", "fd_efflite0"], is_available)
    assert [spec.name for spec in specs] == ["kid_efflite0", "fd_efflite0"]
    assert "fid50k_full cannot be measured: no weights; put them there" in sentences[0]
    assert "not FIDs" in sentences[1] and len(sentences) == 4
    assert usable_metrics(["fid50k_full"], lambda name: "gone") == ([], ["fid50k_full cannot be measured: gone"])
