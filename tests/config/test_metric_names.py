"""Metric names: what each one means, and which are none."""

from dataclasses import astuple

import pytest

from sg2ada_colab.config.metric_names import (
    NVIDIA_NAMES,
    find_metric,
    is_fid,
    lower_is_better,
    metric_definition,
    parse_metric,
    parse_metrics,
    resized,
)
from sg2ada_colab.errors import UserError

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
    assert astuple(parse_metric(name))[:6] == (name,) + ORIGINALS[name]


@pytest.mark.parametrize("name,space,sampling,crop", [
    ("ppl2_wend", "w", "end", False), ("ppl_zfull", "z", "full", True), ("ppl_wfull", "w", "full", True),
    ("ppl_zend", "z", "end", True), ("ppl_wend", "w", "end", True), ("ppl2_wend_2k", "w", "end", False),
])  # fmt: skip
def test_path_lengths(name, space, sampling, crop):
    spec = parse_metric(name)
    assert (spec.kind, spec.space, spec.sampling, spec.crop) == ("ppl", space, sampling, crop)
    assert spec.num_fakes == (2000 if name.endswith("2k") else 50000)


NO_METRICS = ["fid", "fid50k_half", "fid_efflite0", "is50k_full", "ppl2_zend", "fid0k_full", "kid1_efflite0", "FID50k", "pr5003"]


@pytest.mark.parametrize("name", NO_METRICS)
def test_other_names_are_refused(name):
    with pytest.raises(UserError, match=f"no metric '{name}'"):
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


def test_the_name_that_needs_face_classifiers_is_refused_with_the_reason():
    with pytest.raises(UserError, match="the metric 'ls' cannot be computed") as caught:
        parse_metric("ls")
    assert "40, trained on faces" in caught.value.expected and "ppl2_wend" in caught.value.next_step


def test_which_values_are_better_and_how_they_are_written():
    assert [name for name in ORIGINALS if not lower_is_better(name)] == ["pr50k3_full", "is50k", "pr50k3", "pr1k3_efflite0"]
    assert lower_is_better("eqt50k")  # of another program
    assert [name for name in ORIGINALS if is_fid(name)] == ["fid50k_full", "fid50k", "fid5k_full"]
    assert parse_metric("kid_efflite0").number_format % 0.5 == "0.50000000  "
    assert parse_metric("fid50k").number_format % 1 == "1.0000    "


def test_definitions_of_nvidia_are_those_of_its_twelve_names():
    assert len(NVIDIA_NAMES) == 12 and all(find_metric(name).num_fakes == 50000 for name in NVIDIA_NAMES)
    assert metric_definition("pr50k3_full") == {
        "name": "pr50k3_full", "class_name": "metrics.precision_recall.PR", "max_reals": 200000, "num_fakes": 50000,
        "nhood_size": 3, "minibatch_per_gpu": 8, "row_batch_size": 10000, "col_batch_size": 10000,
        "force_dataset_args": {"shuffle": False, "max_images": None, "repeat": False, "mirror_augment": False},
    }  # fmt: skip
    assert metric_definition("ppl2_wend")["sampling"] == "end" and metric_definition("ppl2_wend")["crop"] is False
    assert metric_definition("fid5k_full") == {"name": "fid5k_full", "class_name": "sg2ada_colab.metrics.fid5k_full"}
