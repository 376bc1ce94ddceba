"""Whether a finished dataset is the one that is asked for: its manifest against a source and options."""

import dataclasses
import json
import os
from typing import Any, List, NamedTuple

from ..images.read import UnreadableImage
from ..images.scan import scan
from ..images.suggest_size import AUTO, chosen_size
from ..shape import size_words
from ..words import counted, shown
from .manifest import boxes_digest
from .source_files import edited

SHOWN_AS = {"mode": "fit", "seed": "crop_seed"}  # fields of FitOptions by the names that forms and flags have
_SINCE = {"alpha": "flatten"}  # options that earlier releases did not have, by what they did
_HOW_IT_RUNS = ("workers", "strict")
_COMPARED_APART = ("resolution", "fit", "grey_range")


class Difference(NamedTuple):
    """One thing that a dataset was made with and that is asked for otherwise now."""

    what: str
    before: str
    now: str

    def __str__(self) -> str:
        return f"{self.what}: {self.before} before, {self.now} now"


def differences(manifest: Any, source: Any, options: Any) -> List[Difference]:
    """Return the `Difference`s between a dataset and what is asked for now; none where it is the same.

    Args:
        manifest: Content of the dataset's manifest.json; None for a set of another program.
        source: The `Source` of the images that are asked for.
        options: `PrepareOptions` that are asked for.
    """
    if manifest is None or "options" not in manifest:
        return [Difference("images", "not known, as it has no manifest of ours", shown(str(source.path)))]
    found = _of_images(manifest, source, options.workers) + _of_squares(manifest, source, options)
    before, now = dict(_SINCE, **manifest["options"]), json.loads(json.dumps(dataclasses.asdict(options)))
    found += [
        Difference(name, _text(before[name]), _text(now[name]))
        for name in now
        if name not in _HOW_IT_RUNS + _COMPARED_APART and name in before and before[name] != now[name]
    ]
    if isinstance(now["grey_range"], list) and before.get("grey_range", now["grey_range"]) != now["grey_range"]:
        found.append(Difference("grey_range", _text(before["grey_range"]), _text(now["grey_range"])))
    return found


def _of_images(manifest, source, workers):
    before, now, count = str(manifest.get("source")), str(source.path), manifest.get("num_images")
    if "source_contents" in manifest:
        is_same = manifest["source_contents"] == source.contents()
    else:  # written by an earlier release
        is_same = before == now
    if is_same:
        names = [shown(os.path.basename(path)) for path in edited(manifest.get("source_files"), source, workers)]
        if not names:
            return []
        files = f"{names[0]} was edited" if len(names) == 1 else f"{len(names)} files were edited, such as {names[0]}"
        return [Difference("images", f"{count} from {shown(before)}", files)]
    if before == now:
        return [Difference("images", f"{count} from {shown(now)}", f"{len(source)} files there")]
    return [Difference("images", shown(before), shown(now))]


def _of_squares(manifest, source, options):
    before, asked = manifest["resolution"], options.resolution
    before = tuple(before) if isinstance(before, list) else before
    if asked in (None, AUTO) and manifest["options"].get("resolution") != asked:  # chosen then, to be found now
        headers = scan(source, options.read_options(), options.workers)
        sizes = [(one.width, one.height) for one in headers if not isinstance(one, UnreadableImage)]
        asked = chosen_size(asked, sizes, options.fit.mode) if sizes else None
    found = (
        [] if asked in (None, AUTO, before) else [Difference("resolution", f"{size_words(before)} px", f"{size_words(asked)} px")]
    )
    fit_before, fit_now = manifest["options"].get("fit", {}), json.loads(json.dumps(dataclasses.asdict(options.fit)))
    for name in sorted(set(fit_now) - {"boxes"}):
        if name in fit_before and fit_before[name] != fit_now[name]:
            found.append(Difference(SHOWN_AS.get(name, name), _text(fit_before[name]), _text(fit_now[name])))
    if manifest.get("boxes_sha256") != boxes_digest(options.fit.boxes):
        found.append(Difference("cut by hand", "other squares", counted(len(options.fit.boxes), "image", "images")))
    return found


def _text(value):
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not given"}[value]
    return shown(str(value))
