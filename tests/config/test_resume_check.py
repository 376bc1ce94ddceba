"""What a run may change when it goes on, option by option."""

from dataclasses import fields, replace

import pytest

from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.resolve import resolve
from sg2ada_colab.config.resume_check import by_options, check_resume, compare, merge_resume, resumable
from sg2ada_colab.config.settings import FIXED, FREE, INEXACT, TOLD
from sg2ada_colab.config.train_config import DatasetInfo, resume_rule
from sg2ada_colab.errors import UserError

DATA = DatasetInfo("d/faces", "faces", 64, 3, 10, 500, has_validation=True, digest="abc")
# Another value for every option, on top of a run whose options are BASE.
BASE = {"data": "d/faces", "outdir": "runs", "mirror": True, "kimg": 100}
CHANGES = {
    "gpus": 2, "seed": 7, "snap": 7, "snap_minutes": 1.0, "img_snap": 9, "tick": 1.0, "keep_last": 9, "keep_every_kimg": 9,
    "keep_best": False, "res": 32, "mirror": False, "mirrory": True, "cond": False, "subset": 10, "metrics": ["is50k"],
    "metrics_every": 2, "metrics_budget": 9.0, "metrics_aside": True,
    "kimg": 200, "cfg": "stylegan2", "gamma": 3.0, "batch": 16, "batch_gpu": 8, "lrate": 1e-3, "glr": 1e-3, "dlr": 1e-3,
    "map_depth": 3, "cbase": 4096, "cmax": 64, "mbstd_group": 2, "aug": "noaug", "target": 0.3, "augpipe": "bg",
    "initstrength": 0.1, "max_p": 0.9, "lecam": 0.1, "cmethod": "bcr", "dcap": 0.5, "resume": "x.pkl", "resume_partial": True,
    "freezed": 3, "start_kimg": 5,
    "fp32": True, "no_xla": True, "deterministic": True, "profile": True, "wandb": "flags",
}  # fmt: skip
NOT_SETTINGS = {"outdir", "data", "metricdata", "dry_run", "quiet", "desc", "p"}


def config_of(data=DATA, **changes):
    return resolve(TrainOptions(**dict(BASE, **changes)), data)


def test_every_option_is_tried():
    assert set(CHANGES) | NOT_SETTINGS == {f.name for f in fields(TrainOptions)}


@pytest.mark.parametrize("option", sorted(CHANGES))
def test_an_option_may_change_exactly_if_its_flag_says_so(option):
    old, new = config_of(), config_of(**{option: CHANGES[option]})
    kinds = {difference.kind for difference in compare(old, new)}
    if option == "mbstd_group":  # reaches a setting that --batch-gpu changes too
        assert kinds == {INEXACT}
    else:
        assert kinds and (FIXED not in kinds) == resumable(option)


def test_golden_list_of_options_that_may_change():
    assert {f.name for f in fields(TrainOptions) if resumable(f.name)} == {
        "snap", "snap_minutes", "img_snap", "tick", "keep_last", "keep_every_kimg", "keep_best", "data", "metrics", "metricdata",
        "metrics_every", "metrics_budget", "metrics_aside", "kimg", "batch_gpu", "fp32", "no_xla", "deterministic", "profile",
        "wandb",
    }  # fmt: skip


@pytest.mark.parametrize("option", sorted(name for name in CHANGES if resumable(name)))
def test_an_option_makes_no_other_settings_than_its_flag_says(option):
    changed = {difference.setting for difference in compare(config_of(), config_of(**{option: CHANGES[option]}))}
    assert changed <= set(TrainOptions.__dataclass_fields__[option].metadata["sets"])


ONE_SETTING = sorted(f.name for f in fields(TrainOptions) if f.metadata["setting"])


@pytest.mark.parametrize("option", ONE_SETTING)
def test_an_option_that_is_one_setting_makes_it_as_its_flag_says(option):
    metadata = TrainOptions.__dataclass_fields__[option].metadata
    assert config_of(**{option: CHANGES[option]}).settings()[metadata["setting"]] == CHANGES[option]
    assert resolve(TrainOptions(), DATA).settings()[metadata["setting"]] == metadata["usual"]


def test_every_setting_that_a_flag_speaks_of_is_there():
    places = {place for f in fields(TrainOptions) for place in f.metadata["sets"]}
    assert places <= set(config_of().settings()) and len(ONE_SETTING) == 15


def test_golden_list_of_settings_by_rule():
    rules = {}
    for name in config_of().settings():
        rules.setdefault(resume_rule(name), set()).add(name)
    assert rules[FREE] == {
        "data.path", "metrics.data_path", "metrics.names", "schedule.total_kimg", "schedule.kimg_per_tick",
        "snapshots.image_ticks", "snapshots.network_ticks", "snapshots.seconds", "snapshots.keep_last",
        "snapshots.keep_every_kimg", "snapshots.keep_best", "metrics.every", "metrics.budget_percent", "metrics.aside",
        "engine.profile", "engine.wandb",
    }  # fmt: skip
    assert rules[INEXACT] == {
        "schedule.minibatch_gpu", "schedule.shared_rounds",
        "losses.pl_minibatch_shrink", "engine.precision", "engine.xla", "engine.deterministic",
        "G.num_fp16_res", "G.conv_clamp", "D.num_fp16_res", "D.conv_clamp", "D.mbstd_group_size",
    }  # fmt: skip
    assert rules[TOLD] == {"run_description", "options", "data.name", "losses.gamma_rule", "notes", "version"}
    assert resume_rule("G.fmap_base") == FIXED and "G.fmap_base" in rules[FIXED]


