"""A network that is known before TensorFlow is imported, and opened once, where it is needed."""

import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.generate.named_network import NamedNetwork
from tests.oracles.small_snapshots import small_snapshot


def test_it_knows_what_its_generator_knows():
    network, opened = small_snapshot(label_size=3).Gs, []

    def open_generator():
        opened.append(TrainedGenerator(network, xla=False, title="cats"))
        return opened[-1]

    named = NamedNetwork(network, None, "cats", open_generator)
    with pytest.raises(UserError, match="cats has no class 3"):
        named.labels(3)
    known = named.config, named.num_layers, named.digest, named.labels(2, 2).tolist()
    assert not opened
    generator = named.ready()
    assert named.ready() is generator and generator.ready() is generator and len(opened) == 1
    assert known == (generator.config, generator.num_layers, generator.digest, generator.labels(2, 2).tolist())


def test_a_digest_is_asked_for_once_and_differs_where_a_weight_does():
    asked = []
    named = NamedNetwork(small_snapshot().Gs, lambda: asked.append(1) or "ab", "cats", lambda: None)
    assert (named.digest, named.digest, asked) == ("ab", "ab", [1])
    networks = [small_snapshot().Gs, small_snapshot().Gs]
    name = "synthesis/4x4/Const/const"
    networks[1].variables[name] = np.array(networks[1].variables[name]) + np.float32(1e-6)
    assert len({NamedNetwork(network, None, "cats", lambda: None).digest for network in networks}) == 2
