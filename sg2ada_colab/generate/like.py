"""Make a picture again from what its metadata says: the settings, and the network by its digest, wherever it lies."""

import os
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from ..errors import UserError
from ..files import FilePath, sha256_of
from ..formats.download import SHIPPED, downloaded_digests, shipped_network
from ..run_files import NETWORKS
from ..storage.choose import RunFolder, run_names
from .find_network import FoundNetwork, find_network
from .picture_files import read_recipe
from .seed_list import LARGEST_SEED
from .settings import PictureSettings


def recipe_of(picture: FilePath) -> Tuple[Dict[str, Any], PictureSettings]:
    """Return (recipe, PictureSettings) in the metadata of a picture that `sg2ada generate` made.

    Raises:
        UserError: There is no such picture, or its metadata does not say how it was made.
    """
    wanted = "a picture that `sg2ada generate` made, with its metadata"
    try:
        recipe = read_recipe(picture)
    except OSError as error:
        raise UserError(f"{picture} cannot be read: {error.strerror or error}.", wanted, "check the path") from error
    if recipe is None:
        raise UserError(f"{picture} does not say how it was made.", wanted,
                        "take the file as it was written: messengers and editors remove metadata")  # fmt: skip
    try:
        settings = PictureSettings.from_recipe(recipe)
        seed, network = recipe.get("seed"), recipe["network"]
        if not isinstance(network, str) or (seed is not None and not (type(seed) is int and 0 <= seed <= LARGEST_SEED)):
            raise ValueError("its network or its seed is not one")
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"The metadata of {picture} is damaged: {error}.", wanted, "take another picture") from error
    if seed is None:
        what = "a file of w" if "latents" in recipe else "several pictures"
        raise UserError(f"{picture} was made from {what}, not from one seed.", "a picture of one seed",
                        "name the file again with --dlatents or --projected-w" if "latents" in recipe
                        else "take one of the single pictures")  # fmt: skip
    return recipe, settings


def network_of(recipe: Mapping[str, Any], name: Optional[str] = None, results_dirs: Sequence[FilePath] = ()) -> FoundNetwork:
    """Return the FoundNetwork whose file has the digest in a recipe.

    Args:
        name: What the user named; None looks through the runs, the network that ships, and what was downloaded.
        results_dirs: Folders of runs.

    Raises:
        UserError: The named one is another network, or none with this digest was found.
    """
    digest = recipe["network"]
    if name is not None:
        found = find_network(name, results_dirs)
        if found.digest() != digest:
            raise UserError(f"The picture was made with another network than {found.title}.", f"the one with SHA-256 {digest}",
                            "name that one, or leave --network out to look for it in the runs")  # fmt: skip
        return found
    path = _with_digest(digest, results_dirs)
    if path is None:
        raise UserError(f"The network that made the picture was not found: SHA-256 {digest}.",
                        "a run of the workspace that still has it, the network that ships, or a download",
                        "name its file: --network=FILE")  # fmt: skip
    return find_network(path)


def _with_digest(digest, results_dirs):
    """Return the path of a network with this digest, or None: what is quickly known first, files that must be read last."""
    to_read = []
    for results_dir in results_dirs:
        for run in run_names(results_dir):
            folder = RunFolder(os.path.join(str(results_dir), run))
            known = _listed_digests(folder)
            for kinds in folder.files.values():
                for file_name in kinds.get(NETWORKS, []):
                    path = os.path.join(folder.path, file_name)
                    if known.get(file_name) == digest:
                        return path
                    if file_name not in known:
                        to_read.append(path)
    downloaded = downloaded_digests()
    if digest in downloaded:
        return downloaded[digest]
    for name in SHIPPED:
        try:
            to_read.insert(0, shipped_network(name))
        except UserError:
            continue
    return next((path for path in to_read if _digest(path) == digest), None)


def _listed_digests(folder):
    """Return dict file name → SHA-256 as a run's manifests have it."""
    return {
        name: file.sha256 for manifest in folder.manifests for record in manifest.snapshots for name, file in record.files.items()
    }


def _digest(path):
    try:
        return sha256_of(path)[1]
    except OSError:
        return None
