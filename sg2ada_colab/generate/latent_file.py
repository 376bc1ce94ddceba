"""Files of w, as the projectors of NVIDIA's programs write them: `dlatents` [N,L,D] or `w` [1,L,D] in an npz file."""

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..files import FilePath, atomic_path

if TYPE_CHECKING:
    from .generator import TrainedGenerator

KEYS = ("dlatents", "w")  # of the TensorFlow program, of the PyTorch program
MOST_BYTES = 1 << 30


def read_latents(path: FilePath, generator: "TrainedGenerator") -> np.ndarray:
    """Return w float32 [N, num_layers, dlatent_size] of a file.

    Raises:
        UserError: There is no such file, it has other arrays, or arrays of other sizes.
    """
    wanted = f"an npz file with w [N, {generator.num_layers}, {generator.config.dlatent_size}] under dlatents or w"
    try:
        with zipfile.ZipFile(str(path)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise UserError(f"{path} holds more than {MOST_BYTES:,} bytes.", wanted, "take the file that a projector wrote")
        with np.load(str(path), allow_pickle=False) as file:
            found = [key for key in KEYS if key in file.files]
            if not found:
                raise UserError(f"{path} holds {', '.join(file.files[:8]) or 'nothing'}.", wanted,
                                "take the file that a projector wrote")  # fmt: skip
            w = file[found[0]]
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", wanted, "check the path") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise UserError(f"{path} cannot be read: {error}.", wanted, "take the file that a projector wrote") from error
    if w.dtype.kind != "f" or w.ndim != 3 or not len(w) or w.shape[1:] != (generator.num_layers, generator.config.dlatent_size):
        raise UserError(f"{path} holds {found[0]} of shape {list(w.shape)} and type {w.dtype}.", wanted,
                        f"name the network that it was made with; {generator.title} is another one")  # fmt: skip
    if not np.isfinite(w).all():
        raise UserError(f"{path} holds numbers that are not finite.", wanted, "project again")
    return w.astype(np.float32)


def write_latents(path: FilePath, w: np.ndarray) -> None:
    """Write w [N,L,D] under both keys, so that either program reads it."""
    with atomic_path(path, ".npz") as temporary:
        arrays: Any = {key: np.asarray(w, np.float32) for key in KEYS}
        np.savez(temporary, **arrays)
