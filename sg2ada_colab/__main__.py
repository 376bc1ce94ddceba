"""The command line: `sg2ada VERB …`, also `python -m sg2ada_colab VERB …`."""

import importlib
import sys

from . import __version__
from .cli.parser import Parser
from .errors import UserError

# One module a group of verbs, in the order of the work: images, training, snapshots, quality.
GROUPS = ("workspace", "dataset", "augment", "train", "snapshots", "metrics", "demo")
USER_ERROR, INTERRUPTED = 1, 130


def build_parser():
    """Return the parser of all verbs; each parser's `run` default is the function that carries it out."""
    parser = Parser(
        prog="sg2ada", description="Train StyleGAN2-ADA on your own images, and lose nothing when the session ends."
    )
    parser.add_argument("--version", action="version", version="sg2ada_colab " + __version__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb")
    for group in GROUPS:
        importlib.import_module("sg2ada_colab.cli." + group).register(verbs)
    return parser


def main(argv=None):
    """Run one verb; return 0 when done, 1 for an error that the user can mend, 130 after an interruption."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.verb is None:
        parser.print_help()
        return 0
    try:
        return args.run(args) or 0
    except UserError as error:
        print("Error: {}".format(error), file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
