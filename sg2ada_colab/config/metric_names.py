"""The metrics by name: one table says which names there are, in the original's spelling and in ours, and what each means."""

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from ..errors import UserError

SMALL_NETWORK = "efflite0"
DEFAULT_METRIC = "fid50k_full"
REPLACEMENT = "kid_efflite0"  # measured instead of FID and KID where the weights of Inception are missing
DEFAULT_FAKES = 5000  # of kid_efflite0 and fd_efflite0: what two CPU cores measure in about a minute
DEFAULT_REALS = 50000
AS_FAKES = -1  # in the table: as many reals as fakes, however small the dataset is
NVIDIA_FAKES = 50000  # of every metric that NVIDIA's program knows
_NUMBER = r"(\d+k|\d+(?=_|$))"  # 50k or 500; without the k only where no other digit can follow (pr50k3)


@dataclass(frozen=True)
class MetricSpec:
    """What a metric's name means."""

    name: str
    kind: str  # "fid", "kid", "pr", "is" or "ppl"
    network: str  # the feature network's name
    max_reals: Optional[int]  # reals to compare with; None = all, 0 = none
    num_fakes: int  # images to generate; for ppl, pairs of images
    mirror: bool = False  # flip reals at random if training does
    space: Optional[str] = None  # ppl: "z" or "w", where the path between two latents lies
    sampling: Optional[str] = None  # ppl: "full" for positions anywhere on the path, "end" for its beginning
    crop: Optional[bool] = None  # ppl: use the middle of a face photograph only

    @property
    def higher_is_better(self) -> bool:
        return self.kind in ("is", "pr")

    @property
    def is_fid(self) -> bool:
        """Whether this is the Fréchet distance that papers report: of Inception's features."""
        return self.kind == "fid" and self.network == "inception"

    @property
    def number_format(self) -> str:
        """How the original writes a value into metric-NAME.txt."""
        return "%-12.8f" if self.kind == "kid" else "%-10.4f"


@dataclass(frozen=True)
class _Row:
    name: str  # with "#" where the number of fakes stands
    kind: str
    network: str
    max_reals: Optional[int]
    num_fakes: Optional[int] = None  # if the number is left out; None: it may not be
    space: Optional[str] = None
    sampling: Optional[str] = None
    crop: Optional[bool] = None

    def match(self, name: str) -> Optional[MetricSpec]:
        """Return the MetricSpec of a name of this row, or None."""
        number = f"{_NUMBER}?" if self.num_fakes else _NUMBER
        pattern = self.name.replace("_#", f"(?:_{_NUMBER})?") if "_#" in self.name else self.name.replace("#", number)
        match = re.match(pattern + "$", name)
        if not match:
            return None
        num_fakes = _count(match.group(1)) if match.group(1) else self.num_fakes or 0
        mirror = self.max_reals == AS_FAKES
        max_reals = num_fakes if mirror else self.max_reals
        return MetricSpec(name, self.kind, self.network, max_reals, num_fakes, mirror, self.space, self.sampling, self.crop)


# fmt: off
_TABLE = (
    # name             kind   network        reals          fakes          space  sampling  crop
    _Row("fid#_full",      "fid", "inception",   None),
    _Row("kid#_full",      "kid", "inception",   1000000),
    _Row("pr#3_full",      "pr",  "vgg16",       200000),
    _Row("is#",            "is",  "inception",   0),
    _Row("fid#",           "fid", "inception",   AS_FAKES),
    _Row("kid#",           "kid", "inception",   AS_FAKES),
    _Row("pr#3",           "pr",  "vgg16",       AS_FAKES),
    _Row("ppl2_wend_#",    "ppl", "lpips",       0,             NVIDIA_FAKES,  "w",   "end",    False),
    _Row("ppl_zfull_#",    "ppl", "lpips",       0,             NVIDIA_FAKES,  "z",   "full",   True),
    _Row("ppl_wfull_#",    "ppl", "lpips",       0,             NVIDIA_FAKES,  "w",   "full",   True),
    _Row("ppl_zend_#",     "ppl", "lpips",       0,             NVIDIA_FAKES,  "z",   "end",    True),
    _Row("ppl_wend_#",     "ppl", "lpips",       0,             NVIDIA_FAKES,  "w",   "end",    True),
    _Row("kid#_efflite0",  "kid", SMALL_NETWORK, DEFAULT_REALS, DEFAULT_FAKES),
    _Row("fd#_efflite0",   "fid", SMALL_NETWORK, DEFAULT_REALS, DEFAULT_FAKES),
    _Row("pr#3_efflite0",  "pr",  SMALL_NETWORK, DEFAULT_REALS),
)
# fmt: on
NVIDIA_NAMES = tuple(
    row.name.replace("_#", "").replace("#", "50k") for row in _TABLE if row.network != SMALL_NETWORK
)  # those that its program knows; the number is part of the name there
# A name that NVIDIA's program takes and then fails with: (expected, next step).
_NOT_HERE = {
    "ls": (
        "metrics without attribute classifiers; this one needs 40, trained on faces, that run in NVIDIA's code only",
        "leave ls out; ppl2_wend also measures the smoothness of the latent space",
    )
}


