"""Snapshots of a few bytes: written by the store, found by their names, damaged."""

import numpy as np

from sg2ada_colab.storage.store import RunStore


def fill(folder, *kimgs):
    """Write snapshots into a run folder and return the folder."""
    store = RunStore(folder)
    for kimg in kimgs:
        content = b"pickle of %d" % kimg
        arrays = {"w": np.full([50], kimg)}
        store.write_snapshot_async(kimg, lambda file, content=content: file.write(content), arrays, {"nimg": kimg * 1000})
        store.wait()
    return folder


def pickle(folder, kimg):
    return folder / f"network-snapshot-{kimg:06d}.pkl"


def state(folder, kimg):
    return folder / f"training-state-{kimg:06d}.npz"


def cut(path, length):
    path.write_bytes(path.read_bytes()[:length])
