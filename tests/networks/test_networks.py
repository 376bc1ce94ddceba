"""Whole networks against arrays of an independent implementation: outputs, gradients, R1, path length, half precision."""

import functools

import numpy as np
import pytest

from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
from sg2ada_colab.networks.discriminator import Discriminator
from sg2ada_colab.networks.generator import Generator, broadcast, to_uint8, truncate
from sg2ada_colab.tf import tf
from sg2ada_colab.training import losses
from tests.oracles.forms import FORMS, picture_shape
from tests.oracles.small_snapshots import small_snapshot

NETS = "abcd"
FORWARD, FIRST_ORDER, SECOND_ORDER = 2e-5, 5e-5, 2e-4


@pytest.fixture(params=NETS)
def net(request, reference):
    return build(request.param, reference)


@functools.lru_cache(maxsize=None)
def build(name, reference):
    return Net(name, reference)


class Net:
    """A generator and a discriminator with the weights of one reference file."""

    def __init__(self, name, reference):
        self.data = reference("networks_" + name)
        self.gradients = reference(f"networks_{name}_gradients") if name in "ab" else self.data
        self.config = self.data.json("config")
        g, d = self.config["G_static_kwargs_in_pickle"], self.config["D_static_kwargs_in_pickle"]
        self.g_values = {n: self.data["G:" + n] for n in self.config["G_variables"]}
        self.d_values = {n: self.data["D:" + n] for n in self.config["D_variables"]}
        self.G = Generator(GeneratorConfig.from_kwargs(g), self.g_values)
        self.D = Discriminator(DiscriminatorConfig.from_kwargs(d), self.d_values)

    def tensor(self, key):
        return tf.constant(nhwc(self.data[key] if key in self.data else self.gradients[key]))

    def discriminator(self, group):
        config = dict(self.config["D_static_kwargs_in_pickle"], mbstd_group_size=group)
        return Discriminator(DiscriminatorConfig.from_kwargs(config), self.d_values)

    def check_gradients(self, kind, network, loss, tape, tolerance, relmax):
        gradients = tape.gradient(loss, list(network.trainable.values()), unconnected_gradients=tf.UnconnectedGradients.ZERO)
        norms = self.data["gradnorm." + kind]
        biggest = norms.max()
        names = self.config[("G" if network is self.G else "D") + "_trainables"]
        by_name = dict(zip(network.trainable, gradients))
        for name, norm in zip(names, norms):
            ours = by_name[name].numpy()
            assert abs(np.linalg.norm(ours.astype(np.float64)) - norm) <= tolerance * max(norm, biggest * 1e-3), name
            key = f"grad.{kind}:{name}"
            if key in self.gradients:
                expected = self.gradients[key]
                flat = ours if ours.size <= 1200 else ours.ravel()[:: -(-ours.size // 256)]
                assert np.max(np.abs(flat - expected)) <= tolerance * max(
                    np.max(np.abs(expected)), 1e-3 * biggest / np.sqrt(ours.size)
                ), name


def nhwc(x):
    return np.ascontiguousarray(np.transpose(x, (0, 2, 3, 1))) if x.ndim == 4 else x


def test_golden_variable_lists(net):
    assert list(net.G.variables) == net.config["G_variables"]
    assert list(net.D.variables) == net.config["D_variables"]
    assert list(net.G.trainable) == net.config["G_trainables"]
    assert list(net.D.trainable) == net.config["D_trainables"]


def test_w_and_truncation(net, relmax):
    w = broadcast(net.G.map(net.tensor("z"), net.tensor("labels")), net.G.config.num_layers)
    assert relmax(w, net.data["w"]) < FORWARD
    cut = truncate(w, net.G.variables["dlatent_avg"], 0.5, net.config["truncation_cutoff"])
    assert relmax(cut, net.data["w_psi05_cutoff"]) < FORWARD


def test_images(net, relmax):
    z, labels = net.tensor("z"), net.tensor("labels")
    assert relmax(net.G(z, labels), nhwc(net.data["images_psi1"])) < FORWARD
    assert relmax(net.G(z, labels, 0.5), nhwc(net.data["images_psi05"])) < FORWARD
    assert relmax(net.G(z, labels, 0.5, net.config["truncation_cutoff"]), nhwc(net.data["images_psi05_cutoff"])) < FORWARD
    assert relmax(net.G.synthesize(tf.constant(net.data["wplus"])), nhwc(net.data["images_wplus"])) < FORWARD


def test_scores(net, relmax):
    images, labels = net.tensor("D_images"), net.tensor("D_labels")
    assert relmax(net.D(images, labels), net.data["D_scores_group4"]) < FORWARD
    assert relmax(net.discriminator(None)(images, labels), net.data["D_scores_groupNone"]) < FORWARD
    assert relmax(net.D(images[:2], labels[:2]), net.data["D_scores_first2"]) < FORWARD
    assert relmax(net.D(images[:1], labels[:1]), net.data["D_scores_single"]) < FORWARD


def test_half_precision_stays_near(net):
    if "images_fp16" not in net.data:
        pytest.skip("the reference has no half-precision figures for this network")
    half_g = Generator(net.G.config, net.g_values, num_fp16_res=4)
    half_d = Discriminator(net.D.config, net.d_values, num_fp16_res=4)
    images = half_g(net.tensor("z"), net.tensor("labels"))
    assert np.max(np.abs(images - nhwc(net.data["images_fp16"]))) < 0.05
    assert np.any(images.numpy() != net.G(net.tensor("z"), net.tensor("labels")).numpy()), "nothing ran in half precision"
    assert np.max(np.abs(half_d(net.tensor("D_images"), net.tensor("D_labels")) - net.data["D_scores_fp16"])) < 5e-3


def test_r1(net, relmax):
    images, labels = net.tensor("D_images"), net.tensor("D_labels")
    with tf.GradientTape() as tape:
        with tf.GradientTape() as inner:
            inner.watch(images)
            total = tf.reduce_sum(net.D(images, labels))
        image_gradients = inner.gradient(total, images)
        penalty, _, _ = losses.r1_penalty(lambda x: (net.D(x, labels), None), images)
        loss = tf.reduce_mean(penalty) * (net.config["r1_gamma"] / 2)
    assert relmax(image_gradients[: net.config["R1_grads_images"]], nhwc(net.gradients["R1_grads"])) < FIRST_ORDER
    assert relmax(penalty, net.data["R1_penalty"] if "R1_penalty" in net.data else net.gradients["R1_penalty"]) < FIRST_ORDER
    assert relmax(loss, net.data["loss.D_r1"]) < FIRST_ORDER
    net.check_gradients("D_r1", net.D, loss, tape, SECOND_ORDER, relmax)


def test_discriminator_loss(net, relmax):
    images, labels = net.tensor("D_images"), net.tensor("D_labels")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(losses.discriminator_logistic(net.D(images[:4], labels[:4]), net.D(images[4:], labels[4:])))
    assert relmax(loss, net.data["loss.D_main"]) < FIRST_ORDER
    net.check_gradients("D_main", net.D, loss, tape, FIRST_ORDER, relmax)


def test_generator_loss(net, relmax):
    z, labels = net.tensor("Gtrain_z"), net.tensor("Gtrain_labels")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(losses.generator_logistic(net.D(net.G(z, labels), labels)))
    assert relmax(loss, net.data["loss.G_main"]) < FIRST_ORDER
    net.check_gradients("G_main", net.G, loss, tape, FIRST_ORDER, relmax)


def test_path_length(net, relmax):
    z, labels = net.tensor("Gtrain_z")[:2], net.tensor("Gtrain_labels")[:2]
    noise = net.tensor("PL_y")
    with tf.GradientTape() as tape:
        w = broadcast(net.G.map(z, labels), net.G.config.num_layers)
        lengths = losses.path_lengths(net.G.synthesize, w, noise)
        penalty, mean = losses.path_length_penalty(lengths, tf.constant(np.float32(net.config["pl_mean_in"])))
        loss = tf.reduce_mean(penalty) * losses.PL_WEIGHT
    assert relmax(lengths, net.gradients["PL_lengths"]) < FIRST_ORDER
    assert relmax(mean, net.gradients["PL_mean_new"]) < FIRST_ORDER
    assert relmax(penalty, net.gradients["PL_penalty"]) < SECOND_ORDER
    assert relmax(loss, net.data["loss.G_pl"]) < SECOND_ORDER
    net.check_gradients("G_pl", net.G, loss, tape, SECOND_ORDER, relmax)


def test_images_do_not_depend_on_the_batch(net, relmax):
    z, labels = net.tensor("z"), net.tensor("labels")
    alone = tf.concat([net.G(z[:1], labels[:1]), net.G(z[1:], labels[1:])], 0)
    assert relmax(alone, net.G(z, labels)) < FORWARD  # matrix products of other sizes sum in another order


@pytest.mark.parametrize("form", ["square", "tall", "wide rgba"])
def test_pictures_of_every_form_do_not_depend_on_the_batch_and_half_precision_stays_near(form, relmax):
    snapshot, random = small_snapshot(label_size=2, **FORMS[form]), np.random.RandomState(3)
    G, half_G = (Generator(snapshot.Gs.config, snapshot.Gs.variables, num_fp16_res=n) for n in (0, 4))
    D, half_D = (Discriminator(snapshot.D.config, snapshot.D.variables, num_fp16_res=n) for n in (0, 4))
    z, labels = np.float32(random.randn(4, 5)), np.eye(2, dtype=np.float32)[[0, 1, 1, 0]]
    images = G(z, labels).numpy()
    assert images.shape[1:] == picture_shape(form)
    assert relmax(np.concatenate([G(z[:1], labels[:1]), G(z[1:], labels[1:])]), images) < FORWARD
    assert relmax(half_G(z, labels), images) < 0.05 and np.any(half_G(z, labels).numpy() != images)
    scores = D(images, labels).numpy()
    assert relmax(half_D(images, labels), scores) < 0.05
    # Groups of the minibatch statistics are {j, j + n/2}: pairs stay together.
    pairs = np.concatenate([D(images[rows], labels[rows]).numpy() for rows in ([0, 2], [1, 3])])
    assert relmax(pairs, scores[[0, 2, 1, 3]]) < FORWARD


def test_random_noise_is_a_function_of_the_seed(net):
    z, labels, seed = net.tensor("z"), net.tensor("labels"), tf.constant([3, 4], tf.int32)
    first, again = net.G(z, labels, noise_seed=seed).numpy(), net.G(z, labels, noise_seed=seed).numpy()
    other = net.G(z, labels, noise_seed=tf.constant([3, 5], tf.int32)).numpy()
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_uint8_rule():
    x = np.float32([-1.1, -1.0, -0.9961, 0.0, 0.5, 0.99, 1.0, 7.0])
    assert (
        to_uint8(tf.constant(x)).numpy().tolist()
        == np.clip(np.trunc(np.float32(x * np.float32(127.5) + np.float32(128))), 0, 255).tolist()
    )
