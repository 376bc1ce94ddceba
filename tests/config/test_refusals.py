"""Every refusal, with its three parts: what is wrong, what was expected, what to do next."""

from dataclasses import fields

import pytest

from sg2ada_colab.config.options import TrainOptions, flag_of
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.errors import UserError

# One value of each option that is out of its range.
OUT_OF_RANGE = {
    "gpus": 0, "seed": -1, "snap": 0, "snap_minutes": -1.0, "img_snap": 0, "tick": 0.0, "keep_last": -1, "keep_every_kimg":
    -5, "res": 24, "subset": 0, "gamma": -1.0, "lecam": -1.0, "kimg": 0, "batch": 0, "batch_gpu": 0, "lrate": 0.0, "glr": -1e-3,
    "dlr": 0.0, "map_depth": 0, "cbase": 3, "cmax": 0, "mbstd_group": 0, "p": 1.5, "target": -0.1, "initstrength": 2.0, "max_p":
    0.0, "dcap": 0.0, "freezed": -1, "start_kimg": -1, "desc": "a/b", "cfg": "11gb-gpu", "aug": "diffaug", "augpipe": "xyz",
    "cmethod": "topk", "metrics_every": 0, "metrics_budget": 100.0,
}  # fmt: skip

CONTRADICTIONS = [
    ({"p": 0.5}, "--p is given, but the strength of --aug=ada is not fixed.", "--p together with --aug=fixed."),
    ({"aug": "fixed"}, "--aug=fixed is given without a strength.", "A strength from 0 to 1."),
    ({"aug": "noaug", "target": 0.5}, "--target is given, but --aug=noaug adapts nothing.", "--target together with --aug=ada"),
    ({"aug": "fixed", "p": 0.1, "target": 0.5}, "--target is given, but --aug=fixed adapts nothing.", "--target together with"),
    ({"aug": "noaug", "augpipe": "bg"}, "--augpipe=bg is given together with --aug=noaug.", "Transforms only where"),
    (
        {"aug": "noaug", "initstrength": 0.1},
        "--initstrength is given, but --aug=noaug adapts nothing.",
        "--initstrength together",
    ),
    ({"aug": "fixed", "p": 0.1, "max_p": 0.1}, "--max-p is given, but --aug=fixed adapts nothing.", "--max-p together"),
    ({"initstrength": 0.6, "max_p": 0.5}, "--initstrength=0.6 lies above --max-p=0.5.", "A strength to begin with"),
    ({"cmethod": "pagan"}, "--cmethod=pagan takes the place of augmentation, but --aug=ada is on by default.", "--cmethod=pagan"),
    (
        {"cmethod": "adropout", "aug": "ada"},
        "--cmethod=adropout takes the place of augmentation, but --aug=ada is on.",
        "--cmethod",
    ),
    (
        {"cmethod": "wgangp", "aug": "noaug", "gamma": 2.0},
        "--gamma is given together with --cmethod=wgangp",
        "--gamma only with losses",
    ),
    ({"cmethod": "shallowmap"}, "--cmethod=shallowmap changes nothing with --cfg=auto.", "A configuration whose mapping"),
    ({"cmethod": "shallowmap", "cfg": "cifar"}, "--cmethod=shallowmap changes nothing with --cfg=cifar.", "A configuration"),
    (
        {"cmethod": "shallowmap", "cfg": "paper256", "map_depth": 4},
        "--map-depth=4 is given together with --cmethod=shallowmap",
        "One of",
    ),
    ({"lrate": 0.1, "glr": 0.1, "dlr": 0.1}, "--lrate is given together with --glr and --dlr", "--lrate for both networks"),
    (
        {"cmethod": "zcr", "fp32": False},
        "--fp32=0 is given together with --cmethod=zcr, which needs float32.",
        "float32 for this",
    ),
    ({"start_kimg": 25000}, "--start-kimg=25000 leaves nothing of the 25000 kimg to train.", "A total length (--kimg) above"),
    ({"kimg": 5, "start_kimg": 9}, "--start-kimg=9 leaves nothing of the 5 kimg to train.", "A total length (--kimg) above"),
    ({"dcap": 1e-4}, "--dcap leaves the discriminator without channels.", "A capacity of at least one channel"),
    (
        {"batch": 10, "batch_gpu": 4},
        "A minibatch of 10 images cannot be divided into shares of 4 for --gpus=1.",
        "--batch as a multiple",
    ),
    (
        {"batch": 6, "gpus": 4},
        "A minibatch of 6 images cannot be divided into shares of 1 for --gpus=4.",
        "--batch as a multiple",
    ),
    (
        {"batch": 1, "gpus": 2},
        "A minibatch of 1 images cannot be divided into shares of 1 for --gpus=2.",
        "--batch as a multiple",
    ),
    (
        {"cfg": "stylegan2", "gpus": 16},
        "A minibatch of 32 images cannot be divided into shares of 4 for --gpus=16.",
        "--batch as",
    ),
    ({"mbstd_group": 5}, "--mbstd-group=5 does not divide the 32 images that the GPU takes at once.", "Groups of equal size."),
    ({"lecam": 0.1, "cmethod": "bcr"}, "--lecam is given together with --cmethod=bcr.", "One change to the training at a time"),
    ({"aug": "apa", "cmethod": "zcr"}, "--aug=apa is given together with --cmethod=zcr.", "One change to the training"),
    ({"aug": "ada-apa", "max_p": 1.0}, "--max-p=1 is given together with --aug=ada-apa.", "A bound below 1"),
    ({"aug": "apa", "augpipe": "bg"}, "--augpipe=bg is given together with --aug=apa.", "Transforms only where"),
    ({"aug": "apa", "p": 0.5}, "--p is given, but the strength of --aug=apa is not fixed.", "--p together with --aug=fixed"),
    ({"metrics": ["ls"]}, "--metrics: the metric 'ls' cannot be computed", "metrics without attribute classifiers"),
    ({"metrics": ["foo"]}, "--metrics: there is no metric 'foo'", "fid50k_full, kid50k_full"),
]

