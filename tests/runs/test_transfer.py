"""A start from another network: methods of comparison, what is said once, partial starts of a whole run."""

import dataclasses

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.runs.build import build_state
from sg2ada_colab.runs.start import start
from sg2ada_colab.runs.transfer import adopt_architecture, fitted, planned_start, starting_networks
from tests.oracles import torch_files
from tests.oracles.small_snapshots import small_snapshot


def saved(tmp_path, name="network-snapshot-000123.pkl", **options):
    """Write a small network for the tiny dataset, without labels; return its path."""
    snapshot = small_snapshot(resolution=8, **options)
    write_network_pickle(tmp_path / name, snapshot)
    return str(tmp_path / name)


@pytest.fixture
def starting_from(tiny_config):
    """Return a function that plans a run from a network, with further options by name."""

    def plan(path, **options):
        return planned_start(tiny_config(**dict({"resume": path, "cond": False, "cbase": None, "cmax": None}, **options)))

    return plan


def with_method(tmp_path, starting_from, method, name):
    """Write a network as a run with a comparison method saves it; return its path."""
    config = starting_from(saved(tmp_path), cmethod=method, resume_partial=True, **noaug(method))
    snapshot, _ = fitted(config, starting_networks(config.start.network))
    write_network_pickle(tmp_path / name, snapshot)
    return str(tmp_path / name)


def noaug(method):
    return {"aug": "noaug"} if method in ("pagan", "wgangp", "adropout") else {}


@pytest.mark.parametrize("method", ["bcr", "zcr", "pagan", "wgangp", "spectralnorm", "adropout"])
def test_every_method_that_the_original_starts_begins_with_another_network(method, tmp_path, starting_from):
    source = starting_networks(saved(tmp_path))
    config = starting_from(saved(tmp_path), cmethod=method, **noaug(method))
    state = build_state(config, fitted(config, source)[0])
    values = state.D.get_values()
    extra = [name for name in values if name not in source.D.variables]
    assert bool(extra) == (method in ("pagan", "spectralnorm"))
    assert all(name.endswith(("weight_sn", "PAGAN/weight")) for name in extra)
    assert all((values[name] == value).all() for name, value in source.D.variables.items())
    assert any(note.startswith("Begin anew: D ") for note in config.notes) == bool(extra)


@pytest.mark.parametrize("method", ["pagan", "spectralnorm"])
def test_a_plain_run_begins_with_the_network_of_a_method(method, tmp_path, starting_from):
    path = with_method(tmp_path, starting_from, method, "method.pkl")
    source = starting_networks(path)
    config = starting_from(path)
    values = build_state(config, fitted(config, source)[0]).D.get_values()
    assert len(values) < len(source.D.variables) and all(
        (value == source.D.variables[name]).all() for name, value in values.items()
    )


def test_auxrot_and_other_methods_do_not_begin_with_each_other_as_in_the_original(tmp_path, starting_from):
    """D has five outputs there and one elsewhere; the original stops at the shapes."""
    with pytest.raises(UserError) as caught:
        starting_from(saved(tmp_path), cmethod="auxrot")
    assert "has 1 output(s), this run's has 5" in caught.value.what
    assert caught.value.next_step.startswith("leave --cmethod=auxrot out, or add --resume-partial")
    path = with_method(tmp_path, starting_from, "auxrot", "auxrot.pkl")
    with pytest.raises(UserError) as caught:
        starting_from(path)
    assert "has 5 output(s), this run's has 1" in caught.value.what
    assert caught.value.next_step.startswith("pass --cmethod=auxrot, or add --resume-partial")
    assert starting_from(path, cmethod="auxrot").D["score_max"] == 5
    config = starting_from(path, resume_partial=True)
    assert "Begin anew: D Output." in config.notes
    assert build_state(config, fitted(config, starting_networks(path))[0]).D.get_values()["Output/bias"].shape == (1,)


