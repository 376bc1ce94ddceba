"""The golden lists of settings that a network pickle may have, and the sentence of every one that is refused."""

import numpy as np
import pytest

from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.networks.discriminator import Discriminator
from sg2ada_colab.networks.generator import Generator
from sg2ada_colab.networks.resampling import downsample_2d, upsample_2d
from sg2ada_colab.networks.settings import (
    DISCRIMINATOR_ACCEPTS,
    DISCRIMINATOR_READS,
    GENERATOR_ACCEPTS,
    GENERATOR_READS,
    UnsupportedNetwork,
    check_settings,
)
from sg2ada_colab.tf import tf

BOTH = {"resolution", "num_channels", "label_size", "mapping_layers", "mapping_fmaps", "mapping_lrmul", "fmap_base", "fmap_max",
        "num_fp16_res", "conv_clamp", "architecture", "resample_kernel", "init_res"}  # fmt: skip
ANY = ()  # a setting that may have any value, as it changes nothing that is computed here
ACCEPTED_BY_BOTH = {
    "structure": ANY, "conditioning": ANY, "dtype": ("float32", "float16"), "nonlinearity": ("lrelu",), "fmap_decay": (1,),
    "fmap_min": (1,),
}  # fmt: skip


def test_golden_list_of_settings_that_are_read():
    assert set(GENERATOR_READS) == BOTH | {"latent_size", "dlatent_size", "label_fmaps", "style_mixing_prob", "w_avg_beta"}
    assert set(DISCRIMINATOR_READS) == BOTH | {
        "mbstd_group_size", "mbstd_num_features", "score_max", "use_pagan", "use_spectral_norm", "adaptive_dropout"}  # fmt: skip
    assert set(GENERATOR_READS) == set(GeneratorConfig.__dataclass_fields__)
    assert set(DISCRIMINATOR_READS) == set(DiscriminatorConfig.__dataclass_fields__)


def test_golden_list_of_settings_that_may_stand_there_unread():
    assert {name: rule.values for name, rule in GENERATOR_ACCEPTS.items()} == dict(
        ACCEPTED_BY_BOTH,
        truncation_psi=ANY, truncation_cutoff=ANY, truncation_psi_val=ANY, truncation_cutoff_val=ANY, randomize_noise=ANY,
        is_training=ANY, is_validation=ANY, return_dlatents=ANY, fused_modconv=ANY, mapping_dtype=("float32", "float16"),
        mapping_nonlinearity=("lrelu",), use_noise=(True,), normalize_latents=(True,), mapping_func=("G_mapping",),
        synthesis_func=("G_synthesis", "G_synthesis_stylegan2"),
    )  # fmt: skip
    assert {name: rule.values for name, rule in DISCRIMINATOR_ACCEPTS.items()} == dict(
        ACCEPTED_BY_BOTH, freeze_layers=ANY, is_training=ANY
    )
    for rule in list(GENERATOR_ACCEPTS.values()) + list(DISCRIMINATOR_ACCEPTS.values()):
        assert len(rule.why) > 10 and bool(rule.sentence) == bool(rule.values)


REFUSED = [  # is it a generator, setting, value, sentence
    (True, "nonlinearity", "relu", "its layers use the activation 'relu' (nonlinearity)"),
    (False, "nonlinearity", "relu", "its layers use the activation 'relu' (nonlinearity)"),
    (True, "mapping_nonlinearity", "relu", "its mapping layers use the activation 'relu' (mapping_nonlinearity)"),
    (True, "use_noise", False, "its generator has no noise inputs (use_noise=False)"),
    (True, "normalize_latents", False, "its mapping network takes z as it is (normalize_latents=False)"),
    (True, "fmap_decay", 0.5, "its channels fall otherwise with the resolution (fmap_decay=0.5)"),
    (True, "fmap_min", 16, "its layers have at least 16 channels (fmap_min)"),
    (True, "dtype", "float64", "it computes in 'float64' (dtype)"),
    (True, "synthesis_func", "G_synthesis_stylegan_revised", "its synthesis network is another one"),
    (True, "init_res", [4, 0], "its setting init_res is [4, 0]"),
    (False, "init_res", 4, "its setting init_res is 4"),
    (True, "min_h", 3, "a fork's network for rectangular images (settings min_h)"),
    (True, "attention", True, "it is a fork's network, with settings that StyleGAN2-ADA does not have: attention"),
    (False, "use_noise", True, "it is a fork's network, with settings that StyleGAN2-ADA does not have: use_noise"),
    (True, "resolution", 4, "its images have 4x4 pixels"),
    (True, "resolution", 48, "its setting resolution is 48"),
    (True, "resolution", "big", "its setting resolution is 'big'"),
    (True, "resample_kernel", [1], "its setting resample_kernel is [1]"),
    (True, "resample_kernel", [1, -1], "its setting resample_kernel is [1, -1]"),
    (True, "label_size", -1, "its setting label_size is -1"),
    (True, "fmap_base", 0, "its setting fmap_base is 0"),
    (True, "fmap_base", float("nan"), "its setting fmap_base is nan"),
    (True, "mapping_layers", True, "its setting mapping_layers is True"),
    (True, "architecture", ["skip"], "its setting architecture is ['skip']"),
    (True, "dlatent_avg_beta", 2, "its setting dlatent_avg_beta is 2"),
    (False, "mbstd_group_size", 0, "its setting mbstd_group_size is 0"),
]  # fmt: skip


