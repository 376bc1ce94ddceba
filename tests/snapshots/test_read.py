import io
import json
import pickle

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.networks.discriminator import Discriminator
from sg2ada_colab.networks.generator import Generator, to_uint8
from sg2ada_colab.networks.variables import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.snapshots.network_pickle import write_network_pickle
from sg2ada_colab.snapshots.read import read_snapshot
from sg2ada_colab.snapshots.unpickler import FileSource
from tests.conftest import DATA
from tests.oracles.small_snapshots import small_snapshot

TAGS = ["tf_uncond", "tf_cond", "pt_uncond", "pt_cond"]


def generator(data):
    return Generator(GeneratorConfig.from_kwargs(data.kwargs), data.variables, num_fp16_res=0)


@pytest.mark.parametrize("rewritten", [False, True])
@pytest.mark.parametrize("tag", TAGS)
def test_reference_files_give_the_reference_images(tag, rewritten, reference, relmax, tmp_path):
    numbers, path = reference("pickles"), DATA / "network_{}.pkl".format(tag)
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
    Gs = generator(read_snapshot(DATA / "network_{}.pkl".format(tag)).Gs)
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
    "gzip": (b"\x1f\x8b\x08" + b"\0" * 60, "gzip", "gunzip"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 60, "HDF5", "training program"),
    "text": (b"hello, this is not a network\n", "text file", "training program"),
    "noise": (bytes(range(100, 200)) * 3, "", ""),
    "binary": (b"\x00\x01\x02\x03" * 100, "not a pickle", "training program"),
    "empty": (b"", "empty", "again"),
    "truncated": (small_pickle()[:-100], "cut short", "again"),
    "almost empty": (b"\x80\x03", "cut short", "again"),
    "pickle of a list": (pickle.dumps([1, 2, 3], 3), "a pickle of something else: a list", ""),
    "pickle of other things": (pickle.dumps({"weights": [1.5]}, 3), "a dictionary without G, D and G_ema", ""),
    "pickle of an array": (pickle.dumps(np.arange(3.0), 3), "something else: an array", ""),
    "single network": (b"\x80\x03cdnnlib.tflib.network\nNetwork\n)\x81}b.", "single network", ""),
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
        for network in read_snapshot(DATA / "network_{}.pkl".format(tag)).networks():
            assert json.loads(json.dumps(network.kwargs)) == network.kwargs
