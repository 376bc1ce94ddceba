"""Rectangular networks: the numbers of eps696's fork of stylegan2-ada-pytorch from its own modules, there and back."""

import io
import re
import zlib

import numpy as np
import pytest

from sg2ada_colab.formats.inspect import describe
from sg2ada_colab.formats.network_data import Unsupported, check_snapshot
from sg2ada_colab.formats.network_pickle import read_network_pickle, write_network_pickle
from sg2ada_colab.formats.torch_layout import snapshot_of_modules
from sg2ada_colab.formats.torch_pickle import Module
from sg2ada_colab.networks.discriminator import Discriminator
from sg2ada_colab.networks.generator import Generator, broadcast, truncate
from sg2ada_colab.networks.layout import discriminator_layers, synthesis_layers
from sg2ada_colab.shape import network_shape
from sg2ada_colab.tf import tf

NETS = ["r4x6", "r6x4", "r9x16", "r4x6c3", "r4x7resnet", "rgba"]


def by_formula(rows, rules, kernel):
    """Return {name: array} of the weights that stand nowhere: a function of each name."""
    values = {}
    for name, shape, rule in rows:
        scale, offset = rules[rule]["scale"], rules[rule]["offset"]
        assert re.fullmatch(rules[rule]["pattern"], name)
        if scale is None:
            values[name] = kernel
        else:
            draws = np.asarray(np.random.RandomState(zlib.crc32(name.encode())).randn(*shape)).astype(np.float32)
            values[name] = np.asarray(draws * np.float32(scale) + np.float32(offset))
    return values


def module(values, buffers, attributes):
    """Return the Module of tensors by dotted name, with attributes {path: {name: value}}."""

    class Free:
        spend_instructions = spend_bytes = staticmethod(lambda *_: None)

    def make(path):
        prefix = path + "." if path else ""
        inner = [name[len(prefix) :] for name in values if name.startswith(prefix)]
        own = [name for name in inner if "." not in name]
        state = dict(attributes.get(path, {}))
        state["_parameters"] = {name: values[prefix + name] for name in own if prefix + name not in buffers}
        state["_buffers"] = {name: values[prefix + name] for name in own if prefix + name in buffers}
        children = list(dict.fromkeys(name.split(".")[0] for name in inner if "." in name))
        children += [key[len(prefix) :] for key in attributes if key.startswith(prefix) and key != path]
        state["_modules"] = {name: make(prefix + name) for name in dict.fromkeys(children) if "." not in name}
        return Module("Network", state, Free)

    return make("")


def foreign(net, data, drop=()):
    """Return the NetworkSnapshot of a network of the fork."""
    facts = data.json("rectangular")
    about, rules, kernel = facts["nets"][net], facts["rules"], data["rect.kernel"]
    G, D = about["G_kwargs"], about["D_kwargs"]
    mapping = {"num_layers": G["mapping_kwargs"]["num_layers"], "w_avg_beta": 0.995}
    clamp = G["synthesis_kwargs"]["conv_clamp"]
    blocks = {f"synthesis.b{2**k}": 2**k for k in range(2, 12) if 2**k <= about["img_resolution"]}
    g_architecture = G["synthesis_kwargs"].get("architecture", "skip")
    attributes = {"": dict(about["G_attributes"], _init_kwargs=G), "mapping": mapping, "mapping.fc0": {"bias_gain": 0.01}}
    attributes.update({path: {"architecture": g_architecture, "use_fp16": False} for path in blocks})
    attributes["synthesis.b4.conv1"] = {"conv_clamp": clamp}
    attributes[""] = {name: value for name, value in attributes[""].items() if name not in drop}
    G_ema = module(by_formula(about["G_state"], rules, kernel), about["G_buffers"], attributes)
    epilogue = D["epilogue_kwargs"]
    attributes = {
        "": dict(about["D_attributes"], _init_kwargs=D),
        "b4.conv": {"conv_clamp": D["conv_clamp"]},
        "b4.mbstd": {"group_size": epilogue["mbstd_group_size"], "num_channels": epilogue.get("mbstd_num_channels", 1)},
    }
    if about["D_kwargs"]["c_dim"]:
        attributes.update({"mapping": {"num_layers": 8}, "mapping.fc0": {"bias_gain": 0.01}})
    for block in blocks.values():
        attributes[f"b{block}"] = {"architecture": D.get("architecture", "resnet"), "use_fp16": False}
    D_module = module(by_formula(about["D_state"], rules, kernel), about["D_buffers"], attributes)
    G_copy = module(by_formula(about["G_state"], rules, kernel), about["G_buffers"], _of(G_ema))
    snapshot = snapshot_of_modules({"G_ema": G_ema, "G": G_copy, "D": D_module})
    check_snapshot(snapshot)
    return snapshot, about


