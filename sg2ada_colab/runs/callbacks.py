"""What a run saves while it trains: grids of reals and fakes, snapshots with the training state."""

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Dict, List, Mapping, Optional

import numpy as np

from ..config.train_config import TrainConfig
from ..dataset import TrainingStream
from ..errors import UserError
from ..files import FilePath, atomic_file
from ..formats.embedded_source import embedded_source
from ..formats.network_data import NetworkData, NetworkSnapshot
from ..formats.network_pickle import write_network_pickle
from ..previews.grid import choose_cells, grid_size, save_grid
from ..previews.sample import Sampler, grid_latents
from ..run_files import FAKES_INIT, REALS, grid_name
from ..storage.saved_config import CONFIG_KEY
from ..storage.store import RunStore
from ..training.loop import Callback, TrainingProgress
from ..training.state import TrainState
from .host_copies import HostCopies
from .log_file import Log


class Grids(Callback):
    """Writes reals.png, fakes_init.png and fakesNNNNNN.png.

    Training waits for the images alone. Packing a grid of 30 megapixels takes 3 to 20 s of one processor core, which a thread
    does beside it. A grid that cannot be written is logged at the next write, or at the end, and training goes on.

    Args:
        run_dir: The run's folder.
        stream: TrainingStream whose first images are the reals.
        config: TrainConfig.
        state: TrainState.
        log: `Log`.
    """

    def __init__(self, run_dir: FilePath, stream: TrainingStream, config: TrainConfig, state: TrainState, log: Log) -> None:
        self.run_dir, self.config, self.state, self.log = str(run_dir), config, state, log
        self.columns, self.rows = grid_size(config.size)
        self.stream = stream
        self.sampler = Sampler(state.Gs, min(max(config.schedule.minibatch_gpu, 8), self.columns * self.rows), config.engine.xla)
        self.cells = choose_cells(self._stream_labels(), self.columns, self.rows)
        latent_size = state.Gs.config.latent_size
        self.z = grid_latents(config.seed, self.columns * self.rows, latent_size)
        self.labels = np.zeros([len(self.cells), config.label_size], np.float32)
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="grids")
        self.unwritten: List[Future] = []  # futures, in order

    def _stream_labels(self):
        position, labels = 0, self.stream.dataset.labels
        while True:
            indices, _, _ = self.stream.draw(position, 1024)
            for index in indices:
                yield labels[index]
            position += len(indices)

    def on_start(self, progress: TrainingProgress) -> None:
        shape = self.config.shape
        reals = np.zeros([len(self.cells), shape.height, shape.width, self.config.channels], np.uint8)
        for cell, number in enumerate(self.cells):
            if number >= 0:
                images, labels = self.stream.images_at(int(number), 1)
                reals[cell], self.labels[cell] = images[0], labels[0]
        if not os.path.exists(os.path.join(self.run_dir, REALS)):
            self.write(REALS, [reals], 0, 255)
        if not os.path.exists(os.path.join(self.run_dir, FAKES_INIT)):
            self.draw(FAKES_INIT, -1)

    def on_tick(self, progress: TrainingProgress) -> None:
        if progress.done or progress.tick % self.config.snapshots.image_ticks == 0:
            kimg = progress.state.counters.nimg // 1000
            self.draw(grid_name(kimg), kimg)

    def on_end(self, progress: TrainingProgress) -> None:
        self.wait()

    def close(self) -> None:
        """Drop the grids that wait, and let the one that is being written be finished."""
        for grid in self.unwritten:
            grid.cancel()
        self.writer.shutdown()

    def draw(self, name: str, kimg: int) -> None:
        seed = f"{self.config.seed}/{kimg}"
        self.write(name, [x.numpy() for x in self.sampler.batches(self.z, self.labels, noise="random", seed=seed)], -1, 1)

    def write(self, name: str, batches: List[np.ndarray], low: float, high: float) -> None:
        """Hand a grid to the thread, once at most one other waits there.

        Args:
            batches: Images [n,H,W,C] that follow each other, one a cell.
            low, high: The values that become black and white.
        """
        self.wait(at_most=1)
        self.unwritten.append(self.writer.submit(self._write, name, batches, low, high))

    def wait(self, at_most: int = 0) -> None:
        """Wait until at most this many grids are unwritten."""
        while len(self.unwritten) > at_most:
            try:
                self.unwritten.pop(0).result()
            except OSError as error:
                self.log.note("warning", f"A grid of images could not be written to {self.run_dir}: {error.strerror or error}.")

    def _write(self, name, batches, low, high):
        with atomic_file(os.path.join(self.run_dir, name)) as file:
            save_grid(file, np.concatenate(batches), low, high, self.columns)


