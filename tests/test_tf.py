"""The import of TensorFlow: without Keras, which is there all the same for those who ask for it."""

import subprocess
import sys

import pytest

from sg2ada_colab.tf import IS_TF1

LOOK = """
import sys
from sg2ada_colab.tf import tf
print(sorted({name.partition(".")[0] for name in sys.modules}.intersection(["keras", "tf_keras", "tensorflow"])))
from tensorflow.keras import layers
print(layers.Dense.__module__.partition(".")[0], tf.keras.layers.Dense is layers.Dense, type(tf.keras.optimizers.Adam()).__name__)
"""


@pytest.mark.skipif(IS_TF1, reason="TensorFlow 1.14 has a Keras of its own inside")
def test_keras_is_not_imported_and_can_be_had():
    said = subprocess.run([sys.executable, "-c", LOOK], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    assert said[-2:] == ["['tensorflow']", "keras True Adam"]
