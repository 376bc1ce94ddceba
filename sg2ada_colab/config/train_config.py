"""What a training run is: checked settings in plain data, saved with the run and read back when it goes on."""

import json
import os
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from typing import Any, Dict, List, Optional, Tuple

from ..dataset.reading import open_dataset, record_files
from ..errors import UserError
from ..files import FilePath
from ..networks.config import GeneratorConfig
from ..shape import NetworkShape, Size, compact_size, image_shape
from . import version1
from .settings import (
    FIXED,
    INEXACT,
    IS_TOLD,
    TOLD,
    AugmentSettings,
    DataSettings,
    EngineSettings,
    LossSettings,
    MetricSettings,
    OptimizerSettings,
    ScheduleSettings,
    SnapshotSettings,
    StartSettings,
    fixed_but,
)

VERSION = 2  # of the saved form


@dataclass(frozen=True)
class DatasetInfo:
    """What the options are checked against."""

    path: str
    name: str  # the folder's own name, for the run's name
    resolution: int  # of its largest level: side of a square in px; of other images nominal, see shape.py
    channels: int  # 1, 3 or 4 (RGBA)
    label_size: int  # 0: no labels
    num_images: int
    has_validation: bool = False
    digest: Optional[str] = None  # tells datasets apart wherever they lie; None: not known
    init_res: Tuple[int, int] = (4, 4)  # what networks for its images begin with, height and width, px
    is_flattened: bool = False  # whether its files have transparency that is put on white

    @classmethod
    def open(cls, path: FilePath) -> "DatasetInfo":
        """Return the DatasetInfo of the dataset in the folder `path`; raises UserError where it is not a dataset."""
        dataset = open_dataset(path)
        has_validation = os.path.isdir(path) and bool(record_files(path, validation=True))
        shape = (dataset.resolution, dataset.channels, dataset.label_size, dataset.num_images)
        init_res = image_shape(dataset.size).init_res
        return cls(
            str(path), dataset.name, *shape, has_validation=has_validation, digest=dataset.digest(), init_res=init_res,
            is_flattened=dataset.is_flattened,
        )  # fmt: skip


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run, in plain data that JSON holds exactly; each stage takes its own part."""

    run_description: str = field(metadata=IS_TOLD)  # the run's folder is this after its number
    options: dict = field(metadata=IS_TOLD)  # the options that were given, by name; a resume starts from them
    seed: int
    data: DataSettings
    G: dict = field(metadata=fixed_but("num_fp16_res", "conv_clamp"))  # static_kwargs of the generator, as in a pickle
    D: dict = field(metadata=fixed_but("mbstd_group_size", "num_fp16_res", "conv_clamp"))  # those of the discriminator
    optimizer: OptimizerSettings
    losses: LossSettings
    schedule: ScheduleSettings
    augment: AugmentSettings
    snapshots: SnapshotSettings
    metrics: MetricSettings
    start: StartSettings
    engine: EngineSettings
    notes: List[str] = field(default_factory=list, metadata=IS_TOLD)  # what the user should know before it starts
    version: int = field(default=VERSION, metadata=IS_TOLD)

    @property
    def resolution(self) -> int:
        """Nominal resolution of the networks: the side of square images, px."""
        return self.G["resolution"]

    @property
    def shape(self) -> NetworkShape:
        """NetworkShape of the networks."""
        return NetworkShape(self.resolution, tuple(self.G.get("init_res", (4, 4))))

    @property
    def size(self) -> Size:
        """Size of the images: the side of a square, or (height, width), px."""
        return compact_size(self.shape.height, self.shape.width)

    @property
    def channels(self) -> int:
        """Channels of the images: 1, 3 or 4 (RGBA)."""
        return self.G["num_channels"]

    @property
    def label_size(self) -> int:
        """Components of a label; 0: no labels."""
        return self.G["label_size"]

    @property
    def mapping_layers(self) -> int:
        """Layers of the mapping network."""
        return self.G["mapping_layers"]

    @property
    def style_mixing_prob(self) -> Optional[float]:
        """Probability of style mixing; None is no mixing."""
        return GeneratorConfig.from_kwargs(self.G).style_mixing_prob

    def settings(self) -> Dict[str, Any]:
        """Return every setting by its place, such as "schedule.total_kimg" or, within a dictionary, "G.fmap_base"."""
        return _flat(self, "")

    def to_dict(self) -> Dict[str, Any]:
        """Return the config as dictionaries, lists and plain values."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the config as text; `from_json` gives back an equal one."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_dict(cls, saved: Dict[str, Any]) -> "TrainConfig":
        """Build from `to_dict`'s result, of this or another version of the program.

        A setting that is missing was added later: its default means "as before". A setting that is not known here comes from a
        later program; what it sets to nothing (None, false, 0 or empty) is as before, too.

        Raises:
            UserError: A later program set what this one cannot do, or settings that every version has are missing.
        """
        saved = in_this_version(saved)
        problems: List[str] = []
        values = _values(cls, saved, "", problems)
        if saved.get("version") != VERSION:
            problems = ["version {}".format(saved.get("version"))]
        if problems:
            raise UserError(
                "The saved training options are not those of this sg2ada: {}.".format(", ".join(problems)),
                f"Options of version {VERSION} or before, with no setting that this program cannot carry out.",
                "Go on with the sg2ada that began the run, or begin a new run with --resume=<its newest .pkl>.",
            )
        return _built(cls, values)

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """Build from `to_json`'s result; raises UserError as `from_dict` does."""
        return cls.from_dict(json.loads(text))


