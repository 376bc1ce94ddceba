"""Who takes part in a run: the address of each process, from this machine alone, from TF_CONFIG or from Slurm."""

import os
import re
import socket
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Optional, Tuple

from ..config.estimate import estimate
from ..config.shared_rounds import share_rounds
from ..config.train_config import TrainConfig
from ..errors import UserError
from ..tf_config import host_and_port, read_tf_config, refusal, tf_config_text
from .cards import check_free, processes_for, shares, sharing_sentence, visible_cards

LOCAL_HOST = "127.0.0.1"
SLURM_PORTS, SLURM_JOBS, TASK_PORTS = 12000, 256, 64  # first port; jobs with ports of their own; ports of one task


@dataclass(frozen=True)
class Cluster:
    """The processes of a run."""

    workers: Tuple[str, ...]  # "host:port" of each process; the first one writes
    first: int  # index of the first of those that are started here
    cards: Tuple[str, ...]  # of those that are started here, as CUDA_VISIBLE_DEVICES names them
    fixed_ports: bool = True  # they were given; otherwise free ones are looked for at each start

    @property
    def spans_machines(self) -> bool:
        """Whether other commands, here or on other machines, start some of the processes."""
        return len(self.cards) < len(self.workers)

    @property
    def others(self) -> List[str]:
        """The addresses of the processes that other commands start."""
        last = self.first + len(self.cards)
        return list(self.workers[: self.first] + self.workers[last:])

    @property
    def leaders(self) -> List[int]:
        """Indices of the first process of each machine."""
        hosts = [address.rpartition(":")[0] for address in self.workers]
        return sorted({hosts.index(host) for host in hosts})

    def variables(self, index: int) -> Dict[str, str]:
        """Return the environment variables of the process with an index."""
        return {
            "TF_CONFIG": tf_config_text(list(self.workers), index),
            "CUDA_VISIBLE_DEVICES": self.cards[index - self.first],
        }

    def with_ports(self) -> "Cluster":
        """Return the same with ports that are free now, where none were given.

        Raises:
            UserError: A port that was given is in use.
        """
        if not self.fixed_ports:
            return replace(self, workers=tuple(f"{LOCAL_HOST}:{port}" for port in free_ports(len(self.workers))))
        for address in self.workers[self.first : self.first + len(self.cards)]:
            _check_port(address)
        return self


def find_cluster(
    config: TrainConfig, wanted: int, variables: Optional[Mapping[str, str]] = None
) -> Tuple[Optional[Cluster], str]:
    """Return (the `Cluster` of a run, or None where one process trains; who computes what, in words).

    Args:
        config: TrainConfig; its minibatch is what is shared.
        wanted: Number of processes, as --gpus says.
        variables: Of the environment; None: this process's.

    Raises:
        UserError: TF_CONFIG or Slurm's variables make no sense, or do not fit --gpus or the cards that are here.
    """
    variables = os.environ if variables is None else variables
    named = read_tf_config(variables.get("TF_CONFIG", "")) or _from_slurm(variables)
    if named is not None:
        cluster = _of_several(named[0], named[1], config, wanted)
        return cluster, f"{len(cluster.workers)} processes train, {len(cluster.cards)} of them from here."
    if wanted == 1:
        return None, ""
    found = visible_cards()
    if wanted <= len(found):
        config, _ = share_rounds(config, wanted)
    cards = found[: processes_for(config.schedule.rounds, wanted, len(found))]
    sentence = sharing_sentence(config.schedule.rounds, wanted, len(found))
    if len(cards) < 2:
        return None, sentence
    check_free(cards, estimate(config, len(cards)).memory_bytes)
    return Cluster((f"{LOCAL_HOST}:0",) * len(cards), 0, tuple(cards), fixed_ports=False), sentence


def free_ports(count: int) -> List[int]:
    """Return ports of this machine that nothing listens at."""
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in opened:
            one.bind((LOCAL_HOST, 0))
        return [one.getsockname()[1] for one in opened]


