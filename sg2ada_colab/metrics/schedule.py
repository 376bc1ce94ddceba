"""When to measure while a run trains, and with how many images, so that it costs no more than was agreed."""

from .catalogue import parse_metric, resized

SIZES = (1000, 2000, 5000, 10000, 20000, 50000)


def is_due(snapshot_number, every, first_after_resume=False):
    """Return whether to measure a run's snapshot number `snapshot_number` (0 is the untrained network).

    Args:
        every: Measure every so many snapshots; 0 never.
        first_after_resume: The snapshot that a resume writes at once; its network was measured before.
    """
    return every > 0 and not first_after_resume and snapshot_number % every == 0


def seconds_allowed(fraction, seconds_between_snapshots, every=1):
    """Return how long one measurement may take so that all together take `fraction` of the session (0.05 = 5 %)."""
    return fraction * seconds_between_snapshots * every / (1.0 - fraction)


def fit_to_seconds(spec, images_per_second, seconds, measured_names=()):
    """Return (MetricSpec, sentence) with as many fakes as can be generated and seen in `seconds`.

    A size that this run was measured with before is kept, since other sizes give other values.

    Args:
        spec: The MetricSpec that was asked for; it is never enlarged.
        images_per_second: Fakes a second, generator and feature network together.
        measured_names: Names of the metrics that the run has results of.
    """
    for size in sorted(SIZES, reverse=True):
        smaller = resized(spec, size) if size < spec.num_fakes else spec
        if size < spec.num_fakes and smaller.name in measured_names:
            return smaller, "{}: as before in this run".format(smaller.name)
    affordable = [size for size in SIZES if size <= images_per_second * seconds]
    size = min(affordable[-1] if affordable else SIZES[0], spec.num_fakes)
    chosen = spec if size == spec.num_fakes else resized(spec, size)
    text = "{}: {:,} fakes take about {:.0f} s of the {:.0f} s allowed ({:.0f} images/s)"
    sentence = text.format(chosen.name, size, size / images_per_second, seconds, images_per_second)
    if not affordable:
        sentence += "; fewer mean nothing, so it takes longer than allowed"
    return chosen, sentence


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
        replacement = parse_metric("kid_efflite0")
        sentences.append("{} cannot be measured: {}".format(spec.name, problem))
        if spec.kind in ("fid", "kid") and is_available(replacement.network) is None and replacement not in specs:
            sentences.append("measuring {} in its place; its numbers are no FID".format(replacement.name))
            specs.append(replacement)
    return specs, sentences
