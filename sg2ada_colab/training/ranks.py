"""The processes that train one run together, one a GPU: this one's place among them, and what they send each other.

All is sent by TensorFlow's MultiWorkerMirroredStrategy, as sums of float32 vectors: NCCL among GPUs, a ring among processors. A
sum stands outside what XLA compiles, which cannot hold it. Variables are plain ones, outside the strategy's scope.
"""

import os
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, Optional

import numpy as np

from ..errors import UserError
from ..tf import IS_TF1, gpus, grow_memory_as_needed, same_names_in_all_processes, tf, tf1
from ..tf_config import read_tf_config

PIECE = 1 << 22  # values of one message of `share`: 16 MB
SMALL_PIECE = 1 << 8
LENGTH_BYTES = 8

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.CancelledError,
    tf.errors.AbortedError,
    tf.errors.DeadlineExceededError,
)


class OtherRankEnded(UserError):
    """Another process of the run has ended, or cannot be reached; nothing is wrong with this one.

    TF 1.14 does not see it and waits: there what started the processes has to end the others.
    """


class Ranks:
    """The processes that train one run together; this one's place among them.

    Args:
        index: Number of this process; 0 writes the run's files.
        count: Number of processes.
        leads: Whether this is the first process of its machine.
        reduce: Function of a float32 vector on the device that returns its sum over all processes; None: there is one process.
    """

    def __init__(self, index: int, count: int, leads: bool = True, reduce: Optional[Callable] = None) -> None:
        assert 0 <= index < count and (count == 1 or reduce is not None), f"rank {index} of {count}"
        self.index, self.count, self.leads, self._reduce = index, count, leads, reduce

    def sum(self, tensor: Any) -> Any:
        """Return a float32 vector [n] summed over all processes, in one message; all call it with the same n.

        Raises:
            OtherRankEnded: Another process is gone.
        """
        if self._reduce is None:
            return tensor
        with _lost_ranks():
            return self._reduce(tensor)

    def gather(self, vector: Any) -> np.ndarray:
        """Return each process's float32 vector [n], in order, as an array [count, n].

        The values are exact, as each is added to zeros alone.

        Raises:
            OtherRankEnded: Another process is gone.
        """
        vector = tf.convert_to_tensor(vector, tf.float32)
        n = int(vector.shape[0])
        before, after = (tf.zeros([n * ranks]) for ranks in (self.index, self.count - self.index - 1))
        total = self.sum(tf.concat([before, vector, after], axis=0))
        with _lost_ranks():
            return total.numpy().reshape(self.count, n)

    def gather_bytes(self, data: bytes) -> List[bytes]:
        """Return each process's bytes, in order; of at most 16 MB each.

        Raises:
            OtherRankEnded: Another process is gone.
        """
        lengths = self.gather([float(len(data))])[:, 0].astype(int)
        values = np.zeros([-(-lengths.max() // 2)], np.uint16)  # two bytes become a number, which float32 holds exactly
        values[: -(-len(data) // 2)] = np.frombuffer(data + b"\0" * (len(data) % 2), "<u2")
        rows = self.gather(values.astype(np.float32)) if len(values) else np.zeros([self.count, 0])
        return [row.astype("<u2").tobytes()[:length] for row, length in zip(rows, lengths)]

    def share(self, data: bytes) -> bytes:
        """Return the bytes that process 0 was given, in every process; the others' are not looked at.

        Raises:
            OtherRankEnded: Another process is gone.
        """
        if self.count == 1:
            return data
        length = int.from_bytes(self._share(len(data).to_bytes(LENGTH_BYTES, "little"), LENGTH_BYTES), "little")
        return self._share(data, length)

    def _share(self, data: bytes, length: int) -> bytes:
        """Return the first `length` bytes of process 0's: two of them become a number, which float32 holds exactly."""
        values, received = np.zeros([-(-length // 2)], np.uint16), []
        if self.index == 0:
            values = np.frombuffer(data + b"\0" * (length % 2), "<u2")
        size = PIECE if len(values) > 16 * SMALL_PIECE else SMALL_PIECE  # few sizes: each is traced
        for start in range(0, len(values), size):
            piece = np.zeros([size], np.float32)
            part = values[start : start + size]
            piece[: len(part)] = part
            total = self.sum(tf.constant(piece))
            with _lost_ranks():
                received.append(total.numpy().astype("<u2")[: len(part)])
        return b"".join(part.tobytes() for part in received)[:length]


ALONE = Ranks(0, 1)


def join() -> Ranks:
    """Return this process's place among those that TF_CONFIG names, once all of them are there; ALONE without it.

    Must be called before any other TensorFlow operation.

    Raises:
        UserError: TF_CONFIG cannot be used.
    """
    named = read_tf_config(os.environ.get("TF_CONFIG", ""))
    if named is None:
        return ALONE
    workers, index = named
    grow_memory_as_needed()
    hosts = [address.rpartition(":")[0] for address in workers]
    strategy = _strategy()
    if not IS_TF1:
        same_names_in_all_processes()
    return Ranks(index, len(workers), hosts.index(hosts[index]) == index, _reduction(strategy))


def _strategy():
    kind = "NCCL" if gpus() else "RING"
    if IS_TF1:
        how = getattr(tf1.distribute.experimental.CollectiveCommunication, kind)
        return tf1.distribute.experimental.MultiWorkerMirroredStrategy(how)
    how = getattr(tf.distribute.experimental.CommunicationImplementation, kind)
    options = tf.distribute.experimental.CommunicationOptions(implementation=how)
    return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)


def _reduction(strategy):
    run = strategy.experimental_run_v2 if IS_TF1 else strategy.run

    def of_replica(vector):  # without the identity TensorFlow finds no device to reduce to
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(vector))

    return tf.function(lambda vector: run(of_replica, args=(vector,)), autograph=False)


@contextmanager
def _lost_ranks() -> Iterator[None]:
    try:
        yield
    except _LOST as error:
        raise OtherRankEnded(
            f"Another process of this run has ended or cannot be reached: {' '.join(str(error.message).split())[:200]}",
            "all processes of a run at work until its end",
            "See what the other processes say; then go on: sg2ada resume.",
        ) from error
