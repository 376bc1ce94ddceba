"""The state of training: saved by one call and loaded by one, bit for bit, with the controller and the running means."""

import json

import numpy as np
import pytest

from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.training.state import REST, Counters, RunningMeans, TrainState, flat
from tests.oracles.forms import FORMS

from .tiny_config import config_of

ADA = {"heuristic": "rt", "tune_kimg": 1.0}


def tiny_state(seed=3, networks=None, augment=(), form="square"):
    """Return a TrainState of tiny networks, whose optimisers keep both moments; not augmented but for settings `augment`."""
    size = dict({"resolution": 8, "fmap_base": 32, "fmap_max": 8}, **FORMS[form])
    G, D = GeneratorConfig(latent_size=16, dlatent_size=16, **size), DiscriminatorConfig(**size)
    return TrainState(config_of(G, D, seed=seed, optimizer={"beta1": 0.5}, augment=dict(augment)), 0, networks)


def trained_state(form="square"):
    """Return a state in which everything differs from a fresh one, and that lies in the middle of a tick."""
    state = tiny_state(augment=ADA, form=form)
    random = np.random.RandomState(1)
    for variable in flat(state.variables()):
        variable.assign(random.uniform(0.1, 0.9, variable.shape.as_list()).astype(np.float32))
    state.counters = Counters(nimg=4096, minibatch=64, tick=2, tick_start_nimg=4000, elapsed_s=1.1, grid_kimg=4)
    state.controller.observe({"real": 0.1}, 0.9)
    state.controller.update()
    state.controller.observe({"real": 0.3}, 1 / 3)  # between two updates
    state.means.add("Loss/G/loss", 0.7)
    state.means.add("Loss/G/loss", 0.1)
    return state


def assert_equal(one, other):
    (networks, arrays, meta), (its_networks, its_arrays, its_meta) = one, other
    for values, its in [(arrays, its_arrays)] + [(networks[name], its_networks[name]) for name in ("G", "D", "Gs")]:
        assert list(values) == list(its)
        assert all(values[name].tobytes() == its[name].tobytes() for name in values)
    assert meta == its_meta and sorted(networks) == ["D", "G", "Gs"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("built_with_networks", [False, True])
def test_what_is_saved_is_loaded_into_another_state_bit_for_bit(built_with_networks, form):
    state = trained_state(form)
    networks, arrays, meta = saved = state.save()
    meta = json.loads(json.dumps(meta))  # as a file holds it
    assert meta == saved[2] and meta["nimg"] == 4096 and meta["means"] == {"Loss/G/loss": [0.7 + 0.1, 2]}
    if built_with_networks:
        other = tiny_state(seed=4, networks=networks, augment=ADA, form=form)
        other.load(arrays, meta)
    else:
        other = tiny_state(seed=4, augment=ADA, form=form)
        other.load(arrays, meta, networks)
    assert_equal(other.save(), saved)
    assert other.controller.update() == state.controller.update()
    assert other.means.take() == state.means.take() == {"Loss/G/loss": (0.7 + 0.1) / 2}


def test_what_is_saved_does_not_follow_the_state():
    state = trained_state()
    networks, arrays, meta = state.save()
    before = {name: array.tobytes() for name, array in arrays.items()}
    for variable in flat(state.variables()):
        variable.assign_add(np.ones(variable.shape.as_list(), np.float32))
    state.means.add("Loss/G/loss", 5.0)
    state.counters.nimg += 1
    assert {name: array.tobytes() for name, array in arrays.items()} == before
    assert meta["means"] == {"Loss/G/loss": [0.7 + 0.1, 2]} and meta["counters"]["nimg"] == 4096
    assert networks["G"]["dlatent_avg"].max() < 1


def test_every_variable_belongs_to_one_part():
    state = tiny_state()
    parts = state.variables()
    assert list(parts) == ["G", "D", "Gs", REST]
    assert len({id(variable) for variable in flat(parts)}) == len(flat(parts))
    assert list(parts[REST])[0] == "pl_mean" and "G_opt/powers" in parts[REST] and "D_opt/first/Output/bias" in parts[REST]


def test_arrays_of_other_networks_are_not_loaded():
    state = tiny_state()
    _, arrays, meta = state.save()
    del arrays["G_opt/powers"]
    with pytest.raises(KeyError):
        tiny_state().load(arrays, meta)
    wrong = dict(tiny_state().save()[1], pl_mean=np.zeros([2], np.float32))
    with pytest.raises(ValueError):
        tiny_state().load(wrong, meta)


def test_a_state_without_means_or_controller_loads():
    """As older versions have written them; a controller that the run now has begins anew."""
    _, arrays, meta = tiny_state().save()
    state = tiny_state(augment=dict(ADA, initial_p=0.25))
    del meta["means"]
    state.load(arrays, meta)
    assert state.controller.p == 0.25 and state.means.so_far() == {}


def test_means_leave_out_what_is_not_finite_and_go_on_from_their_sums():
    means = RunningMeans()
    for value in (1.0, float("nan"), float("inf"), 2.0):
        means.add("a", value)
    means.add("b", 6.0, count=4)
    later = RunningMeans(json.loads(json.dumps(means.so_far())))
    assert later.take() == means.take() == {"a": 1.5, "b": 1.5} and later.take() == {}
