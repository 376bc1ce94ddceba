"""Coverage-guided fuzzing of the snapshot reader with atheris; started by hand, pytest does not collect it.

    python -m tests.snapshots.fuzz_read pieces|whole CORPUS_FOLDER -max_total_time=3600 -rss_limit_mb=2048 -timeout=10

Any exception other than Refused, any file opened, process started or module imported while reading stops the run.
"""
import io
import os
import pickle
import sys

import atheris
import numpy as np

with atheris.instrument_imports(include=["sg2ada_colab.snapshots"]):
    from sg2ada_colab.snapshots.network_pickle import write_network_pickle
    from sg2ada_colab.snapshots.read import ALL_GLOBALS, kind_of, snapshot_of_content
    from sg2ada_colab.snapshots.unpickler import MemorySource, Refused, load
from tests.oracles import torch_files
from tests.oracles.small_snapshots import small_snapshot

TINY = {"resolution": 8, "fmap_base": 4, "fmap_max": 1, "latent_size": 1, "dlatent_size": 1, "mapping_layers": 1}
FORBIDDEN = ("os.", "subprocess.", "socket.", "open", "import", "exec", "compile", "pickle.", "ctypes.", "shutil.", "marshal.")
watching = [False]


def watch(event, _):
    if watching[0] and event.startswith(FORBIDDEN):
        watching[0] = False
        raise SystemError("reading a snapshot caused " + event)


def read(data):
    watching[0] = True
    try:
        kind_of(data[:64])
        snapshot_of_content(load(MemorySource(data), ALL_GLOBALS))
    except Refused as error:
        assert len(str(error)) < 2000
    finally:
        watching[0] = False


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
        items = [torch_files.tensor(image, 2, True), torch_files.EasyDict(a=1.5, b=[None, True, -7, 2**70]),
                 torch_files.module("MappingNetwork", {"weight": torch_files.tensor(image)}, num_layers=1, bias_gain=0.01),
                 np.float64(2.5), {1, "set"}, ("x", 300, -(2**20), b"bytes" * 60), np.array([1.5])]
        for protocol in (2, 3, 4, 5):
            for item in items:
                yield pickle.dumps({"G": item, "D": item, "G_ema": item}, protocol)


def whole():
    """Return tiny snapshots of both families."""
    for label_size in (0, 2):
        snapshot = small_snapshot(label_size=label_size, **TINY)
        file = io.BytesIO()
        write_network_pickle(file, snapshot)
        yield file.getvalue()
        for protocol in (2, 3, 4, 5):
            yield torch_files.torch_pickle_bytes(snapshot, protocol)


def main():
    kind, corpus = sys.argv[1:3]
    os.makedirs(corpus, exist_ok=True)
    for index, data in enumerate({"pieces": pieces, "whole": whole}[kind]()):
        read(data)
        with open(os.path.join(corpus, "seed{}".format(index)), "wb") as file:
            file.write(data)
    sys.addaudithook(watch)
    atheris.Setup(sys.argv[:1] + sys.argv[2:], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
