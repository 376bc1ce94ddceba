"""What a run will take, shown before it starts: the GPU at hand, hours, sessions, room on Drive, compute units."""

from typing import Optional

from ..config.estimate import RATES, estimate
from ..errors import UserError
from ..machine import gpus, in_colab, in_kaggle
from ..runs.plan import RunPlan
from ..words import rough_duration, size_text
from .doctor import CHANGE_ACCELERATOR, CHANGE_RUNTIME
from .html import big_warning, notice, show, table

# Each kind of GPU that Colab gives: what it is called there, a piece of the name that nvidia-smi has, and the compute units an
# hour that it cost in 2024; None: not known. The first piece that fits is taken.
COLAB_GPUS = (
    ("T4", "T4", 1.8), ("L4", "L4", 4.8), ("A100", "A100", 11.8), ("H100", "H100", None), ("G4", "RTX PRO 6000", None),
)  # fmt: skip
OTHER_GPUS = (("V100", "V100"), ("H100", "H200"))  # a kind whose rate stands for them
SESSION_H = 12.0  # the longest of a free one


def gpu_kind(name: str) -> Optional[str]:
    """Return the kind, a key of `estimate.RATES`, of a GPU by the name that nvidia-smi has; None for one that is not known."""
    known = [(kind, piece) for kind, piece, _ in COLAB_GPUS] + list(OTHER_GPUS)
    return next((kind for kind, piece in known if piece in name), None)


def warn_without_gpu(is_known: bool = False) -> bool:
    """Say in large letters that there is no GPU, where there is none; return whether there is one.

    Args:
        is_known: The person has asked for a training without one: then a small note is enough.
    """
    if gpus():
        return True
    text = "There is no GPU on this machine."
    if (in_colab() or in_kaggle()) and not is_known:
        how = f"{CHANGE_RUNTIME}, save, and then Runtime > Run all" if in_colab() else f"{CHANGE_ACCELERATOR}, then Run > Run All"
        more = f"Choose {how.replace('>', '→')}. Without a GPU, training takes weeks."
        show(big_warning(text, more), f"{text} {more}")
    else:
        show(notice("warn", text, "Training on the processor is slow: it is for small tests only."), text)
    return False


def no_gpu_error() -> UserError:
    """Return the UserError for a training that is not started in Colab because there is no GPU."""
    return UserError(
        "Nothing was started, because this machine has no GPU.",
        "a GPU; if Colab says that none is available, your free hours are used up for now: try again tomorrow",
        f"{CHANGE_RUNTIME}, then Run all; or tick without_gpu to try a small set on the processor",
    )


def show_cost(plan: RunPlan, free_bytes: Optional[int] = None) -> None:
    """Show what a run takes on the GPU at hand and on the others that Colab offers.

    Args:
        plan: `RunPlan`.
        free_bytes: Of Drive, or of the disk where the run stays; None: not known.
    """
    cost, left_kimg = estimate(plan.config), max(0.0, plan.config.schedule.total_kimg - plan.start_kimg)
    cards = gpus()
    kind = gpu_kind(cards[0]["name"]) if cards else "2 CPU cores"
    here = estimate(plan.config, plan.processes)
    lines = [_time_sentence(cards, kind, here, plan.config, left_kimg), _room_sentence(cost, free_bytes)]
    rows = [_row(one, cost, left_kimg) for one, _, _ in COLAB_GPUS]
    show(notice("info", lines[0], lines[1]) + _folded(rows), "\n".join(lines))


def _time_sentence(cards, kind, cost, config, left_kimg):
    name = cards[0]["name"] if cards else "The processor"
    name = f"{cost.processes} × {name}" if cards and cost.processes > 1 else name
    size = f"{config.shape.width}×{config.shape.height}"
    if kind is None:
        return f"{name}: how long it takes at {size} is not known; the panel will tell after a few minutes."
    seconds = cost.seconds_per_kimg[kind]
    sentence = f"{name}: at {size} about {rough_duration(1000 * seconds)} to 1,000 kimg"
    if left_kimg:
        sentence += f"; the {left_kimg:,.0f} kimg that are left take about {rough_duration(left_kimg * seconds)}"
    sessions = left_kimg * seconds / 3600 / SESSION_H
    sentence += f", so {sessions:.0f} sessions of {SESSION_H:.0f} hours" if in_colab() and sessions >= 1.5 else ""
    return sentence + ". This is a rough estimate; the panel measures."


def _room_sentence(cost, free_bytes):
    place = "Drive" if in_colab() else "the disk"
    sentence = f"The run takes about {size_text(cost.disk_bytes)} on {place}"
    if free_bytes is None:
        return sentence + "; how much is free there is not known."
    short = "" if free_bytes > cost.disk_bytes else ": too little, so make room first (the trash counts, too)"
    return sentence + f", where {size_text(free_bytes)} are free{short}."


def _row(kind, cost, left_kimg):
    seconds = cost.seconds_per_kimg[kind]
    units = next(units for one, _, units in COLAB_GPUS if one == kind)
    hours = left_kimg * seconds / 3600
    return (
        kind, rough_duration(1000 * seconds), rough_duration(left_kimg * seconds) if left_kimg else "-",
        f"{units * hours:.0f}" if units and left_kimg else "see Runtime → View resources",
    )  # fmt: skip


def _folded(rows):
    head = ("GPU", "to 1,000 kimg", "what is left", "compute units")
    note = "<div>Rough estimates. Compute units as they were in 2024; free sessions cost none.</div>"
    origin = ", ".join(f"{kind}: {RATES[kind][1]}" for kind, _, _ in COLAB_GPUS)
    return f"<details><summary>The same on other GPUs</summary>{table(rows, head)}{note}<small>{origin}</small></details>"
