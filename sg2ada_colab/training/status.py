"""How progress reads: the tick line of log.txt, durations, the names of scalars."""

from typing import TYPE_CHECKING, Dict

from ..words import duration

if TYPE_CHECKING:
    from .loop import TrainingProgress


def tick_line(
    tick: int,
    kimg: float,
    total_s: float,
    tick_s: float,
    tick_kimg: float,
    maintenance_s: float,
    gpu_memory_gb: float,
    augment: float,
) -> str:
    """Return the line of one tick, field by field as other programs split it."""
    return " ".join(
        [
            f"tick {tick:<5d}",
            f"kimg {kimg:<8.1f}",
            f"time {duration(total_s):<12s}",
            f"sec/tick {tick_s:<7.1f}",
            f"sec/kimg {tick_s / max(tick_kimg, 1e-9):<7.2f}",
            f"maintenance {maintenance_s:<6.1f}",
            f"gpumem {gpu_memory_gb:<5.1f}",
            f"augment {augment:.3f}",
        ]
    )


def scalars(progress: "TrainingProgress", gpu_memory_gb: float) -> Dict[str, float]:
    """Return the values of one tick by NVIDIA's names, for stats.jsonl and TensorBoard."""
    counters, state = progress.state.counters, progress.state
    values = dict(progress.means)
    for name, optimizer in (("G", state.G_opt), ("D", state.D_opt)):
        for kind in ("Train", "Reg"):
            values[f"{kind}{name}/learning_rate"] = optimizer.learning_rate
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
