"""The endless, shuffled, seekable stream of training batches: a pure function of (seed, position)."""

import queue
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ..seeds import random_state


class TrainingStream:
    """Batches of a dataset in a random order that is fixed by the seed.

    Every epoch is a permutation of the complete set; epochs follow each other without a gap, so a batch may hold the end of one
    and the start of the next. Order and mirroring belong to the position in the stream and not to the batch: with another
    batch size the same images come in the same order.
    """

    def __init__(self, dataset: Any, batch_size: int, seed: int, mirror_x: bool = False, mirror_y: bool = False) -> None:
        """
        Args:
            dataset: Dataset.
            batch_size: Images in a batch.
            seed: Integer of the run.
            mirror_x, mirror_y: Flip each drawn image with probability 1/2, left-right or upside down.
        """
        assert len(dataset) > 0, "an empty dataset"
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.mirror_x, self.mirror_y = mirror_x, mirror_y
        self._epochs: Dict[int, Any] = {}

    def _epoch(self, epoch):
        """Return (order, x flips, y flips) of one epoch, kept while the stream is near."""
        epochs = self._epochs  # replaced, never changed in place: the prefetching thread may be here too
        if epoch not in epochs:
            count = len(self.dataset)
            order = random_state(self.seed, "data order", epoch).permutation(count)
            flip_x = random_state(self.seed, "data mirror x", epoch).randint(0, 2, count).astype(bool) if self.mirror_x else None
            flip_y = random_state(self.seed, "data mirror y", epoch).randint(0, 2, count).astype(bool) if self.mirror_y else None
            epochs = {e: drawn for e, drawn in epochs.items() if abs(e - epoch) <= 1}
            epochs[epoch] = (order, flip_x, flip_y)
            self._epochs = epochs
        return epochs[epoch]

    def draw(self, position: int, count: int) -> Any:
        """Return what the stream holds at image positions `position` .. `position + count - 1`.

        Returns:
            (indices int64 [count], flip_x bool [count], flip_y bool [count]).
        """
        indices = np.empty(count, np.int64)
        flips = np.zeros((2, count), bool)
        filled = 0
        while filled < count:
            epoch, start = divmod(position + filled, len(self.dataset))
            order, *epoch_flips = self._epoch(epoch)
            part = slice(filled, filled + min(count - filled, len(order) - start))
            taken = slice(start, start + part.stop - part.start)
            indices[part] = order[taken]
            for flip, drawn in zip(flips, epoch_flips):
                if drawn is not None:
                    flip[part] = drawn[taken]
            filled = part.stop
        return indices, flips[0], flips[1]

    def images_at(self, position: int, count: int) -> Tuple[np.ndarray, np.ndarray]:
        """Return (uint8 [count, H, W, C], float32 [count, L]) from an image position on."""
        indices, flip_x, flip_y = self.draw(position, count)
        flips = (flip_x, flip_y) if self.mirror_x or self.mirror_y else ()
        return self.dataset.read(indices, *flips), self.dataset.labels[indices]

    def batch(self, index: int) -> Tuple[np.ndarray, np.ndarray]:
        """Return batch number `index` as (uint8 [B, H, W, C], float32 [B, L])."""
        return self.images_at(index * self.batch_size, self.batch_size)

    def random_labels(self, count: int, seed: Any) -> np.ndarray:
        """Return float32 [count, L] labels drawn uniformly from the set's rows, for generated images.

        Args:
            count: How many.
            seed: Integer, or an int32 [2] seed from `seeds.step_seed`.
        """
        if np.ndim(seed):
            draws = np.random.RandomState(np.asarray(seed, np.int32).view(np.uint32))
        else:
            draws = random_state(seed, "random labels", 0)
        return self.dataset.labels[draws.randint(0, len(self.dataset), count)]

    def prefetch(
        self, start: int = 0, depth: int = 4, convert: Callable = list, together: int = 1, share: Callable = int
    ) -> "PrefetchedBatches":
        """Return an iterator over batches `start`, `start + 1`, ... read ahead by a background thread; close it when done.

        Args:
            start: Number of the first batch.
            depth: Batches that are kept ready.
            convert: Called in that thread with a list of batches; the elements of its result are what comes out.
            together: How many batches `convert` is given at once.
            share: Function that gives the number of the batch to read for each of these numbers, where this reader has only
                a share of all batches.
        """
        return PrefetchedBatches(self, start, depth, convert, together, share)


class PrefetchedBatches:
    """An endless iterator of a stream's batches, up to `depth` of them read ahead; a context manager."""

    def __init__(
        self, stream: TrainingStream, start: int, depth: int, convert: Callable, together: int, share: Callable = int
    ) -> None:
        self._stream, self._next, self._convert, self._together, self._share = stream, start, convert, together, share
        self._queue: Any = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fill, name="read batches ahead", daemon=True)
        self._thread.start()

    def _fill(self):
        index = self._next
        while not self._stop.is_set():
            try:
                batches = [self._stream.batch(self._share(i)) for i in range(index, index + self._together)]
                items: List[Tuple[Any, Optional[Exception]]] = [(batch, None) for batch in self._convert(batches)]
            except Exception as error:  # noqa: BLE001 - handed to the reader, who raises it
                items = [(None, error)]
            for item in items:
                self._put(item)
            if items[0][1] is not None:
                return
            index += self._together

    def _put(self, item):
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def __iter__(self) -> "PrefetchedBatches":
        return self

    def __next__(self) -> Any:
        if self._stop.is_set():
            raise StopIteration
        batch, error = self._queue.get()
        if error is not None:
            self.close()
            raise error
        return batch

    def close(self) -> None:
        """Stop reading ahead and wait for the thread to end; may be called again."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> "PrefetchedBatches":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()
