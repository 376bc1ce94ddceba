import io
import json
import pickle

import numpy as np
import pytest

from sg2ada_colab.byte_source import FileSource
from sg2ada_colab.errors import UserError
from sg2ada_colab.formats import network_pickle, torch_file
from sg2ada_colab.formats.network_data import NetworkData, NetworkSnapshot, component_kwargs
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.networks.discriminator import Discriminator
from sg2ada_colab.networks.generator import Generator, to_uint8
from sg2ada_colab.networks.variables import discriminator_specs, generator_specs
from tests.conftest import DATA
from tests.oracles.small_snapshots import random_values, small_snapshot

TAGS = ["tf_uncond", "tf_cond", "pt_uncond", "pt_cond"]


def generator(data):
    return Generator(GeneratorConfig.from_kwargs(data.kwargs), data.variables, num_fp16_res=0)


@pytest.mark.parametrize("rewritten", [False, True])
@pytest.mark.parametrize("tag", TAGS)
def test_reference_files_give_the_reference_images(tag, rewritten, reference, relmax, tmp_path):
    numbers, path = reference("pickles"), DATA / f"network_{tag}.pkl"
    if rewritten:  # PyTorch becomes TensorFlow this way
        write_network_pickle(tmp_path / "n.pkl", read_snapshot(path))
        path = tmp_path / "n.pkl"
    snapshot = read_snapshot(path)

    def images(network, **options):
        made = generator(network)(numbers[tag + ".z"], numbers[tag + ".labels"], **options)
        return made if options.get("nhwc") else np.transpose(made.numpy(), [0, 3, 1, 2])

    prefix = tag + (".Gs_images_" if tag.startswith("tf") else ".G_ema_images_")
    assert relmax(images(snapshot.Gs), numbers[prefix + "psi1"]) < 2e-5
    assert relmax(images(snapshot.Gs, truncation_psi=0.5), numbers[prefix + "psi05"]) < 2e-5
    assert relmax(images(snapshot.G), numbers[tag + ".G_images_psi1"]) < 2e-5
    w = generator(snapshot.Gs).map(numbers[tag + ".z"], numbers[tag + ".labels"]).numpy()
    assert relmax(np.repeat(w[:, None], 8, axis=1), numbers[tag + ".w"]) < 2e-5
    D = Discriminator(DiscriminatorConfig.from_kwargs(snapshot.D.kwargs), snapshot.D.variables, num_fp16_res=0)
    scores = D(np.transpose(numbers[tag + ".D_images"], [0, 2, 3, 1]), numbers[tag + ".D_labels"]).numpy()
    assert relmax(scores, numbers[tag + ".D_scores"]) < 2e-5


@pytest.mark.parametrize("tag", TAGS[:2])
def test_reference_uint8_images(tag, reference):
    numbers = reference("pickles")
    Gs = generator(read_snapshot(DATA / f"network_{tag}.pkl").Gs)
    made = to_uint8(Gs(numbers[tag + ".z"], numbers[tag + ".labels"], truncation_psi=0.5)).numpy()
    difference = np.abs(made.astype(int) - numbers[tag + ".Gs_uint8_psi05_nhwc"])
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3  # a value at the edge of two levels may fall to either


def small_pickle():
    file = io.BytesIO()
    write_network_pickle(file, small_snapshot())
    return file.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d7a2146" * 8 + b"\nsize 12345\n"
