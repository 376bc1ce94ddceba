"""What a run saves while it trains: grids of reals and fakes, snapshots with the training state."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..errors import UserError
from ..previews.grid import choose_cells, grid_size, save_grid
from ..previews.sample import Sampler, grid_latents
from ..snapshots.atomic import atomic_file
from ..snapshots.embedded_source import embedded_source
from ..snapshots.network_pickle import write_network_pickle
from ..training.loop import Callback
from .host_copies import HostCopies


class Grids(Callback):
    """Writes reals.png, fakes_init.png and fakesNNNNNN.png.

    Training waits for the images alone. Packing a grid of 30 megapixels takes 3 to 20 s of one processor core, which a thread
    does beside it. A grid that cannot be written is told with a later one, or at the end, and training goes on.

    Args:
        run_dir: The run's folder.
        stream: TrainingStream whose first images are the reals.
        config: TrainConfig.
        state: TrainState.
        log: Callable of one line.
    """

    def __init__(self, run_dir, stream, config, state, log):
        self.run_dir, self.config, self.state, self.log = str(run_dir), config, state, log
        self.columns, self.rows = grid_size(config.resolution)
        self.stream = stream
        self.sampler = Sampler(state.Gs, min(max(config.minibatch_gpu, 8), self.columns * self.rows), config.xla)
        self.cells = choose_cells(self._stream_labels(), self.columns, self.rows)
        latent_size = state.Gs.config.latent_size
        self.z = grid_latents(config.seed, self.columns * self.rows, latent_size)
        self.labels = np.zeros([len(self.cells), config.label_size], np.float32)
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="grids")
        self.unwritten = []  # futures, in order

    def _stream_labels(self):
        position, labels = 0, self.stream.dataset.labels
        while True:
            indices, _, _ = self.stream.draw(position, 1024)
            for index in indices:
                yield labels[index]
            position += len(indices)

    def on_start(self, progress):
        size, channels = self.config.resolution, self.config.channels
        reals = np.zeros([len(self.cells), size, size, channels], np.uint8)
        for cell, number in enumerate(self.cells):
            if number >= 0:
                images, labels = self.stream.images_at(int(number), 1)
                reals[cell], self.labels[cell] = images[0], labels[0]
        if not os.path.exists(os.path.join(self.run_dir, "reals.png")):
            self.write("reals.png", [reals], 0, 255)
        if not os.path.exists(os.path.join(self.run_dir, "fakes_init.png")):
            self.draw("fakes_init.png", -1)

    def on_tick(self, progress):
        if progress.done or progress.tick % self.config.image_snapshot_ticks == 0:
            kimg = progress.state.counters.nimg // 1000
            self.draw("fakes{:06d}.png".format(kimg), kimg)

    def on_end(self, progress):
        self.wait()

    def draw(self, name, kimg):
        seed = "{}/{}".format(self.config.seed, kimg)
        self.write(name, [x.numpy() for x in self.sampler.batches(self.z, self.labels, noise="random", seed=seed)], -1, 1)

    def write(self, name, batches, low, high):
        """Hand a grid to the thread, once at most one other waits there."""
        self.wait(at_most=1)
        self.unwritten.append(self.writer.submit(self._write, name, batches, low, high))

    def wait(self, at_most=0):
        """Wait until at most so many grids are unwritten."""
        while len(self.unwritten) > at_most:
            try:
                self.unwritten.pop(0).result()
            except OSError as error:
                self.log("A grid of images could not be written to {}: {}.".format(self.run_dir, error.strerror or error))

    def _write(self, name, batches, low, high):
        with atomic_file(os.path.join(self.run_dir, name)) as file:
            save_grid(file, np.concatenate(batches), low, high, self.columns)


class Snapshots(Callback):
    """Writes network pickles with the training state, by ticks, by the clock, at the end and on a stop.

    Args:
        store: RunStore.
        config: TrainConfig.
        log: Callable of one line.
    """

    def __init__(self, store, config, log):
        self.store, self.config, self.log = store, config, log
        self.source_text = embedded_source()  # our own, with which stylegan2-ada builds the networks
        self.last_nimg, self.last_time = None, time.time()
        self.copies = None  # HostCopies
        self.pauses_s = []

    def on_start(self, progress):
        self.copies = HostCopies(progress.state)
        self.last_time = time.time()

    def on_tick(self, progress):
        if progress.tick % self.config.network_snapshot_ticks == 0:
            self.save(progress)

    def on_group(self, progress):
        seconds = self.config.snapshot_seconds
        if seconds is not None and time.time() - self.last_time >= seconds:
            self.save(progress)

    def on_end(self, progress):
        self.save(progress)

    def save(self, progress):
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
        state = progress.state
        nimg = state.counters.nimg
        snapshot, arrays = self.copies.take()
        meta = dict(state.meta(), nimg=nimg, means=progress.unreported.so_far())
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
                self.log("Saved the networks and the training state of {:.1f} kimg.".format(nimg / 1000))

    def _not_written(self, error, last):
        """Training goes on with a full disk and tries again; only at the end is it an error."""
        problem = UserError(
            "A snapshot could not be written to {}: {}.".format(self.store.run_dir, error.strerror or error),
            "room for two snapshots; the snapshots before this one are whole",
            "delete what is not needed there; " + ("then: sg2ada resume" if last else "the next snapshot is tried all the same"),
        )
        if last:
            raise problem from error
        self.log(str(problem))
