"""`--profile`: a trace and a table beside the run's other files."""

import dataclasses

import pytest

from sg2ada_colab.runs.start import start
from sg2ada_colab.tf import IS_TF1


@pytest.mark.skipif(IS_TF1, reason="TensorFlow 1.14 writes no such profiles")
@pytest.mark.parametrize("kimg", [1, 0.3])
def test_a_run_is_profiled_even_when_it_ends_early(tiny_config, tmp_path, kimg):
    config = tiny_config(profile=True, kimg=1, aug="noaug")
    if kimg < 1:
        short = dataclasses.replace(config.schedule, total_kimg=kimg)  # the end comes while the trace is taken
        config = dataclasses.replace(config, schedule=short)
    assert start(config, tmp_path / "run", quiet=True) == 0
    assert list((tmp_path / "run").glob("profile/plugins/profile/*/*.xplane.pb"))
    assert "There is no GPU in it." in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