BAD = {
    "lfs": (LFS, "Git LFS pointer", "git lfs pull"),
    "html": (b"\n<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title>", "web page", "browser"),
    "html without doctype": (b"<HTML><body>404</body></HTML>", "web page", "browser"),
    "zip": (b"PK\x03\x04" + b"\0" * 60, "zip archive", "training program"),
    "torch.save, old": (torch_file.HEAD + b".\x80\x02M\xe9\x03.", "bare weights that `torch.save` wrote", "training program"),
    "gzip": (b"\x1f\x8b\x08" + b"\0" * 60, "gzip", "gunzip"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 60, "HDF5", "training program"),
    "text": (b"hello, this is not a network\n", "text file", "training program"),
    "noise": (bytes(range(100, 200)) * 3, "", ""),
    "binary": (b"\x00\x01\x02\x03" * 100, "not a pickle", "training program"),
    "empty": (b"", "empty", "again"),
    "truncated": (small_pickle()[:-100], "cut short", "again"),
    "almost empty": (b"\x80\x03", "cut short", "again"),
    "pickle of a list": (pickle.dumps([1, 2, 3], 3), "a pickle of something else: a list", "training program"),
    "pickle of other things": (pickle.dumps({"weights": [1.5]}, 3), "a dictionary without G, D and G_ema", "training program"),
    "pickle of an array": (pickle.dumps(np.arange(3.0), 3), "something else: an array", "training program"),
    "single network": (b"\x80\x03cdnnlib.tflib.network\nNetwork\n)\x81}b.", "single network", "training program"),
    "harmful": (pickle.dumps(print, 3), "it asks for 'print' from 'builtins'", ""),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_files_are_named_for_what_they_are(name, tmp_path):
    content, what, next_step = BAD[name]
    path = tmp_path / "network-snapshot-000123.pkl"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_snapshot(path)
    assert str(path) in caught.value.what and what in caught.value.what
    assert next_step in caught.value.next_step and caught.value.expected


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(UserError, match="no file"):
        read_snapshot(tmp_path / "missing.pkl")
    with pytest.raises(UserError, match="is a folder"):
        read_snapshot(tmp_path)


def test_an_input_error_in_the_middle_is_named(tmp_path, monkeypatch):
    def fails(self, count):
        raise OSError(5, "Input/output error")

    (tmp_path / "n.pkl").write_bytes(small_pickle())
    monkeypatch.setattr(FileSource, "payload", fails)
    with pytest.raises(UserError, match="cannot be read to its end: Input/output error"):
        read_snapshot(tmp_path / "n.pkl")


def test_first_generation_networks_are_named(tmp_path):
    snapshot = small_snapshot()
    snapshot.Gs.variables["synthesis/4x4/Const/StyleMod/weight"] = np.zeros(3, np.float32)
    write_network_pickle(tmp_path / "karras2019.pkl", snapshot)
    with pytest.raises(UserError, match="first StyleGAN"):
        read_snapshot(tmp_path / "karras2019.pkl")


def test_kwargs_survive_as_json():
    for tag in TAGS:
        for network in read_snapshot(DATA / f"network_{tag}.pkl").networks():
            assert json.loads(json.dumps(network.kwargs)) == network.kwargs


# Unsupported is not damaged.


def changed_pickle(tmp_path, change):
    """Write a small TensorFlow pickle after `change` had its snapshot; return the path.

    `change` may return settings to write into the file, as network → settings: our own writer takes no network of such ones.
    """
    snapshot = small_snapshot(label_size=2)
    more = change(snapshot) or {}
    settings = {id(getattr(snapshot, network).kwargs): values for network, values in more.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_pickle, "plain_value", lambda kwargs: dict(kwargs, **settings.get(id(kwargs), {})))
        write_network_pickle(tmp_path / "n.pkl", snapshot)
    return tmp_path / "n.pkl"


def setting(name, value, networks=("G", "Gs")):
    return lambda snapshot: {network: {name: value} for network in networks}


def variable(network, name, value):
    def change(snapshot):
        if value is None:
            del getattr(snapshot, network).variables[name]
        else:
            getattr(snapshot, network).variables[name] = np.zeros(value, np.float32)

    return change


def label_concat(snapshot):
    for network in (snapshot.G, snapshot.Gs):
        network.variables["mapping/LabelConcat/weight"] = network.variables.pop("mapping/LabelEmbed/weight")
        del network.variables["mapping/LabelEmbed/bias"]


UNSUPPORTED = {
    "relu": (setting("nonlinearity", "relu"), "its layers use the activation 'relu' (nonlinearity)"),
    "relu in D": (setting("nonlinearity", "relu", ["D"]), "its layers use the activation 'relu' (nonlinearity)"),
    "relu in the mapping": (setting("mapping_nonlinearity", "relu"), "its mapping layers use the activation 'relu'"),
    "4x4": (setting("resolution", 4, ["G", "D", "Gs"]), "its images have 4x4 pixels"),
    "no noise": (setting("use_noise", False), "its generator has no noise inputs (use_noise=False)"),
    "z as it is": (setting("normalize_latents", False), "its mapping network takes z as it is (normalize_latents=False)"),
    "a fork's setting": (setting("attention", True),
                         "a fork's network, with settings that StyleGAN2-ADA does not have: attention"),
    "rectangular": (setting("init_res", [4, 6]),
                    "its constant has 4x4 pixels (height x width), where its settings (init_res) say 4x6"),
    "labels of StyleGAN2": (label_concat,
                            "it is a conditional network of StyleGAN2, which takes labels in another way (LabelConcat)"),
    "a layer too many": (variable("Gs", "synthesis/8x8/Attention/weight", (3,)),
                         "its Gs has other layers than its settings ask for, as a fork's network may: it has "
                         "synthesis/8x8/Attention/weight"),
    "a layer too few": (variable("D", "4x4/Dense0/bias", None), "its D has other layers than its settings ask for, as a fork's "
                        "network may: it lacks 4x4/Dense0/bias"),
    "another width": (variable("D", "4x4/Dense0/bias", (5,)), "4x4/Dense0/bias is 5, not 6"),
    "G unlike Gs": (setting("style_mixing_prob", 0.5, ["G"]), "its G and Gs have different settings"),
    "D for other images": (setting("num_channels", 1, ["D"]), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_unsupported_networks_are_named_and_never_called_damaged(name, tmp_path):
    change, sentence = UNSUPPORTED[name]
    path = changed_pickle(tmp_path, change)
    with pytest.raises(UserError) as caught:
        read_snapshot(path)
    assert caught.value.what.startswith(f"{path} cannot be used: ") and sentence in caught.value.what
    assert caught.value.expected and "again" not in caught.value.next_step


def test_a_rectangle_is_seen_by_its_constant_too(tmp_path):
    path = changed_pickle(tmp_path, variable("Gs", "synthesis/4x4/Const/const", (1, 6, 3, 5)))
    with pytest.raises(UserError, match="its constant has 3x5 pixels .height x width., where its settings .init_res. say 4x4"):
        read_snapshot(path)


def test_a_growth_that_is_complete_may_stand_there(tmp_path):
    read_snapshot(changed_pickle(tmp_path, lambda snapshot: snapshot.D.variables.update(lod=np.zeros((), np.float32))))
    with pytest.raises(UserError, match="it has lod"):
        read_snapshot(changed_pickle(tmp_path, lambda snapshot: snapshot.D.variables.update(lod=np.ones((), np.float32))))


def test_the_settings_of_a_component_count(tmp_path, monkeypatch):
    """A component is built with settings of its own; what they say of its layers is not passed over."""

    def written_with(**more):
        monkeypatch.setattr(network_pickle, "component_kwargs", lambda *args: dict(component_kwargs(*args), **more))

    written_with(nonlinearity="relu")
    with pytest.raises(UserError, match="activation 'relu'"):
        read_snapshot(changed_pickle(tmp_path, lambda snapshot: None))
    written_with(fmap_max=5)
    with pytest.raises(UserError, match="its component synthesis has settings of its own: fmap_max is 5, not 6"):
        read_snapshot(changed_pickle(tmp_path, lambda snapshot: None))
    written_with(resample_kernel=[1, 2, 1])
    with pytest.raises(UserError, match=r"resample_kernel is \[1, 2, 1\], not \[1, 3, 3, 1\]"):
        read_snapshot(changed_pickle(tmp_path, lambda snapshot: None))
    written_with(structure="auto")
    assert read_snapshot(changed_pickle(tmp_path, lambda snapshot: None)).Gs.kwargs["structure"] == "auto"


def test_functions_that_stylegan2_names_are_no_settings_of_the_components(tmp_path):
    change = {
        "mapping_func": "G_mapping",
        "synthesis_func": "G_synthesis_stylegan2",
        "dlatent_avg_beta": 0.99,
        "dtype": "float32",
    }
    snapshot = read_snapshot(changed_pickle(tmp_path, lambda snapshot: {"G": change, "Gs": change}))
    assert snapshot.Gs.config.w_avg_beta == 0.99


def test_damage_still_says_to_get_the_file_again(tmp_path):
    content = bytearray(small_pickle())
    content[5:40] = b"\xff" * 35
    (tmp_path / "n.pkl").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_snapshot(tmp_path / "n.pkl")
    assert "get the file again" in caught.value.next_step and "cannot be read" in caught.value.what


def test_networks_of_other_label_widths_and_without_statistics_are_read(tmp_path):
    """Both are written as they were read, and draw the same."""
    shared = {"resolution": 16, "label_size": 2, "fmap_base": 16, "fmap_max": 6}
    g = GeneratorConfig(latent_size=5, dlatent_size=4, label_fmaps=3, mapping_layers=2, **shared)
    d = DiscriminatorConfig(mbstd_group_size=2, mbstd_num_features=0, **shared)
    rng, networks = np.random.RandomState(1), []
    for name, config, specs in (("G", g, generator_specs), ("D", d, discriminator_specs), ("Gs", g, generator_specs)):
        networks.append(NetworkData(name, config.to_kwargs(), random_values(specs(config), rng)))
    write_network_pickle(tmp_path / "n.pkl", NetworkSnapshot(*networks))
    snapshot = read_snapshot(tmp_path / "n.pkl")
    assert (snapshot.Gs.config, snapshot.D.config) == (g, d)
    assert snapshot.Gs.variables["mapping/LabelEmbed/weight"].shape == (2, 3)
    assert snapshot.D.variables["4x4/Conv/weight"].shape == (3, 3, 6, 6)


def test_no_filter_is_written_as_the_box_that_every_reader_knows(tmp_path):
    snapshot = small_snapshot()
    for network in snapshot.networks():
        network.kwargs["resample_kernel"] = None
    write_network_pickle(tmp_path / "n.pkl", snapshot)
    again = read_snapshot(tmp_path / "n.pkl")
    assert [network.kwargs["resample_kernel"] for network in again.networks()] == [[1, 1]] * 3
    assert b"resample_kernel" in (tmp_path / "n.pkl").read_bytes()
