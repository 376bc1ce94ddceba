"""The generator as a TensorFlow SavedModel, which runs without this package: z, psi (and labels) → uint8 images."""

import os
import secrets
import shutil
from typing import Optional

from ..errors import UserError
from ..files import FilePath
from .network_data import NetworkData


def export_savedmodel(folder: FilePath, network: NetworkData, psi: Optional[float] = None) -> None:
    """Write a SavedModel; constant noise, so equal inputs give equal images.

    The signature `serving_default` takes z float32 [N, latent_size], psi float32 [] (truncation, 1 for none) and, for conditional
    networks, labels float32 [N, label_size]; it returns `images` uint8 [N,H,W,C]. The object itself can be called the same way.

    Args:
        folder: Name of the folder; must not exist yet.
        network: NetworkData of a generator, conventionally Gs.
        psi: A fixed truncation, which the signature then does not take.

    Raises:
        UserError: The folder exists already.
    """
    from ..networks.generator import Generator, to_uint8
    from ..tf import tf

    folder = str(folder)
    if os.path.exists(folder):
        raise UserError(f"{folder} exists already.", "a new name for the folder of the SavedModel", "choose another name")
    config = network.config
    G = Generator(config, network.variables, num_fp16_res=0)
    module = tf.Module()
    module.weights = list(G.variables.values())
    inputs = [tf.TensorSpec([None, config.latent_size], tf.float32, name="z")]
    inputs += [tf.TensorSpec([], tf.float32, name="psi")] if psi is None else []
    if config.label_size:
        inputs.append(tf.TensorSpec([None, config.label_size], tf.float32, name="labels"))

    def generate(z, *others):
        chosen, labels = (others[0], others[1:]) if psi is None else (psi, others)
        images = G(z, labels[0] if labels else tf.zeros([tf.shape(z)[0], 0]), truncation_psi=chosen)
        return {"images": to_uint8(images)}

    module.__call__ = tf.function(generate, input_signature=inputs, autograph=False)
    temporary = f"{folder}.{secrets.token_hex(8)}.part"
    os.mkdir(temporary)
    try:
        tf.saved_model.save(module, temporary, signatures=module.__call__.get_concrete_function())
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
