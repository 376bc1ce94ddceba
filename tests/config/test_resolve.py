"""Options become the settings that NVIDIA's program chooses; the rest is checked by rule."""

import argparse
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sg2ada_colab.cli import train as cli
from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.options_file import training_options
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.train_config import DatasetInfo, TrainConfig
from sg2ada_colab.errors import UserError

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "train_options.json").read_text())
COMMANDS = REFERENCE["commands"]
ACCEPTED = [command for command in COMMANDS if command["exit"] == 0]


def parse(text):
    """Return the TrainOptions of a command line, through the real parser."""
    parser = argparse.ArgumentParser()
    cli.register(parser.add_subparsers())
    return TrainOptions.from_args(parser.parse_args(["train"] + shlex.split(text)))


def reference_data(path):
    """Return the DatasetInfo of one of the reference's datasets; None for None."""
    if path is None:
        return None
    name = path.split("/")[-1]
    facts = REFERENCE["datasets"][name]
    return DatasetInfo(path, name, facts["resolution"], facts["channels"], facts["label_size"], 10, facts["validation_set"])


def some_data(**changes):
    known = {"path": "d/faces", "name": "faces", "resolution": 64, "channels": 3, "label_size": 0, "num_images": 500}
    return DatasetInfo(**dict(known, **changes))


@pytest.mark.parametrize("command", ACCEPTED, ids=[command["args"] for command in ACCEPTED])
def test_settings_equal_nvidias_in_value_type_and_order(command):
    options = parse(command["args"])
    config = resolve(options, reference_data(options.data), reference_data(options.metricdata))
    found = training_options(config, command["options"]["run_dir"])
    # As text, so that 1 is not 1.0 and the order of keys counts on every level.
    assert json.dumps(found) == json.dumps(command["options"])
    assert command["run_name"].partition("-")[2] == config.run_description


@pytest.mark.parametrize("command", ACCEPTED, ids=[command["args"] for command in ACCEPTED])
def test_json_gives_back_an_equal_config(command):
    options = parse(command["args"])
    config = resolve(options, reference_data(options.data), reference_data(options.metricdata))
    again = TrainConfig.from_json(config.to_json())
    assert again == config
    assert again.to_json() == config.to_json()  # so that 1 does not come back as 1.0


def test_own_settings_are_one_key_at_the_end():
    config = resolve(TrainOptions(), some_data())
    theirs, all_keys = training_options(config, "r"), training_options(config, "r", ours=True)
    assert list(all_keys) == list(theirs) + ["sg2ada"]
    assert TrainConfig.from_dict(json.loads(json.dumps(all_keys["sg2ada"]))) == config
    json.dumps(all_keys, allow_nan=False)


@pytest.mark.parametrize(
    "options, rule, gamma",
    [
        ({}, "--cfg=auto: 0.0002 * 64^2 / 32", 0.0256),
        ({"batch": 8}, "--cfg=auto: 0.0002 * 64^2 / 8", 0.1024),
        ({"cfg": "small"}, "--cfg=small: 0.0016 * 64^2 / 32", 0.2048),
        ({"cfg": "small", "batch": 8, "gpus": 2}, "--cfg=small: 0.0016 * 64^2 / 8", 0.8192),
        ({"cfg": "paper512"}, "--cfg=paper512", 0.5),
        ({"cfg": "paper512", "gamma": 3.0}, "--gamma", 3.0),
        ({"cmethod": "wgangp", "aug": "noaug"}, "--cmethod=wgangp has no R1 penalty", None),
    ],
)
def test_gamma_comes_with_its_rule(options, rule, gamma):
    config = resolve(TrainOptions(**options), some_data())
    assert (config.losses.gamma_rule, config.losses.r1_gamma) == (rule, gamma)


@pytest.mark.parametrize("options, px, times", [({}, 64, 8), ({"batch": 8}, 256, 8), ({"gpus": 4}, 64, 8), ({}, 512, 1)])
def test_small_is_auto_but_for_gamma_up_to_256_pixels(options, px, times):
    auto, small = (resolve(TrainOptions(cfg=cfg, **options), some_data(resolution=px)) for cfg in ("auto", "small"))
    assert small.losses.r1_gamma == pytest.approx(times * auto.losses.r1_gamma, rel=1e-12)
    losses = replace(small.losses, r1_gamma=auto.losses.r1_gamma, gamma_rule=auto.losses.gamma_rule)
    assert replace(small, losses=losses, run_description=auto.run_description, options=auto.options) == auto


