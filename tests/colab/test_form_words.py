"""Messages of the library as a notebook shows them: fields, no flags; cells, no commands; no advice that a form cannot follow."""

import ast
import re
from pathlib import Path

import pytest

from sg2ada_colab.colab import concerns
from sg2ada_colab.colab.form_words import AGAIN, FIELD_OF, PICTURES, as_fields
from sg2ada_colab.config.options import TrainOptions
from sg2ada_colab.config.refusals import together
from sg2ada_colab.config.resolve import option_refusals, resolve
from sg2ada_colab.config.train_config import DatasetInfo
from sg2ada_colab.formats.network_pickle import write_network_pickle
from sg2ada_colab.runs.transfer import adopt_architecture, starting_networks
from tests.oracles.small_snapshots import small_snapshot

SOURCES = Path(__file__).parents[2] / "notebooks" / "sources"


def fields_of(*notebooks):
    forms = [(SOURCES / (name + ".md")).read_text(encoding="utf-8") for name in notebooks]
    return set(re.findall(r"^(\w+) = .*#@param", "\n".join(forms), re.M))


@pytest.mark.parametrize("text, shown", [
    ("use --fit pad, or --upscale", "use fit pad, or upscale"),
    ("Changed: --snap-minutes: 10 before, 3 now", "Changed: snapshot_minutes: 10 before, 3 now"),
    ("Pass --aug=fixed.", "Pass augmentation=fixed."),
    ("stop the other one first: sg2ada resume", "stop the other one first: run the training cell again"),
    ("Stopped: a signal. Go on with: sg2ada resume /a/b.c/00000-x", "Stopped: a signal. Run the training cell again"),
    ("to go on with this run: sg2ada resume /a/00000-x; to begin a new run", "to go on with this run: run the training cell "
     "again; to begin a new run"),
    ("set --batch-gpu 4 (batch_gpu in a notebook) and go on (sg2ada resume /a/b, or the cell again): the minibatch stays",
     "set batch_gpu 4 and go on (run the training cell again): the minibatch stays"),
    ("choose a smaller --res, or fewer channels: --cbase, --cmax", "make the dataset with a smaller resolution in notebook 2"),
    ("pass --cmethod=auxrot, or add --resume-partial: the last layer", "add start_partly: the last layer"),
    ("write --trunc=0.7", "write truncation=0.7"),
    ("install it with `pip install onnx`", "install it with `!pip install onnx`"),
    ("run: pip install --no-deps lpips", "run: !pip install --no-deps lpips"),
    ("Begin a new run with its network: sg2ada train --resume=<its newest network-snapshot> --start-kimg=<its kimg>.",
     "Begin a new run with its network: tick new_run and write the run's number into start_from."),
    ("for a new run pass --resume=<its newest network-snapshot> --start-kimg=<its kimg>.",
     "for a new run pass start_from=<its newest network-snapshot>."),
    ("Pass --aug=fixed, or --initstrength=0.3 to begin the adaptation there.", "Pass augmentation=fixed."),
    ("Begin anew: G synthesis/64x64/ToRGB.", "1 layer begins with nothing learned."),
    ("Begin anew: G synthesis/64x64/Conv0_up, G synthesis/64x64/Conv1, D 64x64/FromRGB and 4 more. Then", "7 layers begin with "
     "nothing learned. Then"),
    ("Left behind: D 32x32/FromRGB, D 32x32/Conv0.", "Not taken over from that network: 2 layers."),
    ("Prepare the dataset with `sg2ada prepare --resolution 32`, or add `--resume-partial`: the layers",
     "Prepare the dataset with notebook 2, resolution 32, or add `start_partly`: the layers"),
])  # fmt: skip
def test_flags_become_fields_and_commands_cells(text, shown):
    assert as_fields(text) == shown


@pytest.mark.parametrize("text", [
    "see them all with: !python -m sg2ada_colab train --help",
    "use the processor alone: sg2ada env create tf114 --cpu",
    "!pip install tensorboard",
    "sg2ada env remove tf114, then sg2ada env create tf114 --micromamba",
    "convert its network, sg2ada convert NETWORK NEW.pkl --no-alpha; or not",
    "a -- dash and left-right, well--known",
])  # fmt: skip
def test_what_is_to_be_typed_and_what_is_no_flag_stays(text):
    assert as_fields(text) == text


def test_every_name_is_that_of_a_field():
    assert set(FIELD_OF) <= set(TrainOptions.__dataclass_fields__) and set(FIELD_OF.values()) <= fields_of("03_train")
    assert set(PICTURES.values()) <= fields_of("05_make_pictures", "06_photograph")


def test_a_run_that_starts_from_a_network_is_spoken_of_in_plain_words(tmp_path):
    """What 03 prints where start_from names a network: fields of its form, no name of the program's own, nothing to type."""
    path = str(tmp_path / "network-snapshot-000123.pkl")
    write_network_pickle(path, small_snapshot(fmap_base=32, fmap_max=7, mapping_layers=8))
    data = DatasetInfo("d/faces", "faces", 16, 3, 0, 100, has_validation=False, digest="abc")
    config = resolve(TrainOptions(data="d/faces", outdir="r", resume=path), data)
    config = adopt_architecture(config, starting_networks(path))
    said = as_fields(" ".join(config.notes))
    assert "G's channels: " in said and "times as many as the options say" in said
    assert f"To go on with a run later: {AGAIN}." in said
    assert not re.search(r"fmap|_kwargs|--|sg2ada resume|start_kimg|initstrength", said), said


def test_what_the_panel_advises_names_fields_that_the_form_has():
    texts = [node.value for node in ast.walk(ast.parse(Path(concerns.__file__).read_text(encoding="utf-8")))
             if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value]  # fmt: skip
    options = set(TrainOptions.__dataclass_fields__) - {"data", "p", "seed"}  # words, too; the strength p is measured
    named = {name for text in texts for name in re.findall(r"\w+", text)} & options
    assert {"gamma", "lrate", "max_p"} <= named <= fields_of("03_train")


@pytest.mark.parametrize("options", [{"aug": "fixed"}, {"p": 0.3}, {"aug": "noaug", "augpipe": "bg"}, {"aug": "ada", "p": 0.2},
                                     {"aug": "fixed", "p": 0.3, "max_p": 0.5}])  # fmt: skip
def test_what_the_training_form_is_refused_for_names_fields_that_it_has(options):
    problems = option_refusals(TrainOptions(data="d", outdir="r", **options))
    assert problems
    said = as_fields(str(together(problems)))
    named = set(re.findall(r"\b(\w+)(?:=| is given| together| out\b| too\b)", said)) & set(TrainOptions.__dataclass_fields__)
    assert named and named <= fields_of("03_train"), said
    assert "--" not in said and "initstrength" not in said
