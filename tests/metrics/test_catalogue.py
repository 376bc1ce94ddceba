"""Metric names: what each one means, and which are none."""

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.metrics.catalogue import parse_metric, parse_metrics, resized

# name -> kind, network, reals (None = all), fakes, flips as in training
ORIGINALS = {
    "fid50k_full": ("fid", "inception", None, 50000, False),
    "kid50k_full": ("kid", "inception", 1000000, 50000, False),
    "pr50k3_full": ("pr", "vgg16", 200000, 50000, False),
    "is50k": ("is", "inception", 0, 50000, False),
    "fid50k": ("fid", "inception", 50000, 50000, True),
    "kid50k": ("kid", "inception", 50000, 50000, True),
    "pr50k3": ("pr", "vgg16", 50000, 50000, True),
    "fid5k_full": ("fid", "inception", None, 5000, False),
    "kid500_full": ("kid", "inception", 1000000, 500, False),
    "kid_efflite0": ("kid", "efflite0", 50000, 5000, False),
    "fd2k_efflite0": ("fid", "efflite0", 50000, 2000, False),
    "pr1k3_efflite0": ("pr", "efflite0", 50000, 1000, False),
}


@pytest.mark.parametrize("name", sorted(ORIGINALS))
def test_definitions(name):
    assert tuple(parse_metric(name))[:6] == (name,) + ORIGINALS[name]


@pytest.mark.parametrize("name,space,ends,crop", [
    ("ppl2_wend", "w", "end", False), ("ppl_zfull", "z", "full", True), ("ppl_wfull", "w", "full", True),
    ("ppl_zend", "z", "end", True), ("ppl_wend", "w", "end", True), ("ppl2_wend_2k", "w", "end", False),
])  # fmt: skip
def test_path_lengths(name, space, ends, crop):
    spec = parse_metric(name)
    assert (spec.kind, spec.space, spec.ends, spec.crop) == ("ppl", space, ends, crop)
    assert spec.num_fakes == (2000 if name.endswith("2k") else 50000)


NO_METRICS = ["fid", "fid50k_half", "ls", "fid_efflite0", "is50k_full", "ppl2_zend", "fid0k_full", "kid1_efflite0", "FID50k"]


@pytest.mark.parametrize("name", NO_METRICS)
def test_other_names_are_refused(name):
    with pytest.raises(UserError, match="no metric '{}'".format(name)):
        parse_metric(name)


def test_lists():
    assert [spec.name for spec in parse_metrics("fid50k_full, kid_efflite0")] == ["fid50k_full", "kid_efflite0"]
    assert parse_metrics("none") == parse_metrics("") == []


@pytest.mark.parametrize("name,size,other", [
    ("fid50k_full", 5000, "fid5k_full"), ("kid_efflite0", 2000, "kid2k_efflite0"), ("fd5k_efflite0", 500, "fd500_efflite0"),
    ("pr50k3_full", 1000, "pr1k3_full"), ("is50k", 10000, "is10k"), ("ppl2_wend", 1000, "ppl2_wend_1k"),
    ("kid50k", 1000, "kid1k"), ("ppl_zfull_3k", 2000, "ppl_zfull_2k"),
])  # fmt: skip
def test_another_size_has_another_name(name, size, other):
    assert resized(parse_metric(name), size) == parse_metric(other)