def find_metric(name: str) -> Optional[MetricSpec]:
    """Return the MetricSpec of a metric's name, None where no metric has this name."""
    found = next((spec for spec in (row.match(name) for row in _TABLE) if spec), None)
    return found if found and found.num_fakes >= 2 else None


def parse_metric(name: str) -> MetricSpec:
    """Return the MetricSpec of a metric's name.

    fid50k_full, kid50k_full, pr50k3_full, is50k, fid50k, kid50k, pr50k3, ppl2_wend, ppl_zfull, ppl_wfull, ppl_zend, ppl_wend are
    the original's; the number may be any other (fid5k_full, kid500_full, ppl2_wend_5k). kid_efflite0, fd_efflite0 and
    pr1k3_efflite0 measure with EfficientNet-Lite0 and take a number as well (kid2k_efflite0).

    Raises:
        UserError: No metric has this name.
    """
    spec = find_metric(name)
    if spec is not None:
        return spec
    if name in _NOT_HERE:
        raise UserError(f"the metric {name!r} cannot be computed", *_NOT_HERE[name])
    raise UserError(
        f"there is no metric {name!r}",
        f"{', '.join(NVIDIA_NAMES)}, or one with fewer images (fid5k_full), or kid_efflite0, fd_efflite0, kid2k_efflite0",
        "choose from these, separated by commas, or `none`",
    )


def parse_metrics(text: str) -> List[MetricSpec]:
    """Return the MetricSpecs of a comma-separated list of names; "none" and "" are no metrics."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [] if names in ([], ["none"]) else [parse_metric(name) for name in names]


def resized(spec: MetricSpec, num_fakes: int) -> MetricSpec:
    """Return the same metric with another number of fakes, under the name that says so (fid50k_full -> fid5k_full)."""
    size = f"{num_fakes // 1000}k" if num_fakes % 1000 == 0 else str(num_fakes)
    row = next(row for row in _TABLE if row.match(spec.name))
    return parse_metric(row.name.replace("#", size))


def lower_is_better(name: str) -> bool:
    """Return whether a metric's smaller values are the better ones: all but inception score, precision and recall."""
    spec = find_metric(name)
    return spec is None or not spec.higher_is_better


def is_fid(name: str) -> bool:
    """Return whether a metric of this name is the Fréchet Inception distance, over any number of images."""
    spec = find_metric(name)
    return spec is not None and spec.is_fid


def _count(text: str) -> int:
    return int(text[:-1]) * 1000 if text.endswith("k") else int(text)


# --- NVIDIA's definitions, as training_options.json holds them

_CLASSES = {
    "fid": "metrics.frechet_inception_distance.FID",
    "kid": "metrics.kernel_inception_distance.KID",
    "pr": "metrics.precision_recall.PR",
    "is": "metrics.inception_score.IS",
    "ppl": "metrics.perceptual_path_length.PPL",
}


def metric_definition(name: str) -> Dict[str, Any]:
    """Return how a metric stands in training_options.json: NVIDIA's definition, or a name that only we know."""
    if name not in NVIDIA_NAMES:
        return {"name": name, "class_name": "sg2ada_colab.metrics." + name}
    spec = parse_metric(name)
    head: Dict[str, Any] = {"name": name, "class_name": _CLASSES[spec.kind]}
    as_trained: Dict[str, Any] = {"shuffle": False, "max_images": None}
    once = dict(as_trained, repeat=False, mirror_augment=False)
    if spec.kind == "is":
        return dict(head, num_images=spec.num_fakes, num_splits=10, minibatch_per_gpu=8, force_dataset_args=as_trained)
    if spec.kind == "ppl":
        path = {"epsilon": 0.0001, "space": spec.space, "sampling": spec.sampling, "crop": spec.crop}
        float32 = {"dtype": "float32", "mapping_dtype": "float32", "num_fp16_res": 0}
        head.update(num_samples=spec.num_fakes, **path)
        return dict(head, minibatch_per_gpu=2, force_dataset_args=as_trained, force_G_kwargs=float32)
    head.update(max_reals=spec.max_reals, num_fakes=spec.num_fakes, **({"nhood_size": 3} if spec.kind == "pr" else {}))
    head["minibatch_per_gpu"] = 8
    head.update({"row_batch_size": 10000, "col_batch_size": 10000} if spec.kind == "pr" else {})
    return dict(head, force_dataset_args=as_trained if spec.mirror else once)