def _of(made, path=""):
    """Return the attributes {path: {name: value}} of a Module."""
    found = {path: {name: value for name, value in made.state.items() if name not in ("_modules", "_parameters", "_buffers")}}
    for name, child in made.children().items():
        found.update(_of(child, f"{path}.{name}" if path else name))
    return found


def images_for(about):
    """Return the images [4,C,H,W] that D judges."""
    (h0, w0), seed, factor = about["init_res"], about["D_images_seed"], about["img_resolution"] // 4
    shape = 4, about["image_shape"][0], h0, w0
    coarse = np.random.RandomState(seed).uniform(-1, 1, shape).repeat(factor, axis=2).repeat(factor, axis=3)
    noise = np.random.RandomState(seed + 1000).randn(*coarse.shape)
    return (coarse + 0.25 * noise).astype(np.float32)


def nchw(images):
    return np.asarray(images).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("net", NETS)
def test_the_forks_images_and_scores(net, reference, relmax):
    data = reference("rectangular")
    snapshot, about = foreign(net, data)
    config = snapshot.Gs.config
    assert [config.num_channels, config.height, config.width] == about["image_shape"] and config.num_layers == about["num_ws"]
    G, D = Generator(config, snapshot.Gs.variables), Discriminator(snapshot.D.config, snapshot.D.variables)
    labels = data[f"rect.{net}.labels"] if f"rect.{net}.labels" in data else np.zeros([2, 0], np.float32)
    w = G.map(tf.constant(data[f"rect.{net}.z"]), tf.constant(np.float32(labels)))
    assert relmax(w, data[f"rect.{net}.w"]) < 2e-5
    full = broadcast(w, config.num_layers)
    assert relmax(nchw(G.synthesize(full)), data[f"rect.{net}.images"]) < 2e-5
    average = G.variables["dlatent_avg"]
    for key, cutoff in (("images_trunc", None), ("images_trunc_cutoff4", about["cutoff"])):
        shown = nchw(G.synthesize(truncate(full, average, about["psi"], cutoff)))[:, :, ::2, ::2]
        assert relmax(shown, data[f"rect.{net}.{key}"]) < 2e-5
    images = images_for(about)
    np.testing.assert_allclose(images.ravel()[:16], data[f"rect.{net}.D_images_head"], rtol=0, atol=1e-7)
    key = f"rect.{net}.D_labels"
    D_labels = np.float32(data[key] if key in data else np.zeros([4, 0]))
    for count in (1, 2, 4):
        scores = D(tf.constant(images[:count].transpose(0, 2, 3, 1)), tf.constant(D_labels[:count]))
        assert relmax(scores, data[f"rect.{net}.scores{count}"]) < 1e-4


@pytest.mark.parametrize("net", ["r6x4", "r4x6c3"])
def test_our_pickle_of_a_rectangle_says_where_it_begins(net, reference):
    snapshot, about = foreign(net, reference("rectangular"))
    for network in snapshot.networks():
        assert network.kwargs["init_res"] == about["init_res"] and network.kwargs["resolution"] == about["img_resolution"]
    file = io.BytesIO()
    write_network_pickle(file, snapshot)
    back = read_network_pickle(file.getvalue())
    check_snapshot(back)
    for one, other in zip(back.networks(), snapshot.networks()):
        assert one.kwargs == other.kwargs and list(one.variables) == list(other.variables)
        for name, value in other.variables.items():
            np.testing.assert_array_equal(one.variables[name], value)


def test_the_description_says_width_and_height(reference):
    snapshot, _ = foreign("r6x4", reference("rectangular"))
    line = next(line for line in describe(snapshot, layers=False) if line.startswith("Resolution"))
    assert "32x48 (width x height; nominal 32, begins at 4x6)" in line


def test_a_rectangle_whose_settings_do_not_say_so_is_refused(reference):
    with pytest.raises(Unsupported) as caught:
        foreign("r4x6", reference("rectangular"), drop=["init_res"])
    assert "its constant has 4x6 pixels (height x width), where its settings (init_res) say [4, 4]" in caught.value.sentence
    assert "init_res" in caught.value.expected


@pytest.mark.parametrize("size", [(512, 768), (144, 256), (48, 32)])
def test_layers_have_the_sizes_of_the_rule(size):
    from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig

    shape = network_shape(*size)
    settings = {"resolution": shape.resolution, "init_res": shape.init_res}
    layers = [layer for layer in synthesis_layers(GeneratorConfig(**settings)) if layer.kind == "to_rgb"]
    assert (layers[-1].height, layers[-1].width) == size and (layers[0].height, layers[0].width) == shape.init_res
    layers = {layer.name: layer for layer in discriminator_layers(DiscriminatorConfig(**settings))}
    assert layers["4x4/Dense0"].inputs == 512 * shape.init_res[0] * shape.init_res[1]
