"""A stand-in for a training process: the same storage, a state whose every value is known in advance, no TensorFlow.

`main` is what a child process runs. Its ledger is a folder outside the machine that is lost: the test reads there what this
process did.
"""

import hashlib
import os
import time

import numpy as np
from ledger import Ledger
from telling_copier import let_copiers_tell

from sg2ada_colab.errors import UserError
from sg2ada_colab.storage import check_files
from sg2ada_colab.storage.keeper import RunKeeper
from sg2ada_colab.storage.retention import Retention
from sg2ada_colab.storage.store import RunStore
from sg2ada_colab.storage.training_state import load_state
from sg2ada_colab.storage.verified_copy import CopiesOnTheWay, fetch_run
from sg2ada_colab.storage.which_run import choose_run

RUN = "00000-stand-in"
STEPS_PER_SNAPSHOT, IMAGES_PER_STEP, STEP_S = 6, 40, 0.004  # about four snapshots within one kimg
VALUES = 40_000


def advance(link, step):
    """Return the next link of the chain: any lost, doubled or changed step changes all that follow."""
    return hashlib.sha256(link + b"%d" % step).digest()


def arrays_of(link):
    random = np.random.RandomState(np.frombuffer(link, np.uint32))
    return {"link": np.frombuffer(link, np.uint8), "weights": random.rand(VALUES).astype(np.float32)}


def pickle_of(link):
    return b"pickle of " + link + np.random.RandomState(np.frombuffer(link, np.uint32)).bytes(100_000)


def main(local, drive, ledger_folder, total_steps, keep_last, settle_s):
    ledger = Ledger(ledger_folder)
    let_copiers_tell(ledger, lambda record: record.nimg // IMAGES_PER_STEP)
    try:
        train(local, drive, ledger, int(total_steps), int(keep_last), float(settle_s))
    except UserError as error:
        ledger.write(event="refused", text=str(error))
        return 1


def train(local, drive, ledger, total_steps, keep_last, settle_s):
    """Choose, fetch, go on, store: what the engine does, around a chain of digests."""
    check_files.read_network_pickle = refuse
    copies = CopiesOnTheWay(local)
    choice = choose_run([local, drive], digest=copies.digest)
    step, link, store, known = 0, b"\0" * 32, None, None
    ledger.write(event="chosen", name=choice.candidate and choice.candidate.name, skipped=choice.sentences)
    if choice.candidate:
        store = fetch_run(choice.candidate, local, copies=copies)
        known = choice.candidate.moved_to(store.run_dir)
        arrays, meta = load_state(store.path(f"training-state-{choice.candidate.name}.npz"))
        step, link = meta["step"], arrays["link"].tobytes()
        assert arrays["weights"].tobytes() == arrays_of(link)["weights"].tobytes(), "the arrays are not of one moment"
    keeper = RunKeeper(
        store or RunStore(os.path.join(local, RUN)),
        os.path.join(drive, RUN),
        Retention(keep_last),
        known=known,
        settle_s=settle_s,
        say=lambda sentence: ledger.write(event="say", sentence=sentence),
        first_wait_s=0.02,
        longest_wait_s=0.2,
        logs_every_s=0.5,
    )
    ledger.write(event="begin", at=step, proof=link.hex())
    keeper.store.on_written = lambda: (ledger.write(event="written", at=keeper.step_written), keeper.copier.notify())
    ledger.progress(step)
    ledger.write(event="running")
    while step < total_steps:
        link = advance(link, step)
        step += 1
        ledger.progress(step)
        time.sleep(STEP_S)
        if step % STEPS_PER_SNAPSHOT == 0 or step == total_steps:
            keeper.store.wait()
            keeper.step_written = step
            images = step * IMAGES_PER_STEP
            content = pickle_of(link)
            meta = {"nimg": images, "step": step}
            ledger.write(event="copied", at=step)
            keeper.store.write_snapshot_async(
                images // 1000, lambda file, content=content: file.write(content), arrays_of(link), meta
            )
    done = keeper.finish(60)
    ledger.write(event="end", at=step, proof=link.hex(), done=done)


def refuse(path):
    raise ValueError(f"{path} had to be unpickled")
