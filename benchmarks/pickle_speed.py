"""How fast snapshots of 1024x1024 are written and read, beside what NumPy needs for the same arrays, and the memory it takes.

    python benchmarks/pickle_speed.py [--folder FOLDER] [--repeats N]

Each measurement is a process of its own; the file lies in the page cache for all of them. Prints a table.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))


def snapshot_1024():
    """Return a snapshot of the stylegan2 configuration at 1024x1024 (fmap_base 16384) with random numbers."""
    from sg2ada_colab.formats.network_data import NetworkData, NetworkSnapshot
    from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
    from sg2ada_colab.networks.variables import discriminator_specs, generator_specs

    rng = np.random.RandomState(0)

    def network(name, config, specs):
        kwargs = config(resolution=1024, mapping_layers=8 if name != "D" else 0, num_fp16_res=4, conv_clamp=256).to_kwargs()
        draws = rng.standard_normal(1 << 20).astype(np.float32)
        specs = specs(config.from_kwargs(kwargs))
        return NetworkData(name, kwargs, {spec.name: np.resize(draws, spec.shape) for spec in specs})

    G, Gs = (network(name, GeneratorConfig, generator_specs) for name in ("G", "Gs"))
    return NetworkSnapshot(G, network("D", DiscriminatorConfig, discriminator_specs), Gs)


def arrays_of(snapshot):
    return [np.asarray(value) for network in snapshot.networks() for value in network.variables.values()]


def write_ours(path):
    from sg2ada_colab.formats.network_pickle import write_network_pickle

    return lambda snapshot: write_network_pickle(path, snapshot)


def write_numpy(path):
    def write(snapshot):
        with open(path, "wb") as file:
            for array in arrays_of(snapshot):
                np.save(file, array)

    return write


def write_npz(path):
    def write(snapshot):
        with open(path, "wb") as file:
            np.savez(file, *arrays_of(snapshot))

    return write


def read_ours(path):
    from sg2ada_colab.formats.read import read_snapshot

    return lambda: read_snapshot(path)


def read_numpy(path):
    def read():
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            arrays = []
            while file.tell() < size:
                arrays.append(np.load(file))
            return arrays

    return read


def read_npz(path):
    def read():
        with np.load(path) as archive:
            return [archive[name] for name in archive.files]

    return read


MAKERS = {"pkl": (write_ours, read_ours), "npy": (write_numpy, read_numpy), "npz": (write_npz, read_npz)}


def measure(kind, action, path, repeats):
    """Return (best seconds, peak resident bytes above what stood before) in this process."""
    writer, reader = MAKERS[kind]
    if action == "write":
        snapshot, function = snapshot_1024(), writer(path)
        run = lambda: function(snapshot)  # noqa: E731
    else:
        run = reader(path)
    before, seconds = peak_bytes(), []
    for _ in range(repeats):
        begin = time.perf_counter()
        kept = run()
        seconds.append(time.perf_counter() - begin)
        del kept
    return min(seconds), peak_bytes() - before


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="where the files are written (default: a temporary folder)")
    parser.add_argument("--repeats", type=int, default=5, help="the best of so many is shown (default: 5)")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return print(json.dumps(measure(*args.one, repeats=args.repeats)))
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        results = {}
        for action in ("write", "read"):
            for kind in MAKERS:
                path = os.path.join(folder, "snapshot." + kind)
                command = [sys.executable, __file__, "--repeats", str(args.repeats), "--one", kind, action, path]
                results[action, kind] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        size = os.path.getsize(os.path.join(folder, "snapshot.pkl"))
    report(results, size)


def report(results, size):
    print(f"Snapshot of 1024x1024: {size:,} bytes\n")
    print("{:<8}{:<26}{:>9}{:>10}{:>14}{:>22}".format("", "", "seconds", "MB/s", "speed / npy", "peak memory / file"))
    words = {"pkl": "our pickle", "npy": "NumPy, arrays in a row", "npz": "NumPy, npz"}
    for (action, kind), (seconds, peak) in results.items():
        speed = results[action, "npy"][0] / seconds
        rate = size / seconds / 1e6
        print(f"{action:<8}{words[kind]:<26}{seconds:>9.3f}{rate:>10.0f}{speed:>14.2f}{peak / size:>22.2f}")


if __name__ == "__main__":
    main()
