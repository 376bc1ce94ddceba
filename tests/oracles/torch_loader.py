"""Open a pickle as the PyTorch programs do, with stand-ins for their two modules, and make pictures and scores with it.

    python tests/oracles/torch_loader.py FOLDER      # n.pkl and in.npz in it; writes out.npz

Run by a Python that has torch. Opened, copied and pickled again by torch's own means, it stays the same network.
"""

import copy
import io
import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

MODULES = {}


def reconstruct(meta):
    """Return the object of a persistent class: the source text is run, the state is handed to the object."""
    assert meta["type"] == "class" and meta["version"] == 6
    if meta["module_src"] not in MODULES:
        module = MODULES[meta["module_src"]] = ModuleType(f"source_{len(MODULES)}")
        sys.modules[module.__name__] = module
        exec(compile(meta["module_src"], module.__name__, "exec"), module.__dict__)
    kind = getattr(MODULES[meta["module_src"]], meta["class_name"])
    made = kind.__new__(kind)
    made.__setstate__(meta["state"])
    return made


def main(folder):
    names = ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")
    sys.modules.update({name: ModuleType(name) for name in names})
    sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj = reconstruct
    with open(str(folder / "n.pkl"), "rb") as file:
        content = pickle.load(file)
    assert content["augment_pipe"] is None and content["training_set_kwargs"] is None
    given = {name: torch.from_numpy(array) for name, array in np.load(str(folder / "in.npz")).items()}
    G, D = (copy.deepcopy(content[name]).eval().requires_grad_(False) for name in ("G_ema", "D"))
    assert {name.rpartition(".")[2] for name, _ in G.named_buffers()} == {"noise_const", "w_avg", "resample_filter"}
    assert [name for name, _ in G.named_parameters()] and G.z_dim == given["z"].shape[1]
    G.load_state_dict(torch.load(io.BytesIO(saved(G.state_dict()))))
    with torch.no_grad():
        out = {
            "images1.0": G(given["z"], given["labels"], noise_mode="const"),
            "images0.5": G(given["z"], given["labels"], truncation_psi=0.5, truncation_cutoff=2, noise_mode="const"),
            "random": G.synthesis(G.mapping(given["z"], given["labels"])),
            "scores": D(given["images"], given["labels"]),
        }
    np.savez(str(folder / "out.npz"), **{name: value.numpy() for name, value in out.items()})


def saved(state):
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