def test_own_options_reach_their_settings():
    options = TrainOptions(
        batch=24, batch_gpu=6, lrate=0.001, dlr=0.004, map_depth=5, cbase=4096, cmax=64, mbstd_group=3, start_kimg=40, kimg=100,
        initstrength=0.25, max_p=0.5, mirrory=True, subset=99, seed=7, fp32=True, no_xla=True, deterministic=True, tick=0.5,
        snap=10, snap_minutes=2.5, img_snap=3, keep_last=4, keep_every_kimg=20, keep_best=False, metrics=["kid_efflite0"],
        desc="x.1",
    )  # fmt: skip
    config = resolve(options, some_data())
    assert (config.schedule.minibatch_size, config.schedule.minibatch_gpu, config.schedule.rounds) == (24, 6, 4)
    assert (config.optimizer.G_learning_rate, config.optimizer.D_learning_rate) == (0.001, 0.004)
    assert config.G == {
        "num_channels": 3, "resolution": 64, "label_size": 0, "fmap_base": 2048, "fmap_max": 64, "mapping_layers": 5,
        "num_fp16_res": 0, "conv_clamp": None,
    }  # fmt: skip
    assert config.D["mbstd_group_size"] == 3
    assert (config.start.kimg, config.schedule.total_kimg, config.schedule.kimg_per_tick) == (40, 100, 0.5)
    assert (config.augment.initial_p, config.augment.max_p) == (0.25, 0.5)
    assert (config.data.mirror_x, config.data.mirror_y, config.data.max_images, config.seed) == (False, True, 99, 7)
    assert (config.engine.precision, config.engine.xla, config.engine.deterministic) == ("fp32", False, True)
    assert (config.snapshots.network_ticks, config.snapshots.image_ticks, config.snapshots.seconds) == (10, 3, 150)
    assert (config.snapshots.keep_last, config.snapshots.keep_every_kimg, config.snapshots.keep_best) == (4, 20, False)
    assert config.metrics.names == ["kid_efflite0"]
    assert config.run_description == "faces-auto1-kimg100-mirrory-subset99-batch24-lrate0.001-dlr0.004-x.1"
    written = training_options(config, "r")
    assert written["augment_args"]["initial_strength"] == 0.25
    assert written["metric_arg_list"] == [{"name": "kid_efflite0", "class_name": "sg2ada_colab.metrics.kid_efflite0"}]


@pytest.mark.parametrize(
    "aug, pipe, pseudo, max_p",
    [("noaug", False, False, None), ("ada", True, False, None), ("apa", False, True, 0.8), ("ada-apa", True, True, 0.8)],
)
def test_fakes_are_shown_as_real_where_apa_is_asked_for(aug, pipe, pseudo, max_p):
    config = resolve(TrainOptions(aug=aug), some_data())
    assert (config.augment.pipe is not None, config.augment.pseudo, config.augment.max_p) == (pipe, pseudo, max_p)
    assert config.augment.heuristic == (None if aug == "noaug" else "rt") and config.losses.lecam_weight == 0
    assert resolve(TrainOptions(aug="apa", max_p=0.5, lecam=0.01), some_data()).augment.max_p == 0.5
    assert resolve(TrainOptions(lecam=0.01), some_data()).losses.lecam_weight == 0.01
    assert resolve(TrainOptions(lecam=0.01), some_data()).run_description == "faces-auto1-lecam0.01"


@pytest.mark.parametrize(
    "options, seconds, ticks, last, every",
    [
        ({}, 600, 50, 3, 200),
        ({"snap": 10}, None, 10, None, None),  # what NVIDIA's program does
        ({"snap": 10, "snap_minutes": 5.0}, 300, 10, 3, 40),
        ({"snap_minutes": 0.0}, None, 50, 3, 200),
        ({"keep_last": 0, "keep_every_kimg": 0}, 600, 50, None, None),
    ],
)
def test_snapshots_come_by_time_unless_ticks_are_asked_for(options, seconds, ticks, last, every):
    config = resolve(TrainOptions(**options), some_data())
    assert config.snapshots.seconds == seconds
    assert (config.snapshots.network_ticks, config.snapshots.keep_last, config.snapshots.keep_every_kimg) == (ticks, last, every)


@pytest.mark.parametrize(
    "options, resolution, expected",
    [
        ({"batch": 32}, 1024, (32, 4, 4)),  # as many at once as NVIDIA puts on a GPU, the rest accumulated
        ({"batch": 12}, 256, (12, 12, 4)),
        ({"batch": 10}, 256, (10, 10, 2)),  # groups of 4 would not divide 10
        ({"batch": 7}, 64, (7, 7, 1)),
        ({"batch": 64, "gpus": 2}, 256, (64, 16, 4)),
        ({"cfg": "paper256", "batch": 24}, 256, (24, 8, 8)),
        ({"cfg": "stylegan2", "batch_gpu": 2}, 256, (32, 2, 4)),
        ({"cfg": "cifar", "batch_gpu": 16}, 32, (64, 16, 32)),
    ],
)
def test_minibatch_follows_batch_and_batch_gpu(options, resolution, expected):
    config = resolve(TrainOptions(**options), some_data(resolution=resolution))
    group = config.D["mbstd_group_size"]
    assert (config.schedule.minibatch_size, config.schedule.minibatch_gpu, group) == expected


