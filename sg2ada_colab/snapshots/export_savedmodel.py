"""The generator as a TensorFlow SavedModel, which runs without this package: z, psi (and labels) → uint8 images."""

import os
import shutil

from ..errors import UserError


def export_savedmodel(folder, network):
    """Write a SavedModel; constant noise, so equal inputs give equal images.

    The signature `serving_default` takes z float32 [N, latent_size], psi float32 [] (truncation, 1 for none) and, for conditional
    networks, labels float32 [N, label_size]; it returns `images` uint8 [N,R,R,C]. The object itself can be called the same way.

    Args:
        folder: Name of the folder; must not exist yet.
        network: NetworkData of a generator, by custom Gs.
    """
    from ..networks.generator import Generator, to_uint8
    from ..networks.variables import GeneratorConfig
    from ..tf import tf

    folder = str(folder)
    if os.path.exists(folder):
        raise UserError("{} exists already.".format(folder), "a new name for the folder of the SavedModel", "choose another name")
    config = GeneratorConfig.from_kwargs(network.kwargs)
    G = Generator(config, network.variables, num_fp16_res=0)
    module = tf.Module()
    module.weights = list(G.variables.values())
    inputs = [tf.TensorSpec([None, config.latent_size], tf.float32, name="z"), tf.TensorSpec([], tf.float32, name="psi")]
    if config.label_size:
        inputs.append(tf.TensorSpec([None, config.label_size], tf.float32, name="labels"))

    def generate(z, psi, *labels):
        images = G(z, labels[0] if labels else tf.zeros([tf.shape(z)[0], 0]), truncation_psi=psi)
        return {"images": to_uint8(images)}

    def generate_unlabelled(z, psi):
        return generate(z, psi)

    def generate_labelled(z, psi, labels):
        return generate(z, psi, labels)

    function = generate_labelled if config.label_size else generate_unlabelled
    module.__call__ = tf.function(function, input_signature=inputs, autograph=False)
    temporary = folder + ".part"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        tf.saved_model.save(module, temporary, signatures=module.__call__.get_concrete_function())
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
