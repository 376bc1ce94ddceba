"""Begin a run with the networks of another: read them, take over their architecture, say what does not fit or is new."""

import dataclasses
import os
import re
from typing import Any, List, Tuple

from ..config.options import as_text
from ..config.presets import RESUME_PRESETS
from ..config.train_config import TrainConfig
from ..errors import UserError
from ..formats.alpha_channel import GAINED
from ..formats.download import SHIPPED, URL, local_snapshot, snapshot_on_disk
from ..formats.network_data import NetworkData, NetworkSnapshot
from ..formats.new_discriminator import NO_D
from ..formats.other_scale import at_scale_of, scale_note
from ..formats.read import read_snapshot
from ..formats.transfer import (
    WIDTH_OPTIONS,
    adopted_kwargs,
    adoption_report,
    left_behind,
    shape_report,
    starting_values,
    what_is_new,
)
from ..networks.config import DiscriminatorConfig, GeneratorConfig
from ..networks.variables import discriminator_specs, generator_specs
from ..run_files import NETWORKS, OPTIONS, PICKLE
from ..storage import run_folder
from ..storage.choose import RunFolder

NAMES = "a network pickle, its address, one of NVIDIA's names (see --help), flags (the network that ships), or latest"
MANY = 6  # layers that are named; the others are counted


def starting_networks(source: str) -> NetworkSnapshot:
    """Return the NetworkSnapshot of a path, a URL or a preset's name.

    Raises:
        UserError: There is none, it cannot be used, or it is the folder of a run.
    """
    _check_source(source)
    return read_snapshot(local_snapshot(source))


def planned_start(config: TrainConfig) -> TrainConfig:
    """Return the config of a new run as it will start: checked against the network that it begins with, which is read.

    An address that was not downloaded before is left for the start of training; nothing is downloaded.

    Raises:
        UserError: As `starting_networks` and `adopt_architecture`; of NVIDIA's networks it is known without them what they make.
    """
    if config.start.network is None:
        return config
    _check_source(config.start.network)
    path = snapshot_on_disk(config.start.network)
    if path is None:
        _check_preset(config)
        note = f"{config.start.network} is not on this machine yet: it is downloaded, checked and taken over at the start."
        return _with_notes(config, [note])
    return adopt_architecture(config, read_snapshot(path))


def _check_source(source):
    if os.path.isdir(source):
        raise _folder_error(source)
    if not (os.path.isfile(source) or URL.match(source) or source in RESUME_PRESETS or source in SHIPPED):
        raise UserError(f"--resume: {source} does not exist.", NAMES, "check the path")


def _check_preset(config):
    """Raise a UserError for one of NVIDIA's networks that does not fit the data; all are square, RGB and without labels."""
    if config.start.network in RESUME_PRESETS.values() and not config.start.partial:
        side = int(config.start.network.partition("-res")[2].partition("-")[0])  # ffhq-res256-mirror-paper256-noaug.pkl
        _check_images(config, GeneratorConfig(resolution=side))


def _folder_error(folder):
    """Return the UserError for a folder as --resume: what to give instead, for a run that goes on and for a new one."""
    folder, steps = folder.rstrip(os.sep) or folder, []
    files = RunFolder(folder).files
    pickles = [path for name in sorted(files, reverse=True) for path in files[name].get(NETWORKS, [])]
    if os.path.isfile(os.path.join(folder, OPTIONS)):
        steps.append(f"to go on with this run: sg2ada resume {folder}")
    if pickles:
        steps.append(f"to begin a new run with its networks: --resume={os.path.join(folder, pickles[0])}")
    return UserError(
        f"--resume: {folder} is a folder.",
        NAMES,
        "; ".join(steps) or "name a network-snapshot-*.pkl, in this folder if it has one",
    )


def adopt_architecture(config: TrainConfig, snapshot: NetworkSnapshot) -> TrainConfig:
    """Return the config with the architecture of `snapshot`, and notes on what that changed, what begins anew and how to go on.

    For a partial start widths, depth and the length of z and w are taken over, too, unless an option gives them; only layers that
    depend on the images, the labels or a higher resolution begin anew.

    Raises:
        UserError: Resolution, colours, labels or D's outputs differ, so that the networks cannot be taken over completely.
    """
    options = dict(config.options)
    if config.losses.method == "shallowmap":
        options["map_depth"] = config.mapping_layers  # the method is this depth
    partial = config.start.partial
    wins = options if partial else {"map_depth": options.get("map_depth")} if config.losses.method == "shallowmap" else {}
    g_kwargs, d_kwargs = adopted_kwargs(snapshot, config.G, config.D, wins)
    if not partial:
        _check_fit(config, snapshot, d_kwargs)
    notes = adoption_report("G", config.G, g_kwargs) + adoption_report("D", config.D, d_kwargs)
    notes = ["Taken over from the network that it starts from: {}.".format("; ".join(notes))] if notes else []
    unused = [as_text(name, options[name]) for name in WIDTH_OPTIONS if options.get(name) and name not in wins]
    if unused and notes:
        notes.append("{} does not count: the network's own layers are taken over.".format(", ".join(unused)))
    adopted = dataclasses.replace(config, G=g_kwargs, D=d_kwargs)
    _, lines = fitted(adopted, snapshot)
    scale = scale_note(GeneratorConfig.from_kwargs(g_kwargs), snapshot.Gs.config)
    notes += [scale] if scale else []
    notes += [NO_D] if NO_D in snapshot.notes else []
    notes += ["Transparency, the fourth channel, begins opaque."] if any(line.endswith(GAINED) for line in lines) else []
    return _with_notes(adopted, notes + _new_layers(lines) + [_how_to_go_on(adopted, snapshot)])


