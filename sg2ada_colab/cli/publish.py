"""The verb `publish`."""

import argparse
from typing import Any

from .generate import add_source, add_verb

DESCRIPTION = """\
Write a folder with which to give a network away: a model card, the network as .pkl and .safetensors, and a grid of pictures; with
--upload also put it on the Hugging Face Hub, where hf://USER/NAME/network.pkl names it for every verb.

  sg2ada publish --network=12:best --outdir=flags --name="Flags" --licence=cc0-1.0 --data="366 flags from ..." \\
      --data-licence="public domain\""""


def register(verbs: Any) -> None:
    """Add the verb to the argparse subparsers `verbs`."""
    parser = add_verb(verbs, "publish", "write a folder to give a network away, and upload it", DESCRIPTION)
    add_source(parser)
    parser.add_argument("--outdir", metavar="DIR", required=True, help="a new folder (required)")
    card = parser.add_argument_group("the card; the first four are required")
    card.add_argument("--name", default="", help="what the network is called")
    card.add_argument("--licence", default="", metavar="NAME", help="licence of the network, such as cc-by-4.0")
    card.add_argument("--data", default="", metavar="TEXT", help="what it was trained on, and where that is from")
    card.add_argument("--data-licence", default="", metavar="TEXT", help="licence of the images, or whose permission you have")
    card.add_argument("--description", default="", metavar="TEXT", help="what it makes, and what it should not be used for")
    card.add_argument("--authors", default="", metavar="TEXT", help="who made it")
    hub = parser.add_argument_group("the Hugging Face Hub")
    hub.add_argument("--upload", metavar="USER/NAME", help="repository to upload to (needs the package huggingface_hub)")
    hub.add_argument("--private", action="store_true", help="make it a private one")
    parser.set_defaults(run=run_publish)


def run_publish(args: argparse.Namespace) -> int:
    """Write the folder, upload it if asked to, and say where it is."""
    from ..generate.publish import Answers, check_repo, publish, upload
    from .project import open_named

    answers = Answers(args.name, args.licence, args.data, args.data_licence, args.description, args.authors)
    answers.check()
    if args.upload:
        check_repo(args.upload)
    found, generator = open_named(args)
    files = publish(generator, found.snapshot, answers, args.outdir)
    for note in found.snapshot.notes:
        print("Note: " + note)
    print(f"Wrote {', '.join(files)} to {args.outdir}")
    if args.upload:
        print(f"Uploaded; its name is {upload(args.outdir, args.upload, args.private)}")
    return 0
