"""Make the environment of TensorFlow 1.14: of a CPython 3.7 that is there or micromamba's with CUDA 10.0, with this library."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from typing import Any, Callable, Optional

from ..errors import UserError
from ..files import write_text
from ..formats.download import download
from ..machine import gpus, in_colab, in_kaggle
from ..processes import ChildProcess
from ..words import shown
from .environment import MAKING, Environment, card_for_cuda_10, environment_folder, find_environment, remove_environment
from .library_wheel import library_digest, write_wheel
from .session import plainly, tell

MICROMAMBA = "https://github.com/mamba-org/micromamba-releases/releases/latest/download/micromamba-linux-64"
PACKAGES = ("python=3.7", "pip")
CUDA_PACKAGES = ("cudatoolkit=10.0", "cudnn=7.6")
EXACT = (
    "A run goes over from TensorFlow 2 and back: weights, Adam's moments, counters, p and the order of the images are taken "
    "over to the last bit. The steps from there on agree but for rounding, so with time a seed's picture becomes another one."
)
LAST_LINES = 6  # of a command that failed
PROBE = "import json; from sg2ada_colab.tf import VERSION, gpus; print(json.dumps([VERSION, len(gpus())]))"


def make_environment(
    name: str,
    say: Callable[[str], Any] = print,
    python: Optional[str] = None,
    micromamba: Optional[bool] = None,
    processor_only: bool = False,
) -> Environment:
    """Make an environment, or see that the one that is there is complete and has this library; return it.

    Args:
        name: A key of `environment.NAMES`.
        say: Callable of a sentence.
        python: A CPython 3.7 to make it from; None looks for one.
        micromamba: Whether micromamba brings Python and CUDA 10.0; None: in Colab and on Kaggle, unless a `python` is given.
        processor_only: Leave CUDA out and use no GPU.

    Raises:
        UserError: The GPU is too new, there is no Python 3.7, or a command failed.
    """
    folder = environment_folder(name)
    card = None if processor_only else card_for_cuda_10()
    package = "tensorflow-gpu" if card else "tensorflow"
    found = find_environment(name)
    if found is not None and found.tensorflow == package:
        return renew_library(found, say)
    if found is not None:
        say("The environment that is there is for {}: it is made anew.".format("a GPU" if found.uses_gpu else "the processor"))
    remove_environment(name)
    by_micromamba = (in_colab() or in_kaggle()) and python is None if micromamba is None else micromamba
    base = None if by_micromamba else python_37(python)
    os.makedirs(folder)
    write_text(os.path.join(folder, MAKING), json.dumps({"name": name}))
    made = Environment(name, os.path.join(folder, "bin", "python"), package, library_digest())
    if base:
        say(f"1 of 3: an environment of {base}")
        _run([base, "-m", "venv", folder], made)
    else:
        size = "about 2 GB, some minutes" if card else "about 0.2 GB"
        say("1 of 3: Python 3.7{}, with micromamba: {}".format(" with CUDA 10.0 and cuDNN 7" if card else "", size))
        _run_micromamba(folder, PACKAGES + (CUDA_PACKAGES if card else ()), made)
    say("2 of 3: TensorFlow 1.14 and this library: {}".format("0.4 GB, some minutes" if card else "0.1 GB"))
    _install(made)
    say("3 of 3: does it see the GPU?" if card else "3 of 3: does it work?")
    say(what_it_sees(made, card))
    made.save()
    os.remove(os.path.join(folder, MAKING))
    return made


def renew_library(environment: Environment, say: Callable[[str], Any] = print) -> Environment:
    """See that an environment has this library as it runs here; return the environment as it is then."""
    digest = library_digest()
    if environment.library == digest:
        return environment
    say(f"The library in the environment {environment.name} is another version: it is replaced.")
    _install(environment, "--no-deps", "--force-reinstall")
    renewed = replace(environment, library=digest)
    renewed.save()
    return renewed


def python_37(given: Optional[str] = None) -> str:
    """Return the path of a CPython 3.7: the given one, or one on the path, from pyenv or from conda.

    Raises:
        UserError: There is none.
    """
    homes = [os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"), os.path.expanduser("~/.local/share/uv/python")]
    versions = [os.path.join(home, "versions") for home in homes[:1]] + homes[1:]
    kept = [os.path.join(at, name, "bin", "python3.7") for at in versions if os.path.isdir(at) for name in sorted(os.listdir(at))]
    for candidate in [given] if given else [shutil.which("python3.7"), *kept[::-1]]:
        if candidate and _version(candidate) == "CPython 3.7":
            return candidate
    raise UserError(
        f"{given} is no CPython 3.7." if given else "There is no CPython 3.7 on this machine.",
        "CPython 3.7 on the path or from pyenv: TensorFlow 1.14 runs on no later Python",
        "pyenv install 3.7, or let micromamba bring it, with CUDA 10.0: sg2ada env create tf114 --micromamba",
    )


def _version(python):
    code = "import platform, sys; print(platform.python_implementation(), '%d.%d' % sys.version_info[:2])"
    try:
        said = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30).stdout
        return said.decode().strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _run_micromamba(folder, packages, environment):
    envs = os.path.dirname(folder)
    program = shutil.which("micromamba") or _download_micromamba(os.path.join(envs, "bin", "micromamba"))
    kept = os.path.join(envs, "packages-of-micromamba")
    command = [program, "create", "--yes", "--no-rc", "--root-prefix", kept, "--prefix", folder]
    _run(command + ["--override-channels", "--channel", "conda-forge"] + list(packages), environment)
    shutil.rmtree(kept, ignore_errors=True)  # gigabytes that are not needed again


def _download_micromamba(path):
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise UserError(
            f"TensorFlow 1.14 and CUDA 10.0 exist for {sys.platform} on {platform.machine()} in no form that this program knows.",
            "Linux on x86_64, as Colab has it", "make the environment there",
        )  # fmt: skip
    if not os.path.isfile(path):
        download(MICROMAMBA, path)
        os.chmod(path, 0o755)
    return path


def _install(environment, *flags):
    folder = tempfile.mkdtemp(prefix="sg2ada-wheel-")
    try:
        wheel = write_wheel(folder, environment.tensorflow)
        words = ["-m", "pip", "install", "--disable-pip-version-check", "--no-warn-script-location", *flags, wheel]
        _run([environment.python] + words, environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command, environment):
    """Run a command; raise a UserError with its last lines where it fails."""
    # The commands see this machine's libraries and no checkout: pip would take it for an installation to be replaced.
    variables = dict(environment.variables(), LD_LIBRARY_PATH=os.environ.get("LD_LIBRARY_PATH"), PYTHONPATH=None)
    try:
        process = ChildProcess([], command=command, variables=variables)
    except OSError as error:
        raise UserError(f"{command[0]} cannot be started: {error.strerror}", "a program that runs here", "see that it is one")
    try:
        lines = [line.strip() for line in process.lines() if line.strip()]
        code = process.wait()
    finally:
        process.kill()
    if code:
        said = "\n    ".join(shown(line) for line in lines[-LAST_LINES:])
        raise UserError(
            "The environment {} could not be made: {} ended with code {}.\n    {}".format(
                environment.name, " ".join(shown(word) for word in command[:4]), code, said),
            "a network, and some gigabytes of free disk",
            f"see what it said; then run sg2ada env create {environment.name} again",
        )  # fmt: skip


def what_it_sees(environment: Environment, card: Optional[str]) -> str:
    """Return a sentence on the TensorFlow of an environment and whether it sees the GPU.

    Args:
        card: Name of the machine's GPU, or None.

    Raises:
        UserError: TensorFlow cannot be imported.
    """
    variables = dict(environment.variables(), TF_CPP_MIN_LOG_LEVEL="0")
    process = ChildProcess(["-c", PROBE], command=[environment.python], variables=variables)
    lines = list(process.lines())
    answers = [json.loads(line) for line in lines if re.fullmatch(r'\["[\w.]+", \d+\]', line)]
    if process.wait() or not answers:
        said = "\n    ".join(shown(line) for line in lines[-LAST_LINES:])
        raise UserError(
            f"TensorFlow cannot be imported in the environment {environment.name}.\n    {said}", "TensorFlow 1.14",
            f"sg2ada env remove {environment.name}, then make it again",
        )  # fmt: skip
    version, seen = answers[-1]
    there = f"TensorFlow {version} in {environment.prefix}"
    if seen:
        return f"{there} sees the GPU: {card}."
    if not environment.uses_gpu:
        return f"{there} works on the processor." + ("" if not gpus() else " It uses no GPU: that is how it was made.")
    missing = sorted(set(re.findall(r"Could not dlopen library '([\w.]+)'", "\n".join(lines))))
    lacks = " These libraries of CUDA 10.0 are missing: {}.".format(", ".join(missing)) if missing else ""
    remedy = f"sg2ada env remove {environment.name}, then sg2ada env create {environment.name} --micromamba brings them."
    return f"{there} does NOT see the GPU ({card}) and would train on the processor.{lacks} {remedy}"


@plainly
def environment(name: str, wanted: bool = True) -> None:
    """Make an environment from a notebook, as `make_environment` does, and say what it sees; nothing where it is not wanted."""
    if wanted:
        made = make_environment(name)
        more = EXACT if made.uses_gpu else "It uses no GPU. " + EXACT
        tell("good", f"Ready. To train there, choose {name} in the field runtime of notebook 3.", more)


def runtime_environment(runtime: Optional[str], say: Callable[[str], Any] = print) -> Optional[Environment]:
    """Return the `Environment` that a notebook's `runtime` names, made or renewed where needed; None: this Python itself.

    Raises:
        UserError: There is no such runtime, or its TensorFlow cannot use this machine's GPU.
    """
    if not runtime:
        return None
    environment_folder(runtime)  # is it a name?
    found = find_environment(runtime)
    if found is None:
        say(f"The environment {runtime} is not on this machine yet. Making it takes some minutes.")
        found = make_environment(runtime, say)
    else:
        if found.uses_gpu:
            card_for_cuda_10()
        elif gpus():
            say(
                f"The environment {runtime} was made for the processor and uses no GPU; sg2ada env create {runtime} changes that."
            )
        found = renew_library(found, say)
    say(f"TensorFlow 1.14 in {found.prefix} trains. {EXACT}")
    return found
