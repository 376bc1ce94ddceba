"""What a PyTorch network was made with is read or checked: the golden list of arguments, and a sentence for everything else."""

import numpy as np
import pytest

from sg2ada_colab.formats.network_data import Unsupported
from sg2ada_colab.formats.torch_settings import DISCRIMINATOR_ARGUMENTS, GENERATOR_ARGUMENTS
from tests.conftest import DATA
from tests.formats.test_torch_layout import read
from tests.oracles import torch_files
from tests.oracles.small_snapshots import small_snapshot
from tests.oracles.torch_files import torch_pickle_bytes

SHAPE = {"c_dim", "img_resolution", "img_channels", "channel_base", "channel_max", "num_fp16_res", "conv_clamp", "architecture",
         "init_res"}  # fmt: skip
LAYERS = {"activation", "resample_filter", "fp16_channels_last", "fused_modconv_default"}
MAPPING = {"num_layers", "embed_features", "layer_features", "activation", "lr_multiplier", "w_avg_beta"}


def test_golden_list_of_arguments():
    assert {group: set(names) for group, names in GENERATOR_ARGUMENTS.items()} == {
        "": SHAPE | LAYERS | {"use_noise", "z_dim", "w_dim"},
        "mapping_kwargs": MAPPING,
        "synthesis_kwargs": SHAPE | LAYERS | {"use_noise"},
    }
    assert {group: set(names) for group, names in DISCRIMINATOR_ARGUMENTS.items()} == {
        "": SHAPE | {"cmap_dim"},
        "mapping_kwargs": MAPPING,
        "block_kwargs": LAYERS | {"freeze_layers"},
        "epilogue_kwargs": {"mbstd_group_size", "mbstd_num_channels", "activation"},
    }
    for group in list(GENERATOR_ARGUMENTS.values()) + list(DISCRIMINATOR_ARGUMENTS.values()):
        assert all(len(why) > 3 for why in group.values())


def refusal(monkeypatch, wanted, changes, snapshot=None):
    """Return the Unsupported for a small file in which the module for which `wanted(kind, attributes)` holds is changed."""
    build = torch_files.module

    def changed(kind, *rest, **attributes):
        return build(kind, *rest, **dict(attributes, **(changes if wanted(kind, attributes) else {})))

    monkeypatch.setattr(torch_files, "module", changed)
    with pytest.raises(Unsupported) as caught:
        read(torch_pickle_bytes(snapshot or small_snapshot(label_size=2)))
    assert "again" not in caught.value.next_step
    return caught.value.sentence


def kind_is(name, **having):
    return lambda kind, attributes: kind == name and all(attributes.get(key) == value for key, value in having.items())


LAYER_CHANGES = [
    (kind_is("SynthesisLayer", up=2), {"activation": "relu"}, "its layers use the activation 'relu' (synthesis.b8.conv0)"),
    (kind_is("SynthesisLayer", up=1), {"activation": "relu"}, "its layers use the activation 'relu' (synthesis.b4.conv1)"),
    (kind_is("FullyConnectedLayer", bias_gain=0.01), {"activation": "relu"}, "the activation 'relu' (mapping.fc0)"),
    (kind_is("Conv2dLayer"), {"activation": "swish"}, "its layers use the activation 'swish' (b16."),
    (kind_is("SynthesisLayer"), {"use_noise": False},
     "its generator has no noise inputs (synthesis.b4.conv1.use_noise is False)"),
    (kind_is("SynthesisLayer", up=2), {"act_gain": 1.0}, "its layer synthesis.b8.conv0 computes with act_gain 1.0"),
    (kind_is("SynthesisLayer", up=2), {"conv_clamp": 3}, "its layer synthesis.b8.conv0 computes with conv_clamp 3"),
    (kind_is("SynthesisLayer", up=2), {"up": 4}, "its layer synthesis.b8.conv0 computes with up 4"),
    (kind_is("FullyConnectedLayer", bias_gain=1), {"weight_gain": 7.0}, "computes with weight_gain 7.0"),
    (kind_is("SynthesisBlock"), {"architecture": "tower"}, "its setting architecture is 'tower'"),
]  # fmt: skip


@pytest.mark.parametrize("wanted, changes, sentence", LAYER_CHANGES)
def test_layers_that_compute_otherwise_are_refused(wanted, changes, sentence, monkeypatch):
    assert sentence in refusal(monkeypatch, wanted, changes)


@pytest.mark.parametrize("kind, arguments, named", [
    ("Generator", {"attention": True}, "attention"),
    ("Generator", {"synthesis_kwargs": {"style_blur": 3}}, "synthesis_kwargs.style_blur"),
    ("Generator", {"mapping_kwargs": {"normalize": False}}, "mapping_kwargs.normalize"),
    ("Discriminator", {"epilogue_kwargs": {"mbstd": 1}}, "epilogue_kwargs.mbstd"),
    ("Discriminator", {"diffaug": "color"}, "diffaug"),
])  # fmt: skip
def test_arguments_that_are_not_known_make_a_forks_network(kind, arguments, named, monkeypatch):
    sentence = refusal(monkeypatch, kind_is(kind), {"init_kwargs": arguments})
    assert sentence == "it is a fork's network, made with arguments that are not known: " + named


def test_sizes_that_cannot_be_used_are_named(monkeypatch):
    assert "its images have 4x4 pixels" in refusal(monkeypatch, kind_is("Generator"), {"img_resolution": 4})


def test_a_begin_that_is_not_the_constants_is_refused(monkeypatch):
    sentence = "its constant has 4x4 pixels (height x width), where its settings (init_res) say [4, 6]"
    assert sentence in refusal(monkeypatch, kind_is("Generator"), {"init_res": [4, 6]})


def test_a_constant_that_is_not_the_settings_is_refused(monkeypatch):
    snapshot = small_snapshot()
    for network in (snapshot.G, snapshot.Gs):
        network.variables["synthesis/4x4/Const/const"] = np.zeros((1, 6, 3, 5), np.float32)
    sentence = "its constant has 3x5 pixels (height x width), where its settings (init_res) say [4, 4]"
    assert sentence in refusal(monkeypatch, kind_is("none"), {}, snapshot)


def test_layers_too_many_and_too_few_make_a_forks_network(monkeypatch):
    build = torch_files.module

    def with_attention(kind, *rest, **attributes):
        made = build(kind, *rest, **attributes)
        if kind == "SynthesisBlock":
            meta = made.reduced[1][0]
            meta["state"]["_modules"]["attention"] = build("Attention", {"weight": torch_files.tensor(np.zeros(3))})
        return made

    monkeypatch.setattr(torch_files, "module", with_attention)
    with pytest.raises(Unsupported) as caught:
        read(torch_pickle_bytes(small_snapshot()))
    words = "its Gs has other layers than StyleGAN2, as a fork's network may: it has synthesis.b4.attention.weight"
    assert words in str(caught.value), "Gs is read first: files often hold nothing else"


@pytest.mark.parametrize("name", ["network_pt_cond.pkl", "network_pt_uncond.pkl", "network_torch_2.14.pkl"])
def test_real_files_pass_every_check(name):
    read((DATA / name).read_bytes())
