"""Run folders as training writes them, made up for tests of what looks at them."""

import json
import types

import numpy as np
from PIL import Image

from sg2ada_colab.previews.grid import save_grid
from sg2ada_colab.storage.store import RunStore

TICK = {
    "Loss/G/loss": 1.0, "Loss/D/loss": 0.8, "Loss/signs/real": 0.4, "Loss/signs/fake": -0.4, "Progress/augment": 0.1,
    "TrainG/overflow_frequency": 0.0, "Timing/sec_per_kimg": 9.0,
}  # fmt: skip


def add_ticks(folder, kimgs, **values):
    """Append a line to stats.jsonl for each kimg; names in `values` are the last parts of NVIDIA's."""
    named = {
        name: values[name.split("/", 1)[1].replace("/", "_")]
        for name in TICK
        if name.split("/", 1)[1].replace("/", "_") in values
    }
    with open(str(folder / "stats.jsonl"), "a") as file:
        for kimg in kimgs:
            file.write(json.dumps(dict(TICK, **dict(named, **{"Progress/kimg": kimg, "Progress/tick": int(kimg)}))) + "\n")


def add_grid(folder, name, spread=1.0, seed=0, resolution=8):
    """Write a grid of 32 x 32 plain images whose colours differ by `spread`."""
    colours = np.random.RandomState(seed).randint(0, 256, [32 * 32, 1, 1, 3])
    cells = np.broadcast_to(128 + spread * (colours - 128), (1024, resolution, resolution, 3))
    save_grid(folder / name, cells, 0, 255, 32)


def add_noise_grid(folder, name, width, height, seed=0):
    """Write a grid-sized picture of smooth noise, about as hard to compress as photographs."""
    small = np.random.RandomState(seed).randint(0, 256, [height // 8, width // 8, 3]).astype(np.uint8)
    Image.fromarray(small).resize((width, height), Image.BICUBIC).save(str(folder / name), compress_level=1)


def add_snapshots(folder, kimgs, size=1000):
    store = RunStore(folder)
    for kimg in kimgs:
        store.write_snapshot_async(kimg, lambda file: file.write(b"x" * size), {"a": np.zeros(3)}, {"nimg": kimg * 1000})
        store.wait()


def config(total_kimg=100, resolution=8, target=0.6, start_kimg=0):
    """Return what the panel reads of a TrainConfig."""
    schedule, augment = types.SimpleNamespace(total_kimg=total_kimg), types.SimpleNamespace(target=target)
    start = types.SimpleNamespace(kimg=start_kimg)
    return types.SimpleNamespace(schedule=schedule, size=resolution, augment=augment, start=start)
