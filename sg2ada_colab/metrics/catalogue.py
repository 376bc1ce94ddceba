"""The metrics by name: what a name means, in the original's spelling and in ours."""

import collections
import re

from ..errors import UserError

# kind: "fid", "kid", "pr", "is" or "ppl"; network: the feature network's name; max_reals: None = all, 0 = none;
# num_fakes: images (pairs for ppl) to generate; mirror: reals flipped as in training; space, ends, crop: of ppl.
MetricSpec = collections.namedtuple("MetricSpec", "name kind network max_reals num_fakes mirror space ends crop")

SMALL_NETWORK = "efflite0"
DEFAULT_FAKES = 5000  # of kid_efflite0 and fd_efflite0: what two CPU cores measure in about a minute
DEFAULT_REALS = 50000
FULL_REALS = {"fid": None, "kid": 1000000, "pr": 200000}
FEATURES = {"fid": "inception", "kid": "inception", "pr": "vgg16", "is": "inception"}

_INCEPTION_NAME = re.compile(r"(fid|kid|is)(\d+k?)(_full)?$")
_PR_NAME = re.compile(r"pr(\d+)k3(_full|_efflite0)?$")
_SMALL_NAME = re.compile(r"(fd|kid)(\d+k?)?_efflite0$")
_PPL_NAME = re.compile(r"ppl(2?)_([zw])(full|end)(?:_(\d+k?))?$")


def parse_metric(name):
    """Return the MetricSpec of a metric's name.

    fid50k_full, kid50k_full, pr50k3_full, is50k, fid50k, kid50k, pr50k3, ppl2_wend, ppl_zfull, ppl_wfull, ppl_zend, ppl_wend are
    the original's; the number may be any other (fid5k_full, kid500_full, ppl2_wend_5k). kid_efflite0, fd_efflite0 and
    pr1k3_efflite0 measure with EfficientNet-Lite0 and take a number as well (kid2k_efflite0).

    Raises:
        UserError: No metric has this name.
    """
    for parse in (_parse_inception, _parse_precision_recall, _parse_small, _parse_path_length):
        spec = parse(name)
        if spec is not None:
            if spec.num_fakes >= 2:
                return spec
            break
    raise UserError(
        "there is no metric {!r}".format(name),
        "fid50k_full, kid50k_full, pr50k3_full, is50k, fid50k, kid50k, pr50k3, ppl2_wend, ppl_zfull, ppl_wfull, ppl_zend, "
        "ppl_wend, or one with fewer images (fid5k_full), or kid_efflite0, fd_efflite0, kid2k_efflite0",
        "choose from these, separated by commas, or `none`",
    )


def parse_metrics(text):
    """Return the MetricSpecs of a comma-separated list of names; "none" and "" are no metrics."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [] if names in ([], ["none"]) else [parse_metric(name) for name in names]


def resized(spec, num_fakes):
    """Return the same metric with another number of fakes, under the name that says so (fid50k_full -> fid5k_full)."""
    size = "{}k".format(num_fakes // 1000) if num_fakes % 1000 == 0 else str(num_fakes)
    if spec.kind == "ppl":
        name = "_".join(spec.name.split("_")[:2] + [size])
    else:
        name = re.sub(r"^([a-z]+)(\d+k?)?(?=3|_|$)", lambda match: match.group(1) + size, spec.name)
    return parse_metric(name)


def _count(text):
    return int(text[:-1]) * 1000 if text.endswith("k") else int(text)


def _spec(name, kind, network, max_reals, num_fakes, mirror=False, space=None, ends=None, crop=None):
    return MetricSpec(name, kind, network, max_reals, num_fakes, mirror, space, ends, crop)


def _parse_inception(name):
    match = _INCEPTION_NAME.match(name)
    if not match or (match.group(1) == "is" and match.group(3)):
        return None
    kind, num_fakes = match.group(1), _count(match.group(2))
    if kind == "is":
        return _spec(name, kind, "inception", 0, num_fakes)
    if match.group(3):
        return _spec(name, kind, "inception", FULL_REALS[kind], num_fakes)
    return _spec(name, kind, "inception", num_fakes, num_fakes, mirror=True)


def _parse_precision_recall(name):
    match = _PR_NAME.match(name)
    if not match:
        return None
    num_fakes, variant = int(match.group(1)) * 1000, match.group(2)
    if variant is None:
        return _spec(name, "pr", "vgg16", num_fakes, num_fakes, mirror=True)
    network, max_reals = ("vgg16", FULL_REALS["pr"]) if variant == "_full" else (SMALL_NETWORK, DEFAULT_REALS)
    return _spec(name, "pr", network, max_reals, num_fakes)


def _parse_small(name):
    match = _SMALL_NAME.match(name)
    if not match:
        return None
    kind = {"fd": "fid", "kid": "kid"}[match.group(1)]
    return _spec(name, kind, SMALL_NETWORK, DEFAULT_REALS, _count(match.group(2)) if match.group(2) else DEFAULT_FAKES)


def _parse_path_length(name):
    match = _PPL_NAME.match(name)
    if not match or (match.group(1) == "2" and match.group(2, 3) != ("w", "end")):
        return None
    num_fakes = _count(match.group(4)) if match.group(4) else 50000
    return _spec(name, "ppl", "lpips", 0, num_fakes, space=match.group(2), ends=match.group(3), crop=match.group(1) != "2")
