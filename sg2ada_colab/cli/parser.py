"""An argument parser whose flags with an optional value take none that is not one."""

import argparse
import sys
from typing import List, Optional, Sequence, Tuple


class Parser(argparse.ArgumentParser):
    """argparse's, but `pack --mirror SOURCE TARGET` and `resume --no-xla RUN` mean what they say.

    argparse gives such a flag the next word whatever it is, and then complains about it.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Optional[Sequence[str]] = None, namespace: Optional[argparse.Namespace] = None
    ) -> Tuple[argparse.Namespace, List[str]]:
        words = list(sys.argv[1:] if args is None else args)
        spelled_out = [self._spelled_out(word, following) for word, following in zip(words, words[1:] + [""])]
        return super().parse_known_args(spelled_out, namespace)

    def _spelled_out(self, word, following):
        """Return a lone flag with the value that it then has, where the word after it cannot be its value."""
        action = self._option_string_actions.get(word)
        if action is None or action.nargs != "?" or not callable(action.type) or not following or following.startswith("-"):
            return word
        try:
            action.type(following)
        except (ValueError, argparse.ArgumentTypeError):
            return f"{word}={str(action.const).lower()}"
        return word