def test_shallowmap_keeps_its_depth(tmp_path, starting_from):
    config = starting_from(saved(tmp_path, mapping_layers=8), cmethod="shallowmap", cfg="stylegan2")
    assert config.mapping_layers == 2
    assert any(note.startswith("Left behind: G mapping/Dense2, ") and note.endswith("Dense7.") for note in config.notes)


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("method", ["spectralnorm", "pagan"])
def test_such_a_run_starts(method, tmp_path, tiny_config):
    options = {"resume": saved(tmp_path), "cond": False, "cbase": None, "cmax": None, "cmethod": method}
    assert start(tiny_config(**dict(options, **noaug(method))), str(tmp_path / "run"), quiet=True) == 0


def test_options_that_do_not_count_are_named(tmp_path, starting_from):
    notes = starting_from(saved(tmp_path), dcap=0.5, map_depth=4).notes
    assert "--dcap=0.5, --map-depth=4 does not count: the network's own layers are taken over." in notes
    assert not any("does not count" in note for note in starting_from(saved(tmp_path), dcap=0.5, resume_partial=True).notes)


# What is said once.


def hints(config):
    return [note for note in config.notes if note.startswith("A new run begins")]


def test_a_start_from_bare_networks_says_how_to_keep_kimg_and_p(tmp_path, starting_from):
    path = saved(tmp_path)
    lines = ["tick 0     kimg 0.1      time 5s  augment 0.000", "tick 50    kimg 123.4    time 3m 07s      augment 0.312",
             "tick 51    kimg 127.0    time 3m 30s      augment 0.999"]  # fmt: skip
    (tmp_path / "log.txt").write_text("\n".join(lines) + "\n")
    assert hints(starting_from(path)) == [
        "A new run begins with the networks of network-snapshot-000123.pkl, saved at 123 kimg with augmentation p 0.312: it "
        "counts from 0 kimg and begins at p 0. --start-kimg=123 counts on; --initstrength=0.312 begins at its p. To go on "
        "with a run later: sg2ada resume RUN."
    ]
    (tmp_path / "log.txt").unlink()
    assert "saved at 123 kimg: it counts" in hints(starting_from(path))[0]
    assert "--initstrength=<its p> begins at its p" in hints(starting_from(path))[0]
    (hint,) = hints(starting_from(path, start_kimg=123, kimg=200, initstrength=0.3))
    assert "it counts from 123 kimg and begins at p 0.3. To go on with a run" in hint
    assert "--initstrength" not in hints(starting_from(path, aug="noaug"))[0]
    assert "--start-kimg=<its kimg>" in hints(starting_from(saved(tmp_path, "friend.pkl")))[0]


def test_p_in_the_file_itself_counts(tmp_path, starting_from):
    config = starting_from(saved(tmp_path))
    snapshot = starting_networks(config.start.network)
    snapshot.details["augmentation p"] = 0.25
    config = dataclasses.replace(config, notes=[])
    assert "with augmentation p 0.25" in hints(adopt_architecture(config, snapshot))[0]


def test_notes_are_not_said_twice(tmp_path, starting_from):
    """The front end plans a start, and the process that trains looks again."""
    config = starting_from(saved(tmp_path, mapping_layers=8))
    assert len(hints(config)) == 1 and planned_start(config) == config


def test_a_generator_alone_starts_with_a_new_discriminator_and_says_so(tmp_path, starting_from):
    fits = starting_from(saved(tmp_path))
    assert not any("D is new" in note for note in fits.notes)
    content = read_snapshot(saved(tmp_path))
    alone = {"G": lambda: None, "D": lambda: None}
    (tmp_path / "alone.pkl").write_bytes(torch_files.torch_pickle_bytes(content, extra=alone))
    notes = starting_from(str(tmp_path / "alone.pkl")).notes
    assert "The file holds no discriminator: D is new, with random weights." in notes


def test_a_run_from_scratch_says_nothing(tiny_config):
    config = tiny_config()
    assert planned_start(config) is config