@pytest.mark.parametrize("is_generator, name, value, sentence", REFUSED)
def test_every_other_setting_is_refused_with_a_sentence_of_its_own(is_generator, name, value, sentence):
    with pytest.raises(UnsupportedNetwork) as caught:
        check_settings(dict({"resolution": 32}, **{name: value}), is_generator)
    assert sentence in caught.value.sentence and caught.value.expected
    assert "again" not in caught.value.next_step  # the file is sound: another copy of it would not help


def test_settings_that_change_nothing_are_accepted():
    check_settings({}, True)
    check_settings({"truncation_psi": None, "structure": "auto", "nonlinearity": "lrelu", "fmap_decay": 1.0,
                    "fused_modconv": False, "dtype": "float16", "use_noise": True, "init_res": [4, 6]}, True)  # fmt: skip
    check_settings({"freeze_layers": 13, "dtype": "float32"}, False)


def test_the_older_name_of_the_averages_decay_is_read():
    assert GeneratorConfig.from_kwargs({"dlatent_avg_beta": 0.9}).w_avg_beta == 0.9


# What is read is right.


def lrelu(x):
    return np.where(x < 0, 0.2 * x, x) * np.sqrt(2)


def unit(x):
    return x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)


def test_labels_embedded_in_another_width_than_z():
    config = GeneratorConfig(
        resolution=8, latent_size=6, dlatent_size=5, label_fmaps=4, label_size=3, mapping_layers=1, fmap_max=4
    )
    G, rng = Generator(config, seed=1), np.random.RandomState(0)
    v = {name: value.astype(np.float64) for name, value in G.get_values().items()}
    assert v["mapping/LabelEmbed/weight"].shape == (3, 4) and v["mapping/Dense0/weight"].shape == (10, 5)
    z, labels = rng.randn(2, 6).astype(np.float32), rng.randn(2, 3).astype(np.float32)
    embedded = labels @ v["mapping/LabelEmbed/weight"] / np.sqrt(3) + v["mapping/LabelEmbed/bias"]
    x = np.concatenate([unit(z), unit(embedded)], axis=1)
    w = lrelu(x @ v["mapping/Dense0/weight"] * 0.01 / np.sqrt(10) + 0.01 * v["mapping/Dense0/bias"])
    np.testing.assert_allclose(G.map(z, labels).numpy(), w, rtol=1e-5, atol=1e-6)


def test_a_discriminator_without_minibatch_statistics():
    """It is one whose extra channel has no weight."""
    shared = {"resolution": 8, "fmap_base": 32, "fmap_max": 6}
    one = Discriminator(DiscriminatorConfig(mbstd_num_features=1, **shared), seed=1)
    none = Discriminator(DiscriminatorConfig(mbstd_num_features=0, **shared), seed=1)
    values, weight = one.get_values(), one.get_values()["4x4/Conv/weight"]
    values["4x4/Conv/weight"] = weight[:, :, :6] * np.sqrt(6 / 7)
    none.set_values(values)
    weight[:, :, 6] = 0
    one.set_values(dict(one.get_values(), **{"4x4/Conv/weight": weight}))
    images = np.random.RandomState(0).randn(4, 8, 8, 3).astype(np.float32)
    labels = np.zeros((4, 0), np.float32)
    np.testing.assert_allclose(none(images, labels).numpy(), one(images, labels).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", [None, [1, 1], [1, 2], [1, 2, 1], [1, 3, 3, 1], [1, 2, 4, 3], [1, 5, 10, 10, 5, 1]])
def test_filters_of_any_length(kernel):
    """Against zero insertion and a sum over taps, one image row at a time."""
    taps = np.array(kernel or [1, 1], np.float64)
    taps = taps / taps.sum()
    x = np.random.RandomState(0).randn(1, 8, 8, 1).astype(np.float32)
    taken = tf.constant(x)

    def along(lines, factor_up, before):  # convolution of lines [n, length]
        if factor_up:
            wide = np.zeros((len(lines), 2 * lines.shape[1]))
            wide[:, ::2] = lines
            lines = wide * 2
        padded = np.pad(lines, [(0, 0), (before, len(taps))], "constant")
        return sum(taps[k] * padded[:, len(taps) - 1 - k :][:, : lines.shape[1]] for k in range(len(taps)))

    before = (len(taps) + 1) // 2
    up = along(along(x[0, :, :, 0], True, before).T, True, before).T
    np.testing.assert_allclose(upsample_2d(taken, kernel).numpy()[0, :, :, 0], up, rtol=1e-5, atol=1e-6)
    before = (len(taps) - 1) // 2
    down = along(along(x[0, :, :, 0], False, before).T, False, before).T[::2, ::2]
    np.testing.assert_allclose(downsample_2d(taken, kernel).numpy()[0, :, :, 0], down, rtol=1e-5, atol=1e-6)


def test_no_filter_is_the_box_filter_and_is_written_as_one():
    config = GeneratorConfig.from_kwargs({"resample_kernel": None})
    assert config == GeneratorConfig.from_kwargs({"resample_kernel": [1, 1]})
    assert GeneratorConfig(resample_kernel=None).to_kwargs()["resample_kernel"] == [1, 1]