def _of_several(addresses, index, config, wanted):
    """Return the `Cluster` of several commands, each of which starts as many processes as the others."""
    if wanted % len(addresses):
        raise UserError(
            f"{len(addresses)} machines or tasks take part, and --gpus is {wanted}.",
            "--gpus as the number of all GPUs together, and as many on each machine",
            f"pass --gpus={len(addresses)} for one GPU each, or a multiple of it",
        )
    share_rounds(config, wanted)  # refuses what cannot be shared
    count = wanted // len(addresses)
    split = [host_and_port(address) for address in addresses]
    workers = [f"{host}:{port + k}" for host, port in split for k in range(count)]
    twice = [worker for worker in workers if workers.count(worker) > 1]
    if twice:
        raise refusal(
            f"Two of the processes would have the address {twice[0]}.",
            f"ports at least {count} apart for entries of one host, as each entry starts {count} processes",
        )
    host = split[index][0]
    tasks, before = sum(one == host for one, _ in split), sum(one == host for one, _ in split[:index])
    seen = visible_cards()
    cards = shares(seen, tasks, before, count)
    if not cards:
        raise UserError(
            f"{tasks * count} processes are to train on this machine, which has {len(seen)} GPUs.",
            "a GPU for each: with --gpus as the number of all of them, each machine starts as many",
            f"pass a smaller --gpus on every machine, a multiple of {len(addresses)}",
        )
    check_free(cards, estimate(config, wanted).memory_bytes)
    return Cluster(tuple(workers), index * count, tuple(cards))


def _from_slurm(variables):
    """Return (addresses, index) of the tasks that srun started; None outside of it, or for one task alone."""
    if int(variables.get("SLURM_STEP_NUM_TASKS") or 1) < 2:
        return None
    order = variables.get("SLURM_DISTRIBUTION", "block")
    try:
        nodes = expand_nodes(variables["SLURM_STEP_NODELIST"])
        tasks = expand_counts(variables["SLURM_STEP_TASKS_PER_NODE"])
        job, index = int(variables["SLURM_JOB_ID"]), int(variables["SLURM_PROCID"])
        assert len(nodes) == len(tasks) and 0 <= index < sum(tasks) and order.startswith("block")
    except (KeyError, ValueError, AssertionError):
        names = ("STEP_NODELIST", "STEP_TASKS_PER_NODE", "JOB_ID", "PROCID", "DISTRIBUTION")
        said = ", ".join("SLURM_{}={}".format(name, variables.get("SLURM_" + name)) for name in names)
        raise UserError(
            f"Slurm's variables make no sense together: {said}.",
            "tasks that srun started, those of one node one after the other (--distribution=block)",
            "start it with srun --distribution=block, or set TF_CONFIG (docs/several-gpus.md)",
        ) from None
    base = SLURM_PORTS + job % SLURM_JOBS * TASK_PORTS
    return [f"{node}:{base + k * TASK_PORTS}" for node, count in zip(nodes, tasks) for k in range(count)], index


def expand_nodes(text: str) -> List[str]:
    """Return the names in a list of Slurm's, such as "a[01-03,7],b" for a01, a02, a03, a7 and b.

    Raises:
        ValueError: It is not such a list.
    """
    if not re.fullmatch(r"(?:[^\[\]]|\[[-,\d]+\])+", text):
        raise ValueError(text)
    found: List[str] = []
    for word in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", text):
        names = [""]
        for fixed, ranges in re.findall(r"([^\[\]]+)|\[([^\]]+)\]", word):
            names = [name + more for name in names for more in ([fixed] if fixed else _numbers(ranges))]
        found += names
    return found


def _numbers(text):
    for part in text.split(","):
        first, _, last = part.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield str(number).zfill(len(first))


def expand_counts(text: str) -> List[int]:
    """Return the numbers in a list of Slurm's, such as "2(x3),1" for 2, 2, 2 and 1.

    Raises:
        ValueError: It is not such a list.
    """
    counts: List[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if match is None:
            raise ValueError(text)
        counts += [int(match.group(1))] * int(match.group(2) or 1)
    return counts


def _check_port(address):
    _, port = host_and_port(address)
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("", port))
        except OSError as error:
            raise UserError(
                f"Port {port} of this machine cannot be used ({error.strerror or error}).",
                f"a free port: the processes of the run find each other at {address}",
                "end the other program, such as an earlier run, or write other ports into TF_CONFIG on every machine",
            ) from error
