import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.convert import convert
from sg2ada_colab.formats.embedded_source import embedded_source
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from tests.conftest import DATA
from tests.oracles.forms import FORMS
from tests.oracles.small_snapshots import small_snapshot


def assert_equal(one, other):
    for a, b in zip(one.networks(), other.networks()):
        assert a.kwargs == b.kwargs and list(a.variables) == list(b.variables)
        for name, value in b.variables.items():
            np.testing.assert_array_equal(a.variables[name], value)


@pytest.mark.parametrize("tag", ["tf_uncond", "tf_cond", "pt_uncond", "pt_cond"])
def test_round_trips_through_every_form_are_exact(tag, tmp_path):
    original = read_snapshot(DATA / f"network_{tag}.pkl")
    convert(DATA / f"network_{tag}.pkl", tmp_path / "a.pkl")
    convert(tmp_path / "a.pkl", tmp_path / "b.safetensors")
    convert(tmp_path / "b.safetensors", tmp_path / "c.pkl")
    for name in ("a.pkl", "b.safetensors", "c.pkl"):
        assert_equal(read_snapshot(tmp_path / name), original)
    assert (tmp_path / "a.pkl").read_bytes() == (tmp_path / "c.pkl").read_bytes()
    assert embedded_source().encode() in (tmp_path / "a.pkl").read_bytes()
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("form", FORMS)
def test_there_and_back_in_every_form_of_pictures(form, tmp_path):
    original = small_snapshot(label_size=2, **FORMS[form])
    write_network_pickle(tmp_path / "a.pkl", original)
    convert(tmp_path / "a.pkl", tmp_path / "b.safetensors")
    convert(tmp_path / "b.safetensors", tmp_path / "c.pkl")
    for name in ("a.pkl", "b.safetensors", "c.pkl"):
        assert_equal(read_snapshot(tmp_path / name), original)


def test_unknown_forms_and_folders_are_named(tmp_path):
    source = DATA / "network_tf_uncond.pkl"
    with pytest.raises(UserError, match="sg2ada export"):
        convert(source, tmp_path / "n.onnx")
    with pytest.raises(UserError, match="no folder"):
        convert(source, tmp_path / "missing" / "n.pkl")
    assert list(tmp_path.iterdir()) == []


def test_a_bad_source_leaves_the_target_alone(tmp_path):
    (tmp_path / "target.pkl").write_bytes(b"old")
    (tmp_path / "bad.pkl").write_bytes(b"\x80\x03cos\nsystem\n.")
    with pytest.raises(UserError, match="'system' from 'os'"):
        convert(tmp_path / "bad.pkl", tmp_path / "target.pkl")
    assert (tmp_path / "target.pkl").read_bytes() == b"old"


# The contract of stylegan2-ada-pytorch's and stylegan3's legacy.py, as it was observed: settings it knows, names it looks up.
LEGACY_G = {
    "latent_size",
    "label_size",
    "dlatent_size",
    "resolution",
    "num_channels",
    "mapping_layers",
    "label_fmaps",
    "mapping_fmaps",
    "mapping_nonlinearity",
    "mapping_lrmul",
    "w_avg_beta",
    "fmap_base",
    "fmap_max",
    "num_fp16_res",
    "conv_clamp",
    "architecture",
    "resample_kernel",
    "use_noise",
    "nonlinearity",
    "truncation_psi",
    "truncation_cutoff",
    "style_mixing_prob",
    "structure",
}
LEGACY_D = {
    "label_size",
    "resolution",
    "num_channels",
    "architecture",
    "fmap_base",
    "fmap_max",
    "num_fp16_res",
    "conv_clamp",
    "mapping_fmaps",
    "nonlinearity",
    "resample_kernel",
    "freeze_layers",
    "mapping_layers",
    "mapping_lrmul",
    "mbstd_group_size",
    "mbstd_num_features",
    "structure",
}


@pytest.mark.parametrize("tag", ["tf_cond", "pt_uncond", "pt_cond"])
def test_settings_stay_within_what_the_pytorch_programs_know(tag, tmp_path):
    snapshot = convert(DATA / f"network_{tag}.pkl", tmp_path / "n.pkl")
    assert set(snapshot.G.kwargs) <= LEGACY_G and set(snapshot.D.kwargs) <= LEGACY_D
    for name in ("mapping_layers", "num_fp16_res", "conv_clamp"):  # the readers' defaults are others
        assert name in snapshot.G.kwargs
    assert "mbstd_group_size" in snapshot.D.kwargs
