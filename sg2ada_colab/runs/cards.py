"""The cards of this machine that training may use, and how many processes share its work; found without TensorFlow."""

import os
import re
from typing import List

from ..config.estimate import GIB
from ..errors import UserError
from ..machine import gpu_rows, nvidia_smi
from ..words import counted

CPU_RANKS = "SG2ADA_CPU_RANKS"  # for trying it out: so many processes on the processor, in place of cards
NO_CARD = "-1"  # as CUDA_VISIBLE_DEVICES
OTHERS_BYTES = 1 << 30  # that other programs hold on a card which is taken; less than that is a desktop's


def visible_cards() -> List[str]:
    """Return what CUDA_VISIBLE_DEVICES calls each card that training may use: its UUID, or as the variable has it now.

    Raises:
        UserError: SG2ADA_CPU_RANKS is set, and is not a number of processes.
    """
    pretended = os.environ.get(CPU_RANKS)
    if pretended:
        if not re.fullmatch("[1-9][0-9]{0,2}", pretended):
            raise UserError(
                f"{CPU_RANKS}={pretended!r} is not a number of processes.",
                "1 to 999: how many processes train on the processor, as if each had a card",
                f"set {CPU_RANKS}=2, or unset it to train on cards",
            )
        return [NO_CARD] * int(pretended)
    found = re.findall(r"^GPU \d+: .*\(UUID: (GPU-[0-9A-Za-z-]+)\)", nvidia_smi("-L"), re.MULTILINE)
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None or not found:
        return found
    cards = []
    for name in (word.strip() for word in wanted.split(",")):
        if not (int(name) < len(found) if name.isdigit() else name.startswith(("GPU-", "MIG-"))):
            break  # CUDA uses none from the first on that is not there
        cards.append(name)
    return cards


def processes_for(rounds: int, wanted: int, cards: int) -> int:
    """Return how many processes train: the most that have a card each and share the rounds of a minibatch evenly.

    Args:
        rounds: Of a minibatch: its images divided by those that a card takes at once.
        wanted: As --gpus says.
        cards: That are here.
    """
    return max(count for count in range(1, max(min(wanted, cards, rounds), 1) + 1) if rounds % count == 0)


def sharing_sentence(rounds: int, wanted: int, cards: int) -> str:
    """Return who computes the rounds of a minibatch, in words; "" where one process does that was asked for alone."""
    count = processes_for(rounds, wanted, cards)
    if wanted == 1:
        return ""
    one = f"one process computes the work of all of them, in {counted(rounds, 'round', 'rounds')}."
    if cards == 0:
        return f"--gpus={wanted}, and there is no GPU here: {one}"
    here = counted(cards, "GPU", "GPUs") if os.environ.get(CPU_RANKS) is None else f"{CPU_RANKS}={cards}"
    if count == 1:
        return f"--gpus={wanted}, and there is {here} here: {one}"
    each = rounds // count
    share = f"{count} processes train, each computes {each} of the {rounds} rounds of a minibatch"
    if count < wanted:
        return f"--gpus={wanted}, and here: {here}. {share}."
    return f"{share}, on a GPU of its own." if os.environ.get(CPU_RANKS) is None else f"{share}, on the processor ({here})."


def check_free(cards: List[str], needed_bytes: float) -> None:
    """Raise a UserError where another program holds so much of a card's memory that training does not fit beside it.

    Args:
        cards: As `visible_cards` names them; one that is named by its number is not looked at, as CUDA may count otherwise.
        needed_bytes: That one process takes on its card.
    """
    rows = gpu_rows("uuid,name,memory.used,memory.total")
    for uuid, name, used_mib, total_mib in (row for row in rows if len(row) == 4):
        if uuid not in cards or not (used_mib.isdigit() and total_mib.isdigit()):
            continue
        used, total = int(used_mib) * 2**20, int(total_mib) * 2**20
        if used > OTHERS_BYTES and total - used < needed_bytes:
            raise UserError(
                f"The GPU {name} ({uuid}) is taken: {used / GIB:.1f} of its {total / GIB:.1f} GiB are in use.",
                f"about {needed_bytes / GIB:.1f} GiB free on each GPU, and no other program on it",
                "end the other program (nvidia-smi names it), or name the free GPUs in CUDA_VISIBLE_DEVICES",
            )


def shares(cards: List[str], tasks: int, index: int, count: int) -> List[str]:
    """Return the cards of one of several commands on this machine; [] where there are not enough.

    Args:
        cards: That this command sees.
        tasks: How many commands run here; Slurm may show each all cards, or its own alone.
        index: Of this one among them.
        count: Cards that each needs.
    """
    if len(cards) >= tasks * count:
        return cards[index * count : (index + 1) * count]
    return cards if len(cards) == count else []
