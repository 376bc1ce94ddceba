"""A folder to give a network away: a model card, the network in two forms, a grid of its pictures; and its upload."""

import json
import os
from dataclasses import dataclass
from typing import Any, List, Mapping

from ..errors import UserError
from ..files import FilePath, sha256_of, write_text
from ..formats.convert import write_snapshot
from ..formats.network_data import NetworkSnapshot
from ..previews.sheet import grid_of
from .picture_files import as_image, write_picture
from .settings import PictureSettings

CARD, PICKLE, SAFETENSORS, GRID = "README.md", "network.pkl", "network.safetensors", "grid.png"
PICTURES, TRUNC = 16, 0.7


@dataclass(frozen=True)
class Answers:
    """What only a person can say of a network."""

    name: str = ""
    licence: str = ""  # of the network, such as cc-by-4.0
    data: str = ""  # what it was trained on, and where that is from
    data_licence: str = ""  # of the images
    description: str = ""
    authors: str = ""

    def check(self) -> None:
        """Raise a UserError that asks for what is missing."""
        questions = {
            "name": "--name: what is the network called?",
            "licence": "--licence: under which licence do you give it away (such as cc-by-4.0)?",
            "data": "--data: what was it trained on, and where is that from?",
            "data_licence": "--data-licence: under which licence, or with whose permission, were the images used?",
        }
        missing = [question for field, question in questions.items() if not getattr(self, field).strip()]
        if missing:
            raise UserError(
                "The model card lacks answers: " + " ".join(missing),
                "an answer to each",
                "run the command again with these options",
            )


def publish(generator: Any, snapshot: NetworkSnapshot, answers: Answers, folder: FilePath) -> List[str]:
    """Write the folder; returns the names of its files.

    Args:
        generator: TrainedGenerator of the snapshot.
        snapshot: NetworkSnapshot.
        answers: Answers.
        folder: A new or an empty folder.

    Raises:
        UserError: An answer is missing, or the folder holds something.
    """
    answers.check()
    folder = str(folder)
    if os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise UserError(f"{folder} is there already.", "a new folder", "name another folder with --outdir")
    os.makedirs(folder, exist_ok=True)
    for name in (PICKLE, SAFETENSORS):
        write_snapshot(os.path.join(folder, name), snapshot)
    _write_grid(generator, os.path.join(folder, GRID))
    digests = {name: sha256_of(os.path.join(folder, name))[1] for name in (PICKLE, SAFETENSORS)}
    write_text(os.path.join(folder, CARD), card(generator, answers, digests))  # last: a folder with a card is complete
    return [CARD, PICKLE, SAFETENSORS, GRID]


def _write_grid(generator, path):
    seeds, classes = list(range(PICTURES)), generator.config.label_size
    settings = PictureSettings(trunc=TRUNC, class_=[seed % classes for seed in seeds] if classes else None)
    images = generator.pictures(settings.w(generator, seeds), settings.noise_mode, seeds)
    side = int(PICTURES**0.5)
    recipe = settings.recipe(generator, "publish", seeds=seeds)
    write_picture(path, grid_of((as_image(image) for image in images), side, side), recipe)


def card(generator: Any, answers: Answers, digests: Mapping[str, str]) -> str:
    """Return the model card: Markdown with a head that the Hugging Face Hub reads."""
    config = generator.config
    labels = f"{config.label_size} classes" if config.label_size else "no classes"
    head = {"license": answers.licence, "library_name": "sg2ada_colab", "tags": ["stylegan2-ada", "gan", "image-generation"]}
    lines = ["---"] + [f"{key}: {json.dumps(value)}" for key, value in head.items()] + ["---", "", f"# {_line(answers.name)}", ""]
    lines += [answers.description.strip(), ""] if answers.description.strip() else []
    lines += [f"![Pictures of the seeds 0 to {PICTURES - 1} at truncation {TRUNC}]({GRID})", ""]
    lines += [f"A StyleGAN2 for {config.width}x{config.height} pixels, {config.num_channels} channels, {labels}.", ""]
    lines += [
        "## Use",
        "",
        "```",
        f"sg2ada generate --network={PICKLE} --seeds=0-15 --trunc={TRUNC} --outdir=out --grid",
        "```",
        "",
    ]
    others = (
        "stylegan2-ada, stylegan2-ada-pytorch and stylegan3, too"
        if config.is_square
        else ("stylegan2-ada, which runs the code inside; the PyTorch programs know squares only")
    )
    lines += [f"`{PICKLE}` opens in {others}.", ""]
    lines += ["## Data", "", answers.data.strip(), "", f"Licence of the images: {_line(answers.data_licence)}", ""]
    lines += ["## Licence", "", _line(answers.licence), ""] + (
        ["## Authors", "", answers.authors.strip(), ""] if answers.authors else []
    )
    return "\n".join(lines + ["## Files", ""] + [f"- `{name}` SHA-256 {digest}" for name, digest in digests.items()]) + "\n"


def _line(text):
    return " ".join(text.split())


def check_repo(repo: str) -> None:
    """Raise a UserError for what is not USER/NAME."""
    if len(repo.split("/")) != 2 or not all(repo.split("/")):
        raise UserError(f"{repo!r} names no repository of the Hub.", "USER/NAME", "write --upload=USER/NAME")


def upload(folder: FilePath, repo: str, private: bool = False, client: Any = None) -> str:
    """Upload a folder to the Hugging Face Hub; returns its address.

    Args:
        repo: USER/NAME.
        client: What `huggingface_hub.HfApi()` returns; None makes one, which uses the login of this machine.

    Raises:
        UserError: The library is missing, the name is not USER/NAME, or the Hub refuses.
    """
    check_repo(repo)
    if client is None:
        try:
            from huggingface_hub import HfApi
        except ImportError as error:
            raise UserError(
                "The package huggingface_hub is not installed.",
                "this package, for the upload; the folder is written without it",
                "pip install huggingface_hub, the extra sg2ada_colab[hub]",
            ) from error
        client = HfApi()
    try:
        client.create_repo(repo_id=repo, private=private, exist_ok=True)
        client.upload_folder(folder_path=str(folder), repo_id=repo)
    except Exception as error:  # the library's errors are of many kinds, each a sentence for people
        raise UserError(f"The Hub did not take {folder}: {error}.", "a login that may write to the repository",
                        "log in with `hf auth login`; the folder is complete and can be uploaded by hand") from error  # fmt: skip
    return f"hf://{repo}/{PICKLE}"
