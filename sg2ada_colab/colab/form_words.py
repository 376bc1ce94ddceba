"""The library's messages in the words of a notebook: fields of its forms in place of flags, cells in place of commands."""

import re
from typing import Callable, Tuple, Union

from ..words import counted

# What a field is called where it has another name than the option.
FIELD_OF = {
    "aug": "augmentation", "resume": "start_from", "resume_partial": "start_partly", "snap_minutes": "snapshot_minutes",
    "metrics": "metric", "wandb": "wandb_project",
}  # fmt: skip
PICTURES = {"trunc": "truncation", "format": "form", "num_steps": "steps", "pti_steps": "tuning_steps"}  # of notebooks 5 and 6
AGAIN = "run the training cell again"
NEW_RUN = "tick new_run and write the run's number into start_from"
END = r"(?=$|[`;,)]|[.:](?:\s|$))"  # of a command in a sentence
LAYERS = r": (?:[GD] [\w/, ]+?)(?: and (\d+) more)?\."  # named by the program's own names
# Options that no form has: an advice, or a part of one, that needs them is left out.
LEFT_OUT = r"--(?:start-kimg|initstrength|fp32)\b"
RULES: Tuple[Tuple[str, Union[str, Callable]], ...] = (
    (rf"(?: |^){LEFT_OUT}=(?:<[^>]+>|\S+) (?:counts on|begins at its p)[;.]", ""),
    (rf", or {LEFT_OUT}[^,;.]*(?:\.\d+[^,;.]*)*", ""),
    (rf" {LEFT_OUT}=(?:<[^>]+>|[^\s;,]*[^\s;,.])", ""),
    (r"(?:pass --cmethod=\w+|leave --cmethod=\w+ out), or add ", "add "),
    (r"choose a smaller --res, or fewer channels: --cbase, --cmax", "make the dataset with a smaller resolution in notebook 2"),
    (r" \(\w+ in a notebook\)", ""),
    (r"(?<![!\w])pip install ", "!pip install "),
    (r"sg2ada (?:resume|train)\b[^`;,)]*, or the cell again", AGAIN),
    (rf"go on with: sg2ada resume\b[^`;,)]*?{END}", AGAIN),
    (rf"Go on with: sg2ada resume\b[^`;,)]*?{END}", AGAIN[0].upper() + AGAIN[1:]),
    (rf"`?sg2ada resume\b[^`;,)]*?{END}`?", AGAIN),
    (rf"`?sg2ada train --resume\b[^`;,)]*?{END}`?", NEW_RUN),
    (rf"Begin anew{LAYERS}", lambda match: _layers(match, "layer begins", "layers begin") + " with nothing learned."),
    (rf"Left behind{LAYERS}", lambda match: f"Not taken over from that network: {_layers(match, 'layer', 'layers')}."),
    (r"`?sg2ada prepare((?: --[\w-]+ [\w.]+)+)`?", lambda match: "notebook 2," + _fields(match.group(1))),
)
COMMAND = re.compile(rf"(?:python -m sg2ada_colab|\bsg2ada [a-z_]+ |\bpip install )[^`;,)]*?{END}")  # is to be typed as it is
FLAG = re.compile(r"(?<![\w-])--(\w[\w-]*)")


def as_fields(text: str) -> str:
    """Return a text of the library in the words of a notebook: --fit as fit, --aug as augmentation, no `sg2ada resume`.

    Other commands stay as they are, since they are to be typed.
    """
    for pattern, words in RULES:
        text = re.sub(pattern, words, text)
    parts, end = [], 0
    for command in COMMAND.finditer(text):
        parts += [_fields(text[end : command.start()]), command.group()]
        end = command.end()
    return "".join(parts + [_fields(text[end:])])


def _layers(match, one, several):
    """Return how many layers a list names, in words."""
    return counted(match.group().count(",") + 1 + int(match.group(1) or 0), one, several)


def _fields(text):
    return FLAG.sub(lambda match: field_of(match.group(1).replace("-", "_")), text)


def field_of(option: str) -> str:
    """Return the name of a form's field by that of its option."""
    return FIELD_OF.get(option, PICTURES.get(option, option))