@pytest.mark.parametrize("option", ["batch_gpu", "fp32", "no_xla", "deterministic"])
def test_what_costs_exactness_is_said(option):
    differences = check_resume(config_of(), config_of(**{option: CHANGES[option]}), "runs/00000-x")
    assert {difference.kind for difference in differences} == {INEXACT}
    assert all("not bit for bit" in str(difference) for difference in differences)


def test_same_options_make_no_difference():
    assert compare(config_of(), config_of()) == []


def test_free_changes_are_listed_with_both_values():
    (difference,) = check_resume(config_of(), config_of(kimg=250), "r")
    assert difference == ("schedule.total_kimg", 100, 250, FREE)
    assert str(difference) == "schedule.total_kimg: 100 before, 250 now"


def test_free_changes_are_named_by_the_options_that_made_them():
    given = {"kimg": 250, "snap_minutes": 3.0, "batch_gpu": 8}
    differences = check_resume(config_of(), config_of(**given), "r")
    at_once = config_of().schedule.minibatch_gpu
    assert by_options(differences, BASE, given) == [
        "--kimg: 100 before, 250 now", "--snap-minutes: not given before, 3 now",
        f"--batch-gpu: {at_once} before, 8 now (goes on, but not bit for bit as before)",
    ]  # fmt: skip
    assert by_options(differences, BASE, {}) == list(map(str, differences)), "changes that no option made"


def test_refusal_says_what_differs_and_what_to_pass():
    with pytest.raises(UserError) as caught:
        check_resume(config_of(), config_of(mirror=False, gamma=3.0), "runs/00000-x")
    problem = caught.value
    assert problem.what.startswith("The run runs/00000-x was begun with other settings: ")
    assert "data.mirror_x: True before, False now" in problem.what
    assert "losses.r1_gamma: 0.0256 before, 3.0 now" in problem.what
    assert "--kimg" in problem.expected and "--gamma" not in problem.expected
    assert problem.next_step.startswith("Pass --mirror=1 instead; leave out --gamma=3; for a new run ")


@pytest.mark.parametrize("digest", ["other", None])
def test_other_data_are_refused(digest):
    other = DatasetInfo("d/faces", "faces", 64, 3, 10, 501, digest=digest)
    with pytest.raises(UserError) as caught:
        check_resume(config_of(), config_of(data=other), "r")
    assert "data.num_images: 500 before, 501 now" in caught.value.what
    assert caught.value.next_step.startswith("Pass --data as the dataset that the run was begun with; ")


@pytest.mark.parametrize("channels, init_res, flags", [
    (4, (4, 4), " --alpha"), (3, (4, 6), " --resolution 96x64"), (4, (6, 4), " --alpha --resolution 64x96"),
])  # fmt: skip
def test_data_of_another_form_name_the_flags_that_convert_the_network(channels, init_res, flags):
    other = DatasetInfo("d/faces", "faces", 64, channels, 10, 500, digest="other", init_res=init_res)
    for old, new, words in ((DATA, other, flags), (other, DATA, flags.replace("--alpha", "--no-alpha"))):
        words = words.replace("96x64", "64x64").replace("64x96", "64x64") if new is DATA else words
        with pytest.raises(UserError) as caught:
            check_resume(config_of(data=old), config_of(data=new), "r")
        assert f"sg2ada convert <its newest network-snapshot> NEW.pkl{words}; for a new run" in caught.value.next_step
        assert "--resume=NEW.pkl --start-kimg" in caught.value.next_step


def test_the_same_data_in_another_place_are_welcome():
    moved = DatasetInfo("elsewhere/copy", "copy", 64, 3, 10, 500, digest="abc")
    differences = check_resume(config_of(), config_of(data=moved), "r")
    assert {difference.setting for difference in differences} == {"data.path", "metrics.data_path"}


def test_an_architecture_that_was_taken_over_stays_when_the_run_goes_on():
    as_begun = config_of(resume="x.pkl")  # two mapping layers by --cfg=auto; the network had eight
    saved = replace(as_begun, G=dict(as_begun.G, mapping_layers=8))
    config = merge_resume(saved, as_begun, config_of(resume="x.pkl", kimg=300))
    assert config.mapping_layers == 8 and config.run_description == saved.run_description
    assert [difference.setting for difference in check_resume(saved, config, "r")] == ["schedule.total_kimg"]


def test_an_option_that_is_given_now_still_contradicts_what_was_taken_over():
    as_begun = config_of(resume="x.pkl")
    saved = replace(as_begun, G=dict(as_begun.G, mapping_layers=8))
    config = merge_resume(saved, as_begun, config_of(resume="x.pkl", map_depth=4))
    with pytest.raises(UserError, match="G.mapping_layers: 8 before, 4 now"):
        check_resume(saved, config, "r")
