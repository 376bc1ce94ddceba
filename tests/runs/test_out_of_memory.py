"""A GPU that is too small becomes a sentence with the setting to use, and with it the run goes on."""

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.runs import start as runs
from sg2ada_colab.tf import tf
from sg2ada_colab.training.loop import Callback

pytestmark = pytest.mark.usefixtures("untrained")


class Full(Callback):
    """Takes the memory away at the start, or after the first tick's snapshot."""

    def __init__(self, tick):
        self.tick = tick

    def fail(self):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    def on_start(self, progress):
        if self.tick is None:
            self.fail()

    def on_tick(self, progress):
        if progress.tick == self.tick:
            self.fail()


def test_at_the_start(tiny_config, tmp_path):
    with pytest.raises(UserError) as caught:
        runs.start(tiny_config(), tmp_path / "run", quiet=True, extra_callbacks=[Full(None)])
    assert "16 images of 8 pixels at once" in caught.value.what
    assert "set --batch-gpu 8 (batch_gpu in a notebook) and begin again" in caught.value.next_step


def test_after_a_snapshot_the_run_goes_on_with_half(tiny_config, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(UserError) as caught:
        runs.start(tiny_config(), run, quiet=True, extra_callbacks=[Full(2)])
    assert f"set --batch-gpu 8 (batch_gpu in a notebook) and go on (sg2ada resume {run}" in caught.value.next_step
    assert runs.start(tiny_config(batch_gpu=8), run, resume=True, quiet=True) == 0


def test_one_image_at_a_time_needs_a_smaller_network(tiny_config, tmp_path):
    with pytest.raises(UserError) as caught:
        runs.start(tiny_config(batch=1, mbstd_group=1), tmp_path / "run", quiet=True, extra_callbacks=[Full(None)])
    assert "--res" in caught.value.next_step and "--cmax" in caught.value.next_step
