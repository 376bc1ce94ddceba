"""How progress reads: the tick line of log.txt, durations, the names of scalars."""

from typing import TYPE_CHECKING, Dict

from ..words import duration

if TYPE_CHECKING:
    from .loop import TrainingProgress


def tick_line(progress: "TrainingProgress", gpu_memory_gb: float) -> str:
    """Return the line of the tick that has ended, field by field as other programs split it."""
    counters = progress.state.counters
    return " ".join(
        [
            f"tick {progress.tick:<5d}",
            f"kimg {counters.nimg / 1000.0:<8.1f}",
            f"time {duration(counters.elapsed_s):<12s}",
            f"sec/tick {progress.tick_s:<7.1f}",
            f"sec/kimg {_seconds_per_kimg(progress):<7.2f}",
            f"maintenance {progress.maintenance_s:<6.1f}",
            f"gpumem {gpu_memory_gb:<5.1f}",
            f"augment {_augment_p(progress):.3f}",
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
    values["Progress/augment"] = _augment_p(progress)
    values["Timing/total_sec"] = counters.elapsed_s
    values["Timing/sec_per_tick"] = progress.tick_s
    values["Timing/sec_per_kimg"] = _seconds_per_kimg(progress)
    values["Timing/maintenance_sec"] = progress.maintenance_s
    values["Timing/total_hours"] = counters.elapsed_s / 3600.0
    values["Timing/total_days"] = counters.elapsed_s / 86400.0
    values["Resources/peak_gpu_mem_gb"] = gpu_memory_gb
    return values


def _seconds_per_kimg(progress):
    return progress.tick_s / max(progress.tick_nimg / 1000.0, 1e-9)


def _augment_p(progress):
    controller = progress.state.controller
    return controller.p if controller is not None else 0.0