def in_this_version(saved: Dict[str, Any]) -> Dict[str, Any]:
    """Return a saved config in the form of this version, where it has one of the versions before."""
    return version1.nested(saved) if saved.get("version") == 1 else saved


def resume_rule(setting: str) -> str:
    """Return FREE, INEXACT, FIXED or TOLD for a setting by its place, such as "schedule.total_kimg" or "G.fmap_base"."""
    part, _, rest = setting.partition(".")
    field_ = TrainConfig.__dataclass_fields__[part]
    if is_dataclass(field_.type):
        part, _, rest = rest.partition(".")
        field_ = field_.type.__dataclass_fields__[part]
    return INEXACT if rest in field_.metadata.get("inexact", ()) else field_.metadata.get("resume", FIXED)


def _flat(part, place):
    """Return the settings of a part; those in a dictionary singly, but for one that may be None, which is one setting."""
    flat = {}
    for f in fields(part):
        value = getattr(part, f.name)
        if is_dataclass(f.type):
            flat.update(_flat(value, f"{place}{f.name}."))
        elif f.type is dict and f.metadata.get("resume") != TOLD:
            flat.update((f"{place}{f.name}.{key}", inner) for key, inner in value.items())
        else:
            flat[place + f.name] = value
    return flat


def _values(kind, saved, place, problems):
    """Return the values of a dataclass's fields from a saved dictionary, and note what is missing or not known."""
    known = {f.name: f for f in fields(kind)}
    values = {}
    for name, f in known.items():
        if is_dataclass(f.type):
            part = saved.get(name)
            values[name] = _values(f.type, part if isinstance(part, dict) else {}, f"{place}{name}.", problems)
        elif name in saved:
            values[name] = saved[name]
        elif f.default is MISSING and f.default_factory is MISSING:
            problems.append(f"{place}{name} is missing")
    problems += [f"{place}{name}={value!r} is not known" for name, value in saved.items() if name not in known and _sets(value)]
    return values


def _sets(value):
    """Return whether a saved value that is not known sets anything."""
    return any(map(_sets, value.values())) if isinstance(value, dict) else bool(value)


def _built(kind, values):
    parts = {f.name: _built(f.type, values[f.name]) for f in fields(kind) if is_dataclass(f.type)}
    return kind(**dict(values, **parts))
