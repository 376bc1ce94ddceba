"""Names of run folders."""

import pytest

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.run_name import describe_run


@pytest.mark.parametrize(
    "options, name",
    [
        ({}, "d-auto1"),
        ({"gpus": 4, "mirror": True}, "d-mirror-auto4"),
        ({"mirror": False, "resume": "latest"}, "d-auto1"),
        ({"cfg": "small", "gpus": 2}, "d-small2"),
        ({"cfg": "paper256", "gpus": 8, "gamma": 1e-05, "kimg": 12345}, "d-paper256-gamma1e-05-kimg12345"),
        (
            {"res": 64, "aug": "ada", "target": 0.55, "augpipe": "bg", "cmethod": "bcr", "dcap": 0.5},
            "d-res64-auto1-ada-target0.55-bg-bcr-dcap0.5",
        ),
        ({"resume": "/a/b.pkl", "freezed": 3}, "d-auto1-resumecustom-freezed3"),
        (
            {"cond": False, "mirrory": True, "subset": 5, "glr": 0.001, "dlr": 0.01, "desc": "try"},
            "d-auto1-mirrory-uncond-subset5-glr0.001-dlr0.01-try",
        ),
    ],
)  # fmt: skip
def test_names_say_what_was_given(options, name):
    assert describe_run(TrainOptions(**options), "d") == name