def _with_notes(config, notes):
    """Return the config with notes that it does not have yet."""
    return dataclasses.replace(config, notes=config.notes + [note for note in notes if note not in config.notes])


def _check_fit(config, snapshot, d_kwargs):
    _check_images(config, snapshot.Gs.config)
    wanted = GeneratorConfig.from_kwargs(config.G)
    have, want = snapshot.D.config.score_max, DiscriminatorConfig.from_kwargs(d_kwargs).score_max
    if have != want and not wanted.label_size:
        raise UserError(
            f"The discriminator of {config.start.network} has {have} output(s), this run's has {want}.",
            "networks of the same method: --cmethod=auxrot has five outputs, all others one; NVIDIA's program stops here, too",
            ("pass --cmethod=auxrot" if have > want else "leave --cmethod=auxrot out")
            + ", or add --resume-partial: the discriminator's last layer then begins anew",
        )


def _check_images(config, have):
    """Raise a UserError where a generator with the settings `have` makes other images than the data of a run."""
    wanted = GeneratorConfig.from_kwargs(config.G)
    report = shape_report(have, config.G)
    if report:
        raise UserError(
            "{} does not fit the data. {}".format(config.start.network, " ".join(report)),
            f"a network for images of {wanted.width}x{wanted.height} px, {wanted.num_channels} channels and {wanted.label_size} "
            "label components",
            "prepare the data to fit the network, or take over what fits with --resume-partial",
        )


def fitted(config: TrainConfig, snapshot: NetworkSnapshot) -> Tuple[NetworkSnapshot, List[str]]:
    """Return (NetworkSnapshot with every variable of the config's networks, report of `copy_matching`), for a new run.

    What the snapshot has not is drawn from the run's seed.
    """
    g_config = GeneratorConfig.from_kwargs(config.G)
    d_config = DiscriminatorConfig.from_kwargs(config.D)
    networks: List[Any] = []
    report: List[str] = []
    for source in snapshot.networks():
        specs = generator_specs(g_config) if source.is_generator else discriminator_specs(d_config)
        source, left = at_scale_of(source, g_config if source.is_generator else d_config)
        values, lines = starting_values(source, specs, config.seed, g_config.latent_size)
        kwargs = config.G if source.is_generator else config.D
        networks.append(NetworkData(source.name, kwargs, values))
        report += lines + left_behind(source.name, left)
    G, D, Gs = networks
    return NetworkSnapshot(G, D, Gs, source=snapshot.source, details=snapshot.details), report


def _new_layers(lines):
    """Return notes on the layers that begin anew or are left behind; Gs is as G."""
    notes = []
    for words, layers in zip(("Begin anew", "Left behind"), what_is_new([line for line in lines if not line.startswith("Gs ")])):
        if layers:
            more = f" and {len(layers) - MANY} more" if len(layers) > MANY else ""
            notes.append("{}: {}{}.".format(words, ", ".join(layers[:MANY]), more))
    return notes


def _how_to_go_on(config, snapshot):
    """Return the sentence on what a start from bare networks does not take over, and how to."""
    kimg, p = _kimg_of(config.start.network), _augmentation_of(config.start.network, snapshot)
    known = [f"at {kimg} kimg"] if kimg is not None else []
    known += [f"with augmentation p {p:.3g}"] if p is not None else []
    name = os.path.basename(config.start.network.rstrip("/")) + (", saved " + " ".join(known) if known else "")
    advice = []
    if not config.start.kimg:
        advice.append("--start-kimg={} counts on".format("<its kimg>" if kimg is None else kimg))
    if config.augment.heuristic is not None and not config.augment.initial_p and (p is None or p > 0):
        advice.append("--initstrength={} begins at its p".format("<its p>" if p is None else f"{min(p, 1):.3g}"))
    return " ".join(
        [f"A new run begins with the networks of {name}: it counts from {config.start.kimg} kimg and begins at p "
         f"{config.augment.initial_p:g}."]
        + (["; ".join(advice) + "."] if advice else [])
        + ["To go on with a run later: sg2ada resume RUN."]
    )  # fmt: skip


def _kimg_of(source):
    found = re.search(PICKLE + r"(\d+)", os.path.basename(source))
    return int(found.group(1)) if found else None


def _augmentation_of(source, snapshot):
    """Return the strength p that a network was saved at: what its file says, or the log beside it; None where neither does."""
    if "augmentation p" in snapshot.details:
        return snapshot.details["augmentation p"]
    kimg = _kimg_of(source)
    return None if kimg is None or URL.match(source) else run_folder.augmentation_at(os.path.dirname(source), kimg)