DATA_CONTRADICTIONS = [
    ({"res": 128}, {}, "--res=128 exceeds the dataset, whose largest images have 64 pixels a side.", "at most 64"),
    (
        {"res": 128},
        {"init_res": (9, 16)},
        "--res=128 exceeds the dataset, whose largest images have 256x144 pixels (width x height), resolution 64.",
        "at most 64",
    ),
    ({}, {"resolution": 4}, "The dataset d/faces has images of 4x4 pixels.", "At least 8x8 pixels."),
    ({}, {"num_images": 0}, "The dataset d/faces has no images.", "At least one image"),
    ({"subset": 501}, {}, "--subset=501 exceeds the 500 images of the dataset.", "At most 500."),
    ({"cond": True}, {}, "--cond=1 is given, but d/faces has no labels.", "A dataset with labels"),
    (
        {"cmethod": "auxrot"},
        {"label_size": 10},
        "--cmethod=auxrot is given, but the dataset has labels (10 classes).",
        "without labels",
    ),
    ({"aug": "adarv"}, {}, "--aug=adarv is given, but d/faces has no validation set.", "Files named validation-*.tfrecords"),
    (
        {"augpipe": "bgcf"},
        {"resolution": 16},
        "Images of 16x16 pixels are too small for the transform 'imgfilter'.",
        "At least 32x32",
    ),
]


def refused(options, **data):
    known = {"path": "d/faces", "name": "faces", "resolution": 64, "channels": 3, "label_size": 0, "num_images": 500}
    with pytest.raises(UserError) as caught:
        resolve(TrainOptions(**options), DatasetInfo(**dict(known, **data)))
    return caught.value


def test_every_range_and_choice_is_tried():
    assert set(OUT_OF_RANGE) == {f.name for f in fields(TrainOptions) if f.metadata["allowed"] or f.metadata["choices"]}


@pytest.mark.parametrize("name", sorted(OUT_OF_RANGE))
def test_a_value_out_of_range_is_refused_with_its_flag(name):
    problem = refused({name: OUT_OF_RANGE[name]})
    assert problem.what.startswith(
        "{} is {}".format(
            flag_of(name), f"{OUT_OF_RANGE[name]:g}" if isinstance(OUT_OF_RANGE[name], float) else OUT_OF_RANGE[name]
        )
    )
    assert problem.expected.endswith(".") and len(problem.expected) > 12
    assert f"leave {flag_of(name)} out" in problem.next_step


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "7", True])
def test_a_value_that_is_no_number_is_refused(value):
    assert refused({"gamma": value}).expected == "A number."
    assert refused({"kimg": value}).expected == "A whole number."


def test_a_fraction_is_no_whole_number():
    assert refused({"kimg": 1.5}).what == "--kimg is 1.5."


@pytest.mark.parametrize("options, what, expected", CONTRADICTIONS, ids=[what for _, what, _ in CONTRADICTIONS])
def test_contradictions(options, what, expected):
    problem = refused(options)
    assert problem.what.startswith(what)
    assert problem.expected.startswith(expected)
    assert problem.next_step[0].isalpha() and len(problem.next_step) > 10


@pytest.mark.parametrize("options, data, what, expected", DATA_CONTRADICTIONS, ids=[row[2] for row in DATA_CONTRADICTIONS])
def test_contradictions_with_the_data(options, data, what, expected):
    problem = refused(options, **data)
    assert problem.what == what
    assert expected in problem.expected
    assert len(problem.next_step) > 10


def test_shares_that_fit_are_named():
    assert refused({"batch": 12, "batch_gpu": 5}).next_step == "Pass --batch-gpu as one of 1, 2, 3, 4, 6, 12."


def test_all_problems_come_at_once():
    problem = refused({"kimg": 0, "gamma": -1.0, "metrics": ["foo", "ls"]})
    assert problem.what.startswith("4 things are wrong with the options:\n  1. --gamma is -1.")
    assert "\n  4. --metrics: the metric 'ls' cannot be computed" in problem.what
    assert problem.expected.count("\n") == problem.next_step.count("\n") == 4


@pytest.mark.parametrize("options", [{"cmethod": "auxrot", "cond": False}, {"cond": False}, {"cond": True}])
def test_labelled_data_may_be_used_either_way(options):
    resolve(TrainOptions(**options), DatasetInfo("d", "d", 64, 3, 10, 9))
