import shutil
import subprocess
import sys

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.export_savedmodel import export_savedmodel
from sg2ada_colab.formats.read import read_snapshot
from tests.conftest import DATA
from tests.oracles.forms import FORMS
from tests.oracles.small_snapshots import small_snapshot

# What a user without this package would write; TF 1.14 needs its version 2 behaviour switched on.
PROGRAM = """
import sys
import numpy as np
import tensorflow
tensorflow.compat.v1.enable_v2_behavior()
tf = tensorflow.compat.v2
folder, inputs, outputs = sys.argv[1:]
given = np.load(inputs)
model = tf.saved_model.load(folder)
labels = {"labels": tf.constant(given["labels"])} if given["labels"].shape[1] else {}
results = {}
for key, psi in (("psi1", 1.0), ("psi05", 0.5)):
    made = model.signatures["serving_default"](z=tf.constant(given["z"]), psi=tf.constant(psi), **labels)
    results[key] = made["images"].numpy()
assert not any(name.startswith("sg2ada") for name in sys.modules)
np.savez(outputs, **results)
"""


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["tf_uncond", "pt_cond"])
def test_it_runs_without_this_package(tag, reference, tmp_path):
    numbers, network = reference("pickles"), read_snapshot(DATA / f"network_{tag}.pkl").Gs
    (tmp_path / "model.part").mkdir()
    (tmp_path / "model.part" / "mine").write_text("of a person")
    export_savedmodel(tmp_path / "model", network)
    assert (tmp_path / "model.part" / "mine").exists()
    shutil.rmtree(str(tmp_path / "model.part"))
    np.savez(str(tmp_path / "in.npz"), z=numbers[tag + ".z"], labels=numbers[tag + ".labels"])
    (tmp_path / "program.py").write_text(PROGRAM)
    subprocess.run([sys.executable, "program.py", "model", "in.npz", "out.npz"], cwd=str(tmp_path), check=True, timeout=300)
    got = np.load(str(tmp_path / "out.npz"))
    prefix = tag + (".Gs_images_" if tag.startswith("tf") else ".G_ema_images_")
    for key in ("psi1", "psi05"):
        expected = np.clip(np.trunc(numbers[prefix + key] * 127.5 + 128), 0, 255).transpose(0, 2, 3, 1)
        assert got[key].dtype == np.uint8 and got[key].shape == expected.shape
        assert np.abs(got[key] - expected).max() <= 1 and (got[key] != expected).mean() < 1e-3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npz", "model", "out.npz", "program.py"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["network_pt_cond", "tall", "wide rgba"])
def test_a_fixed_truncation_is_no_input(name, tmp_path):
    from sg2ada_colab.generate.generator import TrainedGenerator
    from sg2ada_colab.tf import tf

    of_a_form = FORMS.get(name)
    network = read_snapshot(DATA / f"{name}.pkl").Gs if of_a_form is None else small_snapshot(label_size=2, **of_a_form).Gs
    export_savedmodel(tmp_path / "model", network, psi=0.6)
    generator, model = TrainedGenerator(network, xla=False), tf.saved_model.load(str(tmp_path / "model"))
    z, labels = tf.constant(np.float32(generator.latents([1, 2]))), tf.constant(generator.labels(1, 2))
    made = model.signatures["serving_default"](z=z, labels=labels)["images"].numpy()
    assert np.abs(made.astype(int) - generator.images([1, 2], 1, 0.6)).max() <= 1


def test_an_existing_folder_is_not_touched(tmp_path):
    with pytest.raises(UserError, match="exists already"):
        export_savedmodel(tmp_path, read_snapshot(DATA / "network_tf_uncond.pkl").Gs)
