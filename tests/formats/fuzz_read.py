"""Coverage-guided fuzzing of the one reader of pickles with atheris; started by hand, pytest does not collect it.

    python -m tests.formats.fuzz_read KIND CORPUS_FOLDER -max_total_time=3600 -rss_limit_mb=2048 -timeout=10

KIND: `pieces` (short streams of every kind of item of a network) or `networks` (tiny networks of both families), `weights`
(feature networks, as zip archive and in the older form), or `published` (collections, with protocols 0 and 1).
Any exception other than a refusal, any file opened, process started or module imported while reading stops the run.
"""

import codecs
import io
import os
import pickle
import sys
import zipfile

import atheris
import numpy as np

with atheris.instrument_imports(include=["sg2ada_colab"]):
    from sg2ada_colab.byte_source import MemorySource, Refused
    from sg2ada_colab.dataset.classic.published import unpickled
    from sg2ada_colab.errors import UserError
    from sg2ada_colab.formats.network_pickle import write_network_pickle
    from sg2ada_colab.formats.read import ALL_GLOBALS, kind_of, snapshot_of_content
    from sg2ada_colab.formats.torch_file import weights_in
    from sg2ada_colab.unpickler import load
from tests.formats import test_torch_file
from tests.oracles import torch_files
from tests.oracles.small_snapshots import small_snapshot

TINY = {"resolution": 8, "fmap_base": 4, "fmap_max": 1, "latent_size": 1, "dlatent_size": 1, "mapping_layers": 1}
FORBIDDEN = ("os.", "subprocess.", "socket.", "open", "import", "exec", "compile", "pickle.", "ctypes.", "shutil.", "marshal.")
watching = [False]


def watch(event, _):
    if watching[0] and event.startswith(FORBIDDEN):
        watching[0] = False
        raise SystemError("reading a file caused " + event)


def read_network(data):
    kind_of(data[:64])
    snapshot_of_content(load(MemorySource(data), ALL_GLOBALS))


def read_weights(data):
    weights_in(io.BytesIO(data), len(data))


def read_published(data):
    unpickled("x", data)


def pieces():
    """Return short streams of every kind of item, which mutate faster than whole snapshots do."""
    snapshot = small_snapshot(label_size=2, **TINY)
    for network in snapshot.networks():
        network.variables = {name: value for name, value in network.variables.items() if value.size < 3}
    file = io.BytesIO()
    write_network_pickle(file, snapshot)
    yield file.getvalue()
    image = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    with torch_files.torch_modules():
        items = [
            torch_files.tensor(image, 2, True),
            torch_files.EasyDict(a=1.5, b=[None, True, -7, 2**70]),
            torch_files.module("MappingNetwork", {"weight": torch_files.tensor(image)}, num_layers=1, bias_gain=0.01),
            np.float64(2.5),
            {1, "set"},
            ("x", 300, -(2**20), b"bytes" * 60),
            np.array([1.5]),
        ]
        for protocol in (2, 3, 4, 5):
            for item in items:
                yield pickle.dumps({"G": item, "D": item, "G_ema": item}, protocol)


def networks():
    """Return tiny snapshots of both families."""
    for label_size in (0, 2):
        snapshot = small_snapshot(label_size=label_size, **TINY)
        file = io.BytesIO()
        write_network_pickle(file, snapshot)
        yield file.getvalue()
        for protocol in (2, 3, 4, 5):
            yield torch_files.torch_pickle_bytes(snapshot, protocol)


def weights():
    """Return small state dicts as torch.save writes them, in both forms."""
    stream = test_torch_file.dump(test_torch_file.state(), test_torch_file.STORAGES)
    yield test_torch_file.legacy_bytes()
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            archive.writestr("model/data.pkl", stream)
            for key, values in test_torch_file.STORAGES.items():
                archive.writestr("model/data/" + key, values.tobytes())
        yield file.getvalue()


def published():
    """Return what CIFAR's and SVHN's files hold, in all protocols."""
    images = np.arange(24, dtype=np.uint8).reshape(2, 12)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for labels in ([1, 0], np.array([1, 0]), [np.int64(1), None, True]):
            yield pickle.dumps({"data": images, "labels": labels, "names": ["a.png", "ü"], "x": (1.5, 2**70, b"")}, protocol)
    head = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    yield head + b"(K\x01K\x02K\x03\x86" + dtype + b"\x89U\x06\x00\x01\xfe\xff\x80\x07tb."
    yield b"(dp0\nS'a\\x00'\np1\nI01\nsS'b'\n(lp2\nL5L\naF1.5\nas."


KINDS = {
    "pieces": (pieces, read_network),
    "networks": (networks, read_network),
    "weights": (weights, read_weights),
    "published": (published, read_published),
}


def main():
    kind, corpus = sys.argv[1:3]
    seeds, reader = KINDS[kind]

    def read(data):
        watching[0] = True
        try:
            reader(data)
        except (Refused, UserError) as error:
            assert len(str(error)) < 2000
        finally:
            watching[0] = False

    for encoding in ("latin1", "cp437", "raw-unicode-escape", "utf-8"):  # each is a module that Python imports at its first use
        codecs.lookup(encoding)
    os.makedirs(corpus, exist_ok=True)
    for index, data in enumerate(seeds()):
        reader(data) if kind != "pieces" else read(data)
        with open(os.path.join(corpus, f"seed{index}"), "wb") as file:
            file.write(data)
    sys.addaudithook(watch)
    atheris.Setup(sys.argv[:1] + sys.argv[2:], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
