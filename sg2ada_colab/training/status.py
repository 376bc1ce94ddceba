"""How progress reads: the tick line of log.txt, durations, the names of scalars."""


def format_duration(seconds):
    """Return seconds as the log writes them: 12s, 3m 07s, 1h 02m 03s, 2d 03h 04m."""
    s = int(round(seconds))
    if s < 60:
        return "{}s".format(s)
    if s < 60 * 60:
        return "{}m {:02}s".format(s // 60, s % 60)
    if s < 24 * 60 * 60:
        return "{}h {:02}m {:02}s".format(s // (60 * 60), (s // 60) % 60, s % 60)
    return "{}d {:02}h {:02}m".format(s // (24 * 60 * 60), (s // (60 * 60)) % 24, (s // 60) % 60)


def tick_line(tick, kimg, total_s, tick_s, tick_kimg, maintenance_s, gpu_memory_gb, augment):
    """Return the line of one tick, field by field as other programs split it."""
    return " ".join(
        [
            "tick {:<5d}".format(tick),
            "kimg {:<8.1f}".format(kimg),
            "time {:<12s}".format(format_duration(total_s)),
            "sec/tick {:<7.1f}".format(tick_s),
            "sec/kimg {:<7.2f}".format(tick_s / max(tick_kimg, 1e-9)),
            "maintenance {:<6.1f}".format(maintenance_s),
            "gpumem {:<5.1f}".format(gpu_memory_gb),
            "augment {:.3f}".format(augment),
        ]
    )


def scalars(progress, gpu_memory_gb):
    """Return the values of one tick by NVIDIA's names, for stats.jsonl and TensorBoard."""
    counters, state = progress.state.counters, progress.state
    values = dict(progress.means)
    for name, optimizer in (("G", state.G_opt), ("D", state.D_opt)):
        for kind in ("Train", "Reg"):
            values["{}{}/learning_rate".format(kind, name)] = optimizer.learning_rate
    values["Progress/tick"] = progress.tick
    values["Progress/kimg"] = counters.nimg / 1000.0
    values["Progress/augment"] = state.controller.p if state.controller is not None else 0.0
    values["Timing/total_sec"] = counters.elapsed_s
    values["Timing/sec_per_tick"] = progress.tick_s
    values["Timing/sec_per_kimg"] = progress.tick_s / max(progress.tick_nimg / 1000.0, 1e-9)
    values["Timing/maintenance_sec"] = progress.maintenance_s
    values["Timing/total_hours"] = counters.elapsed_s / 3600.0
    values["Timing/total_days"] = counters.elapsed_s / 86400.0
    values["Resources/peak_gpu_mem_gb"] = gpu_memory_gb
    return values
