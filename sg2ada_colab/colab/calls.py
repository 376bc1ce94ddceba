"""What notebook 3 calls: train, or go on; and the end of a session in any notebook."""

import os
import time
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Union

from ..compile.cache import folder_on_drive
from ..compile.durations import of_this_machine
from ..dataset import open_dataset
from ..dataset.local_copy import local_copy
from ..dataset.reading import Dataset
from ..files import FilePath
from ..machine import in_colab
from ..runs.plan import RunPlan, bring_here
from ..shape import size_words
from ..storage.workspace import MACHINE_FOLDER, Workspace
from .all_cards import AUTO, on_cards, with_gpus
from .choices import chosen
from .cost import no_gpu_error, show_cost, warn_without_gpu
from .datasets import displaces_own
from .drive import finish as finish_drive
from .environment import Environment
from .form import ASK, NEW_RUN, plan_form
from .form_words import as_fields
from .kaggle import ending_in_time
from .make_environment import runtime_environment
from .panel import open_panel
from .plan import find_dataset
from .run_view import RunView
from .session import close, drive, plainly, session_left_s, tell, workspace
from .sound import announce
from .start_from import earlier_run, offer, start_network
from .starting import StartTimes
from .supervisor import Ending, TrainingProcess, supervise, wait_for_earlier


@dataclass(frozen=True)
class RunState:
    """What became of a run in this session."""

    run_dir: str
    state: str  # "done", "stopped" or "died"
    kimg: float
    total_kimg: int
    sentence: str
    exit_code: int = 0

    def __repr__(self) -> str:
        return f"{os.path.basename(self.run_dir)}: {self.kimg:.1f} of {self.total_kimg} kimg. {self.sentence}"


@plainly
def train(
    dataset: Optional[FilePath] = None,
    new_run: bool = False,
    run: Union[str, int, None] = None,
    runtime: Optional[str] = None,
    without_gpu: bool = False,
    sound: bool = True,
    if_different: str = ASK,
    usual: Optional[Mapping[str, Any]] = None,
    resume: Union[str, int, None] = None,
    gpus: Union[str, int, None] = AUTO,
    start_partly: bool = False,
    **options: Any,
) -> RunState:
    """Train: begin a run, or go on with the newest good one on this dataset; watch it until it ends.

    It is the one call to make again after a disconnect. The cell's stop button ends it cleanly.

    Args:
        dataset: Name or path; None or "" is the one that was chosen in the list of `list_choices`, or else prepared last.
        new_run: Begin a new run although there is one to go on with.
        run: Name or number of the run to go on with; None takes the one whose snapshot on this dataset is newest.
        runtime: The environment to train in, "tf114" (see `sg2ada env`), made where it is not there; None or "" is this Python.
        without_gpu: Train in Colab on a machine without a GPU, too.
        sound: Play a short sound in the browser when it has ended or failed.
        if_different: What to do where options would make another run of the one to go on with: "ask", "go on as begun" or
            "new run".
        usual: Options of a new run where `options` say nothing.
        resume: Network that a new run begins with: as for `sg2ada train --resume`, or a run's number or name, "newest" for the
            newest network of an earlier run on a dataset of this name, "noise" for none; None or "" is what the list says.
        gpus: How many of the machine's GPUs train; "auto": all, as far as they share the images of a step evenly.
        start_partly: Of a network that was made for other images, take over what fits: as `sg2ada train --resume-partial`.
        options: Options of `sg2ada train`, with underscores: kimg=1000, snap_minutes=5, mirror=True ... Text is read as on the
            command line; empty text and "as begun" count as not given, so that a form's fields can be passed on as they are.

    Returns:
        RunState.

    Raises:
        UserError: A setting is wrong; nothing was started.
    """
    has_gpu = warn_without_gpu(without_gpu)
    here = workspace()
    dataset, resume = chosen("dataset", dataset), chosen("start_from", resume)
    data = local_dataset(here, dataset)
    options["resume"] = start_network(here, data, resume)
    options.update({"resume_partial": True} if start_partly else {})
    plan, begins = plan_form(here, data.path, *with_gpus(gpus, options, usual), new_run, run, if_different)
    earlier = earlier_run(here, data) if begins and not (resume or new_run or if_different == NEW_RUN) else None
    if earlier is not None:
        raise offer(earlier[0], earlier[2], data)
    if in_colab() and not (has_gpu or without_gpu or plan.is_finished):
        raise no_gpu_error()
    if new_run:
        tell("warn", "new_run is ticked, so a new run begins.", "Untick it now, or the next Run all begins yet another one.")
    remembered = {"dataset": str(dataset)} if dataset and not displaces_own(here, data.path) else {}
    here.choose(run=os.path.basename(plan.run_dir), **remembered)
    plan = plan if plan.is_finished else on_cards(plan, gpus)
    for sentence in plan.sentences:
        print(as_fields(sentence))
    if plan.is_finished:
        return show_finished(plan)
    show_cost(plan, drive().free_bytes())
    return watch(plan, runtime_environment(runtime), sound)


def local_dataset(here: Workspace, dataset: Optional[FilePath]) -> Dataset:
    """Return the Dataset of a name or path, from this machine's disk: in Colab it is copied there first."""
    path = find_dataset(here, dataset)
    if in_colab():
        path = local_copy(path, os.path.join(MACHINE_FOLDER, "datasets"))
    return open_dataset(path)


def show_finished(plan: RunPlan) -> RunState:
    """Show a run that has nothing left to train; return its RunState."""
    text = f"This run is finished: {plan.start_kimg} of {plan.config.schedule.total_kimg} kimg."
    panel = open_panel(RunView(plan.candidate.run_dir, since=time.time()), plan)  # type: ignore[union-attr]
    panel.finish(Ending("done", text, "To train longer, write a larger number into kimg; to begin another run, tick new_run."))
    return RunState(plan.run_dir, "done", plan.start_kimg, plan.config.schedule.total_kimg, text)


def watch(plan: RunPlan, environment: Optional[Environment] = None, sound: bool = False) -> RunState:
    """Train a `RunPlan` in a process and show it; return its RunState.

    Args:
        environment: `Environment` to train in; None for this Python.
        sound: Play a sound at its end.

    Raises:
        UserError: What training was refused for, as its process says; or another process trains the run.
    """
    wait_for_earlier(plan.run_dir, print)
    plan = bring_here(plan, print)
    process, view = TrainingProcess.of_plan(plan, environment), RunView(plan.run_dir, since=time.time())
    known = of_this_machine(folder_on_drive(plan.drive_dir), environment.name if environment else None)
    panel = open_panel(view, plan, session_left_s, StartTimes(known, size_words(plan.config.size)))
    process.start()
    ending = supervise(process, ending_in_time(lambda: panel.refresh(process.pulse()), session_left_s), panel.say)
    panel.finish(ending)
    view.update()  # to the last tick, which may have come after the panel's last look
    if sound:
        announce(ending.state)
    if ending.error is not None:
        raise ending.error
    return RunState(plan.run_dir, ending.state, view.kimg, plan.config.schedule.total_kimg, ending.sentence, process.poll() or 0)


@plainly
def finish(unmount: bool = False, disconnect: bool = False) -> None:
    """Wait until Drive has taken in what the notebooks wrote; unmount it, and give the machine back, if asked.

    Whatever is called after it mounts Drive again.

    Args:
        unmount: Flush Drive and unmount it, which is the only way to be sure of every file.
        disconnect: The same, and give the machine back, which ends the session.
    """
    here = workspace()
    finish_drive(drive(), here.root, unmount, disconnect, close)