def test_path_length_keeps_an_image_when_one_goes_at_a_time():
    assert resolve(TrainOptions(batch_gpu=1), some_data()).losses.pl_minibatch_shrink == 1
    assert resolve(TrainOptions(batch_gpu=2), some_data()).losses.pl_minibatch_shrink == 2


def test_labels_can_be_left_aside():
    config = resolve(TrainOptions(cond=False), some_data(label_size=10))
    assert config.label_size == 0
    assert training_options(config, "r")["train_dataset_args"]["max_label_size"] == 0
    assert resolve(TrainOptions(), some_data(label_size=10)).label_size == 10


def test_transfer_makes_adaptation_faster_and_drops_the_ramp():
    scratch, transfer = (resolve(TrainOptions(resume=name), some_data()) for name in ("noresume", "a.pkl"))
    assert (scratch.augment.tune_kimg, scratch.schedule.ema_rampup, scratch.start.network) == (500, 0.05, None)
    assert (transfer.augment.tune_kimg, transfer.schedule.ema_rampup, transfer.start.network) == (100, None, "a.pkl")


@pytest.mark.parametrize(
    "options, data, words",
    [
        ({"cbase": 1024}, {}, "generator has fewer than 512 channels at 4x4"),
        ({}, {"is_flattened": True}, "sg2ada prepare d/faces FOLDER --alpha keep"),
        ({}, {"init_res": (4, 6)}, "Images of 96x64 pixels (width x height) are no squares: where the augmentation"),
    ],
)
def test_notes_say_what_may_surprise(options, data, words):
    notes = resolve(TrainOptions(**options), some_data(**data)).notes
    assert any(words in note for note in notes)
    assert resolve(TrainOptions(), some_data()).notes == []
    assert resolve(TrainOptions(aug="noaug"), some_data(init_res=(4, 6))).notes == []


def test_small_metric_data_is_a_note_as_nvidias_program_lets_it_pass():
    config = resolve(TrainOptions(metricdata="m"), some_data(resolution=256), some_data(path="m", resolution=128))
    assert any("128" in note and "256" in note for note in config.notes)
    assert config.metrics.data_path == "m"


POSITIVE_LR = st.none() | st.floats(1e-6, 1e-1)


@settings(max_examples=60, deadline=None)
@given(
    resolution=st.sampled_from([8, 16, 32, 64, 128, 256, 512, 1024]),
    label_size=st.sampled_from([0, 1, 10]),
    cfg=st.sampled_from([None, "auto", "small", "stylegan2", "paper256", "paper512", "paper1024", "cifar", "cifarbaseline"]),
    gpus=st.sampled_from([None, 1, 2, 3, 4, 6, 8, 16, 128]),
    batch=st.none() | st.integers(1, 200),
    batch_gpu=st.none() | st.integers(1, 64),
    mbstd_group=st.none() | st.integers(1, 16),
    lrate=POSITIVE_LR,
    glr=POSITIVE_LR,
    dcap=st.none() | st.floats(1e-6, 2),
    aug=st.sampled_from([None, "noaug", "ada", "fixed", "adarv"]),
    p=st.none() | st.floats(-1, 2),
    resume=st.sampled_from([None, "noresume", "ffhq256", "x.pkl"]),
    cmethod=st.sampled_from([None, "bcr", "zcr", "pagan", "wgangp", "auxrot", "shallowmap", "adropout"]),
)
def test_any_options_give_a_sound_config_or_a_three_part_refusal(resolution, label_size, **given_options):
    data = some_data(resolution=resolution, label_size=label_size)
    try:
        config = resolve(TrainOptions(**given_options), data)
    except UserError as problem:
        assert problem.what and problem.expected and problem.next_step
        return
    rounds, group = config.schedule.rounds, config.D["mbstd_group_size"]
    assert rounds >= 1 and rounds * config.schedule.minibatch_gpu == config.schedule.minibatch_size
    assert config.schedule.minibatch_size % (config.schedule.num_gpus * config.schedule.minibatch_gpu) == 0
    assert group >= 1 and config.schedule.minibatch_gpu % min(group, config.schedule.minibatch_gpu) == 0
    assert config.schedule.minibatch_gpu // config.losses.pl_minibatch_shrink >= 1
    assert min(config.D["fmap_base"], config.D["fmap_max"]) >= 1
    assert config.optimizer.G_learning_rate > 0 and config.optimizer.D_learning_rate > 0
    assert (config.augment.pipe is None) == (given_options["aug"] == "noaug")
    assert 0 <= config.augment.initial_p <= 1
    assert TrainConfig.from_json(config.to_json()) == config