def snapshot_of(state: TrainState, networks: Mapping[str, Dict[str, np.ndarray]]) -> NetworkSnapshot:
    """Return the NetworkSnapshot of a TrainState.

    Args:
        networks: network → variable → array of the variable's shape, as `TrainState.save` gives them.
    """
    made: Dict[str, Any] = {
        name: NetworkData(name, getattr(state, name).config.to_kwargs(), values) for name, values in networks.items()
    }
    return NetworkSnapshot(**made)


class Snapshots(Callback):
    """Writes network pickles with the training state, by ticks, by the clock, at the end and on a stop.

    Args:
        store: RunStore.
        config: TrainConfig.
        log: `Log`.
    """

    def __init__(self, store: RunStore, config: TrainConfig, log: Log) -> None:
        self.store, self.config, self.log = store, config, log
        self.source_text = embedded_source()  # our own, with which stylegan2-ada builds the networks
        self.last_nimg: Optional[int] = None
        self.last_time = time.time()
        self.copies: Optional[HostCopies] = None
        self.pauses_s: List[float] = []

    def on_start(self, progress: TrainingProgress) -> None:
        self.copies = HostCopies(progress.state.variables())
        self.last_time = time.time()

    def on_tick(self, progress: TrainingProgress) -> None:
        if progress.tick % self.config.snapshots.network_ticks == 0:
            self.save(progress)

    def on_group(self, progress: TrainingProgress) -> None:
        seconds = self.config.snapshots.seconds
        if seconds is not None and time.time() - self.last_time >= seconds:
            self.save(progress)

    def on_end(self, progress: TrainingProgress) -> None:
        self.save(progress)

    def close(self) -> None:
        if self.copies is not None:
            self.copies.close()

    def save(self, progress: TrainingProgress) -> None:
        """Copy everything off the device and hand it to the writer; training goes on while it is written."""
        nimg, last = progress.state.counters.nimg, progress.stopped or progress.done
        if nimg == self.last_nimg and not last:
            return
        began = time.time()
        try:
            self.store.wait()  # the one before lies in the same memory
        except OSError as error:
            self.last_nimg = None  # it is tried again, also where it was the one of this moment
            self._not_written(error, last=False)
        if nimg != self.last_nimg:
            self._write(progress, last)
        self.last_time = time.time()
        self.pauses_s.append(self.last_time - began)

    def _write(self, progress, last):
        assert self.copies is not None, "on_start comes first"
        state = progress.state
        networks, arrays, meta = state.save(self.copies.take)
        meta[CONFIG_KEY] = self.config.to_dict()
        snapshot, nimg = snapshot_of(state, networks), meta["nimg"]
        try:
            self.store.write_snapshot_async(
                nimg // 1000, lambda file: write_network_pickle(file, snapshot, self.source_text), arrays, meta
            )
            if last:
                self.store.wait()
        except OSError as error:
            self._not_written(error, last)
        else:
            self.last_nimg = nimg
            if last:
                self.log(f"Saved the networks and the training state of {nimg / 1000:.1f} kimg.")

    def _not_written(self, error, last):
        """Training goes on with a full disk and tries again; only at the end is it an error."""
        problem = UserError(
            f"A snapshot could not be written to {self.store.run_dir}: {error.strerror or error}.",
            "disk space for two snapshots; the snapshots before this one are complete",
            "delete what is not needed there; " + ("then: sg2ada resume" if last else "the next snapshot is tried all the same"),
        )
        if last:
            raise problem from error
        self.log.note("warning", str(problem))
