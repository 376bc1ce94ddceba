"""When to measure during training, and with how many images, so that it stays within its share of the time."""

from typing import Callable, Iterable, List, Optional, Sequence, Tuple

from ..config.metric_names import REPLACEMENT, MetricSpec, parse_metric, resized

SIZES = (1000, 2000, 5000, 10000, 20000, 50000)
REPLACED = ("fid", "kid")  # kinds that REPLACEMENT stands in for where the weights of Inception are missing


def is_due(tick: int, snapshot_ticks: int, every: int = 1) -> bool:
    """Return whether to measure at the end of a tick: at every N-th snapshot, but not at tick 0, where the network is untrained.

    Args:
        tick: Ticks of the run before this one, over all its sessions.
        snapshot_ticks: Ticks from one snapshot to the next.
        every: N: measure every N-th of those snapshots.
    """
    return tick > 0 and tick % (snapshot_ticks * every) == 0


def seconds_allowed(fraction: float, seconds_between_snapshots: float, every: int = 1) -> float:
    """Return the seconds that one measurement may take so that all together take `fraction` of the session (0.05 = 5 %)."""
    return fraction * seconds_between_snapshots * every / (1.0 - fraction)


def fit_to_seconds(spec: MetricSpec, images_per_second: float, seconds: float) -> Tuple[MetricSpec, str]:
    """Return (MetricSpec, sentence) with as many fakes as can be generated and measured in `seconds`.

    Args:
        spec: The requested MetricSpec; never enlarged.
        images_per_second: Fakes a second, generator and feature network together.
    """
    affordable = [size for size in SIZES if size <= images_per_second * seconds]
    size = min(affordable[-1] if affordable else SIZES[0], spec.num_fakes)
    chosen = spec if size == spec.num_fakes else resized(spec, size)
    text = "{}: {:,} fakes take about {:.0f} s of the {:.0f} s allowed ({:.0f} images/s)"
    sentence = text.format(chosen.name, size, size / images_per_second, seconds, images_per_second)
    if not affordable:
        sentence += "; with fewer the value is meaningless, so it takes longer than allowed"
    return chosen, sentence


def previously_measured_size(spec: MetricSpec, measured_names: Iterable[str]) -> Optional[MetricSpec]:
    """Return the MetricSpec of the size that a run was measured with before, since other sizes give other values; or None.

    Args:
        spec: The requested MetricSpec.
        measured_names: Names of the metrics that the run has results of.
    """
    sizes = [spec] + [resized(spec, size) for size in sorted(SIZES, reverse=True) if size < spec.num_fakes]
    return next((size for size in sizes if size.name in measured_names), None)


def measured_name(name: str, measured_names: Sequence[str]) -> Optional[str]:
    """Return the name among `measured_names` that stands for a metric: itself, another size of it or its replacement; or None."""
    spec = parse_metric(name)
    for wanted in [spec] + ([parse_metric(REPLACEMENT)] if spec.kind in REPLACED else []):
        found = previously_measured_size(wanted, measured_names)
        if found:
            return found.name
    return None


def usable_metrics(names: Iterable[str], is_available: Callable[[str], Optional[str]]) -> Tuple[List[MetricSpec], List[str]]:
    """Return (MetricSpecs, sentences): those whose feature network is available, and kid_efflite0 in place of the others.

    Args:
        names: Metric names.
        is_available: Function of a feature network's name -> None, or a sentence on why it is not available.
    """
    specs, sentences = [], []
    for spec in (parse_metric(name) for name in names):
        problem = is_available(spec.network)
        if problem is None:
            specs.append(spec)
            continue
        replacement = parse_metric(REPLACEMENT)
        sentences.append(f"{spec.name} cannot be measured: {problem}")
        if spec.kind in REPLACED and is_available(replacement.network) is None and replacement not in specs:
            sentences.append(f"measuring {replacement.name} in its place; its values are not FIDs")
            specs.append(replacement)
    return specs, sentences
