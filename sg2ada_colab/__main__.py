"""The command line: `sg2ada VERB …`, also `python -m sg2ada_colab VERB …`."""

import contextlib
import importlib
import os
import sys
from typing import Any, Iterator, Optional, Sequence

from . import __version__
from .cli.parser import Parser
from .compile.cache import use_for_pictures
from .errors import UserError
from .escape import TerminalStream
from .native_log import filtered
from .system_errors import user_error

# One module a group of verbs, in the order of the work: images, training, snapshots, quality, pictures.
GROUPS = (
    "workspace",
    "env",
    "dataset",
    "augment",
    "train",
    "snapshots",
    "metrics",
    "generate",
    "style_mixing",
    "video",
    "blend",
    "directions",
    "project",
    "publish",
    "demo",
)
USER_ERROR, INTERRUPTED = 1, 130


def build_parser() -> Parser:
    """Return the parser of all verbs; each parser's `run` default is the function that carries it out."""
    parser = Parser(prog="sg2ada", description="Train StyleGAN2-ADA on your own images, and lose nothing when the session ends.")
    parser.add_argument("--version", action="version", version="sg2ada_colab " + __version__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb")
    for group in GROUPS:
        importlib.import_module("sg2ada_colab.cli." + group).register(verbs)
    return parser


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one verb; return 0 when done, 1 for an error that the user can fix, 130 after an interruption.

    Args:
        argv: The verb and its arguments; None takes this process's, and keeps TensorFlow's own lines from its terminal.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.verb is None:
        parser.print_help()
        return 0
    with contextlib.redirect_stdout(TerminalStream(sys.stdout)), contextlib.redirect_stderr(TerminalStream(sys.stderr)):
        filtering = argv is None and getattr(args, "imports_tensorflow", False)  # training has a filter of its own, see --quiet
        with filtered(quiet=True) if filtering else contextlib.nullcontext():
            return run(args)


def run(args: Any) -> int:
    """Run the verb of parsed arguments; return the exit code."""
    try:
        with keeping_programs(args):
            code = args.run(args) or 0
        sys.stdout.flush()
        return code
    except UserError as error:
        return _tell(error)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read what is printed has enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return USER_ERROR
    except OSError as error:
        return _tell(user_error(error))


@contextlib.contextmanager
def keeping_programs(args: Any) -> Iterator[None]:
    """Let a verb that makes pictures find the programs that an earlier one has compiled."""
    cache = use_for_pictures() if getattr(args, "keeps_programs", False) and not args.no_xla else None
    for sentence in cache.refused if cache else []:
        print(sentence, file=sys.stderr)
    yield
    if cache:
        cache.keep()


def _tell(error):
    print(f"Error: {error}", file=sys.stderr)
    return USER_ERROR


if __name__ == "__main__":
    sys.exit(main())
