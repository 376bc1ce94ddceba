"""When to measure while a run trains, and with how many images, so that it costs no more than was agreed."""

from .catalogue import parse_metric, resized

SIZES = (1000, 2000, 5000, 10000, 20000, 50000)
REPLACEMENT, REPLACED = "kid_efflite0", ("fid", "kid")  # what is measured where Inception cannot be had, and in place of what


def is_due(tick, snapshot_ticks, every=1):
    """Return whether to measure at the end of a tick: at every so many snapshots, never at tick 0, an untrained network.

    Args:
        tick: Ticks of the run before this one, over all its sessions.
        snapshot_ticks: Ticks from one snapshot to the next.
        every: Measure every so many of those snapshots.
    """
    return tick > 0 and tick % (snapshot_ticks * every) == 0


def seconds_allowed(fraction, seconds_between_snapshots, every=1):
    """Return how long one measurement may take so that all together take `fraction` of the session (0.05 = 5 %)."""
    return fraction * seconds_between_snapshots * every / (1.0 - fraction)


def fit_to_seconds(spec, images_per_second, seconds):
    """Return (MetricSpec, sentence) with as many fakes as can be generated and seen in `seconds`.

    Args:
        spec: The MetricSpec that was asked for; it is never enlarged.
        images_per_second: Fakes a second, generator and feature network together.
    """
    affordable = [size for size in SIZES if size <= images_per_second * seconds]
    size = min(affordable[-1] if affordable else SIZES[0], spec.num_fakes)
    chosen = spec if size == spec.num_fakes else resized(spec, size)
    text = "{}: {:,} fakes take about {:.0f} s of the {:.0f} s allowed ({:.0f} images/s)"
    sentence = text.format(chosen.name, size, size / images_per_second, seconds, images_per_second)
    if not affordable:
        sentence += "; fewer mean nothing, so it takes longer than allowed"
    return chosen, sentence


def measured_before(spec, measured_names):
    """Return the MetricSpec of the size that a run was measured with before, since other sizes give other values; or None.

    Args:
        spec: The MetricSpec that was asked for.
        measured_names: Names of the metrics that the run has results of.
    """
    sizes = [spec] + [resized(spec, size) for size in sorted(SIZES, reverse=True) if size < spec.num_fakes]
    return next((size for size in sizes if size.name in measured_names), None)


def standing_for(name, measured_names):
    """Return the name among `measured_names` that stands for a metric: itself, another size of it or its replacement; or None."""
    spec = parse_metric(name)
    for wanted in [spec] + ([parse_metric(REPLACEMENT)] if spec.kind in REPLACED else []):
        found = measured_before(wanted, measured_names)
        if found:
            return found.name
    return None


def usable_metrics(names, is_available):
    """Return (MetricSpecs, sentences): those whose feature network is here, and kid_efflite0 in place of the others.

    Args:
        names: Metric names.
        is_available: Function of a feature network's name -> None, or a sentence on why it cannot be had.
    """
    specs, sentences = [], []
    for spec in (parse_metric(name) for name in names):
        problem = is_available(spec.network)
        if problem is None:
            specs.append(spec)
            continue
        replacement = parse_metric(REPLACEMENT)
        sentences.append("{} cannot be measured: {}".format(spec.name, problem))
        if spec.kind in REPLACED and is_available(replacement.network) is None and replacement not in specs:
            sentences.append("measuring {} in its place; its numbers are no FID".format(replacement.name))
            specs.append(replacement)
    return specs, sentences
