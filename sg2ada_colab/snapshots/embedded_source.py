"""The Python source that our TensorFlow pickles carry: stylegan2-ada runs it to build the networks.

It is a text, not part of this program: it runs in a process with TensorFlow 1.14 and NVIDIA's dnnlib, needs none of our modules,
and is written from the papers (StyleGAN2; StyleGAN2-ADA). It computes in float32 throughout and on CPUs too; the options about
precision that the tools pass are accepted and change nothing.
"""


def embedded_source():
    """Return the text for a pickle's `build_module_src`."""
    return SOURCE


SOURCE = '''"""StyleGAN2 networks for TensorFlow 1.14 and dnnlib.tflib, by the sg2ada_colab project (MIT licence).

Written from "Analyzing and Improving the Image Quality of StyleGAN" (Karras et al. 2020) and "Training Generative Adversarial
Networks with Limited Data" (Karras et al. 2020). Images are NCHW outside, NHWC inside, float32 throughout.
"""
import numpy as np
import tensorflow as tf


def _weight(name, shape, lrmul=1.0):
    """Equalised learning rate: stored with standard deviation 1/lrmul, used with 1/sqrt(fan-in)."""
    raw = tf.get_variable(name, shape=shape, initializer=tf.initializers.random_normal(0, 1.0 / lrmul))
    return raw * (lrmul / np.sqrt(np.prod(shape[:-1])))


def _bias(name, size, lrmul=1.0):
    return tf.get_variable(name, shape=[size], initializer=tf.initializers.zeros()) * lrmul


def _dense(x, layer, fan_in, fan_out, act="linear", lrmul=1.0):
    y = tf.matmul(x, _weight(layer + "/weight", [fan_in, fan_out], lrmul)) + _bias(layer + "/bias", fan_out, lrmul)
    return _activate(y, act)


def _activate(x, act="lrelu", clamp=None):
    if act == "lrelu":
        x = tf.nn.leaky_relu(x, 0.2) * np.sqrt(2)
    return x if clamp is None else tf.clip_by_value(x, -clamp, clamp)


def _normalize(x):
    return x * tf.rsqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + 1e-8)


def _channels(resolution, fmap_base, fmap_max, stage_0=False):
    stage = 0 if stage_0 else int(np.log2(resolution)) - 1
    return int(np.clip(int(fmap_base / 2.0 ** stage), 1, fmap_max))


def _sides(x):
    return int(x.shape[1]), int(x.shape[3])


def _filter(x, taps, gain, pad):
    """Filter with the outer product of the taps; pad is (before, after) in both directions."""
    taps = np.asarray([1, 1] if taps is None else taps, np.float32)
    kernel = np.outer(taps, taps)
    kernel = (kernel * (gain / kernel.sum()))[::-1, ::-1, np.newaxis, np.newaxis]
    x = tf.pad(x, [[0, 0], pad, pad, [0, 0]])
    return tf.nn.depthwise_conv2d(x, tf.constant(np.tile(kernel, [1, 1, _sides(x)[1], 1]), tf.float32), [1, 1, 1, 1], "VALID")


def _length(taps):
    return 2 if taps is None else len(taps)


def _upsample(x, taps):
    side, channels = _sides(x)
    x = tf.reshape(x, [-1, side, 1, side, 1, channels])
    x = tf.reshape(tf.pad(x, [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]]), [-1, 2 * side, 2 * side, channels])
    extra = _length(taps) - 2
    return _filter(x, taps, 4, [(extra + 1) // 2 + 1, extra // 2])


def _downsample(x, taps):
    extra = _length(taps) - 2
    return _filter(x, taps, 1, [(extra + 1) // 2, extra // 2])[:, ::2, ::2]


def _conv(x, w, up=False, down=False, taps=None):
    """Convolution that keeps, doubles or halves the size; filtered where it does not keep it (StyleGAN2, appendix B)."""
    kernel, fan_out = int(w.shape[0]), int(w.shape[3])
    if up and kernel == 1:
        return _upsample(_conv(x, w), taps)
    if down and kernel == 1:
        return _conv(_downsample(x, taps), w)
    if up:
        side = 2 * _sides(x)[0] + 1
        w = tf.transpose(w[::-1, ::-1], [0, 1, 3, 2])
        x = tf.nn.conv2d_transpose(x, w, tf.stack([tf.shape(x)[0], side, side, fan_out]), [1, 2, 2, 1], "VALID")
        x.set_shape([None, side, side, fan_out])
        extra = _length(taps) - 4
        return _filter(x, taps, 4, [(extra + 1) // 2 + 1, extra // 2 + 1])
    if down:
        extra = _length(taps)
        x = _filter(x, taps, 1, [(extra + 1) // 2, extra // 2])
        return tf.nn.conv2d(x, w, [1, 2, 2, 1], "VALID")
    return tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME")


def _modulated(x, w_latent, layer, fan_out, kernel, demodulate=True, up=False, taps=None):
    """StyleGAN2, section 2.2, as scaling of input and output."""
    fan_in, size = _sides(x)[1], int(w_latent.shape[1])
    w = _weight(layer + "/weight", [kernel, kernel, fan_in, fan_out])
    style = tf.matmul(w_latent, _weight(layer + "/mod_weight", [size, fan_in])) + _bias(layer + "/mod_bias", fan_in) + 1
    x = _conv(x * style[:, np.newaxis, np.newaxis], w, up=up, taps=taps)
    if demodulate:
        sums = tf.matmul(tf.square(style), tf.reduce_sum(tf.square(w), axis=[0, 1]))
        x = x * tf.rsqrt(sums + 1e-8)[:, np.newaxis, np.newaxis]
    return x


def G_main(latents_in, labels_in, truncation_psi=0.5, truncation_cutoff=None, truncation_psi_val=None, truncation_cutoff_val=None,
           dlatent_avg_beta=0.995, w_avg_beta=None, style_mixing_prob=0.9, is_training=False, is_validation=False,
           return_dlatents=False, is_template_graph=False, components=None, latent_size=512, label_size=0, dlatent_size=512,
           resolution=1024, **kwargs):
    """z, labels -> images: mapping, average of w, style mixing, truncation, synthesis."""
    latents_in.set_shape([None, latent_size])
    if labels_in is not None:
        labels_in.set_shape([None, label_size])
    layers = 2 * int(np.log2(resolution)) - 2
    if is_validation:
        truncation_psi, truncation_cutoff = truncation_psi_val, truncation_cutoff_val
    dlatents = components.mapping.get_output_for(latents_in, labels_in, is_training=is_training, **kwargs)
    dlatents.set_shape([None, layers, dlatent_size])
    average = tf.get_variable("dlatent_avg", shape=[dlatent_size], initializer=tf.initializers.zeros(), trainable=False)
    if is_training:
        beta = dlatent_avg_beta if w_avg_beta is None else w_avg_beta
        if beta is not None:
            batch = tf.reduce_mean(dlatents[:, 0], axis=0)
            with tf.control_dependencies([tf.assign(average, batch + (average - batch) * beta)]):
                dlatents = tf.identity(dlatents)
        if style_mixing_prob is not None:
            latents = tf.random_normal(tf.shape(latents_in))
            others = components.mapping.get_output_for(latents, labels_in, is_training=is_training, **kwargs)
            cutoff = tf.where(tf.random_uniform([]) < style_mixing_prob, tf.random_uniform([], 1, layers, tf.int32), layers)
            mine = tf.range(layers)[np.newaxis, :, np.newaxis] < cutoff
            dlatents = tf.where(tf.broadcast_to(mine, tf.shape(dlatents)), dlatents, others)
    elif truncation_psi is not None:
        applies = np.arange(layers)[np.newaxis, :, np.newaxis] < (layers if truncation_cutoff is None else truncation_cutoff)
        psi = tf.where(applies, tf.ones([1, layers, 1]) * truncation_psi, tf.ones([1, layers, 1]))
        dlatents = average + (dlatents - average) * psi
    images = components.synthesis.get_output_for(dlatents, is_training=is_training, **kwargs)
    images = tf.identity(images, name="images_out")
    return (images, tf.identity(dlatents, name="dlatents_out")) if return_dlatents else images


def G_mapping(latents_in, labels_in, latent_size=512, label_size=0, dlatent_size=512, dlatent_broadcast=None, mapping_layers=8,
              mapping_fmaps=None, mapping_lrmul=0.01, label_fmaps=None, **_kwargs):
    """z, labels -> w, repeated for every layer (StyleGAN, section 2)."""
    latents_in.set_shape([None, latent_size])
    if labels_in is None:
        labels_in = tf.zeros([tf.shape(latents_in)[0], label_size])
    labels_in.set_shape([None, label_size])
    x, width = _normalize(tf.cast(latents_in, tf.float32)), latent_size
    if label_size:
        label_width = label_fmaps or latent_size
        x = tf.concat([x, _normalize(_dense(tf.cast(labels_in, tf.float32), "LabelEmbed", label_size, label_width))], axis=1)
        width += label_width
    for index in range(mapping_layers):
        fan_out = dlatent_size if index == mapping_layers - 1 else mapping_fmaps or dlatent_size
        x = _dense(x, "Dense{}".format(index), width, fan_out, "lrelu", mapping_lrmul)
        width = fan_out
    if dlatent_broadcast is not None:
        x = tf.tile(x[:, np.newaxis], [1, dlatent_broadcast, 1])
    return tf.identity(x, name="dlatents_out")


def G_synthesis(dlatents_in, dlatent_size=512, num_channels=3, resolution=1024, fmap_base=16384, fmap_max=512,
                randomize_noise=True, architecture="skip", resample_kernel=(1, 3, 3, 1), conv_clamp=None, **_kwargs):
    """w of every layer -> images (StyleGAN2, figure 7)."""
    log2, taps = int(np.log2(resolution)), resample_kernel
    dlatents_in.set_shape([None, 2 * log2 - 2, dlatent_size])
    dlatents = tf.cast(dlatents_in, tf.float32)
    noises = [tf.get_variable("noise{}".format(index), shape=[1, 1] + [2 ** ((index + 5) // 2)] * 2,
                              initializer=tf.initializers.random_normal(), trainable=False) for index in range(2 * log2 - 3)]

    def width(r):
        return _channels(r, fmap_base, fmap_max)

    def layer(x, name, index, fan_out, up=False):
        x = _modulated(x, dlatents[:, index], name, fan_out, 3, up=up, taps=taps)
        noise = tf.transpose(noises[index], [0, 2, 3, 1])
        if randomize_noise:
            noise = tf.random_normal([tf.shape(x)[0], _sides(x)[0], _sides(x)[0], 1])
        strength = tf.get_variable(name + "/noise_strength", shape=[], initializer=tf.initializers.zeros())
        return _activate(x + noise * strength + _bias(name + "/bias", fan_out), clamp=conv_clamp)

    def to_rgb(x, r, index):
        name = "{0}x{0}/ToRGB".format(r)
        y = _modulated(x, dlatents[:, index], name, num_channels, 1, demodulate=False) + _bias(name + "/bias", num_channels)
        return _activate(y, "linear", conv_clamp)

    x = tf.get_variable("4x4/Const/const", shape=[1, width(4), 4, 4], initializer=tf.initializers.random_normal())
    x = tf.tile(tf.transpose(x, [0, 2, 3, 1]), [tf.shape(dlatents)[0], 1, 1, 1])
    x = layer(x, "4x4/Conv", 0, width(4))
    y = to_rgb(x, 4, 1) if architecture == "skip" else None
    for k in range(3, log2 + 1):
        r = 2 ** k
        t = x
        x = layer(x, "{0}x{0}/Conv0_up".format(r), 2 * k - 5, width(r), up=True)
        x = layer(x, "{0}x{0}/Conv1".format(r), 2 * k - 4, width(r))
        if architecture == "resnet":
            w = _weight("{0}x{0}/Skip/weight".format(r), [1, 1, width(r // 2), width(r)])
            x = (x + _conv(t, w, up=True, taps=taps)) * np.sqrt(0.5)
        if architecture == "skip":
            y = _upsample(y, taps) + to_rgb(x, r, 2 * k - 3)
        elif r == resolution:
            y = to_rgb(x, r, 2 * k - 3)
    return tf.identity(tf.transpose(y, [0, 3, 1, 2]), name="images_out")


def D_main(images_in, labels_in, num_channels=3, resolution=1024, label_size=0, fmap_base=16384, fmap_max=512, mapping_layers=0,
           mapping_fmaps=None, mapping_lrmul=0.1, architecture="resnet", resample_kernel=(1, 3, 3, 1), mbstd_group_size=None,
           mbstd_num_features=1, conv_clamp=None, score_size=1, score_max=1, **_kwargs):
    """Images, labels -> scores (StyleGAN2, figure 7)."""
    images_in.set_shape([None, num_channels, resolution, resolution])
    labels_in.set_shape([None, label_size])
    taps, stage_0 = resample_kernel, _channels(None, fmap_base, fmap_max, stage_0=True)
    label_width = mapping_fmaps or stage_0
    if label_size:
        embedded = _normalize(_dense(tf.cast(labels_in, tf.float32), "LabelEmbed", label_size, label_width))
        for index in range(mapping_layers):
            embedded = _dense(embedded, "Mapping{}".format(index), label_width, label_width, "lrelu", mapping_lrmul)

    def width(r):
        return _channels(r, fmap_base, fmap_max)

    def conv(x, name, fan_out, kernel=3, down=False):
        w = _weight(name + "/weight", [kernel, kernel, _sides(x)[1], fan_out])
        return _activate(_conv(x, w, down=down, taps=taps) + _bias(name + "/bias", fan_out), clamp=conv_clamp)

    images, x = tf.transpose(tf.cast(images_in, tf.float32), [0, 2, 3, 1]), None
    for k in range(int(np.log2(resolution)), 1, -1):
        r = 2 ** k
        if architecture == "skip" or r == resolution:
            rgb = conv(images, "{0}x{0}/FromRGB".format(r), width(r), kernel=1)
            x = rgb if x is None else x + rgb
        if r == 4:
            break
        t = x
        x = conv(x, "{0}x{0}/Conv0".format(r), width(r))
        x = conv(x, "{0}x{0}/Conv1_down".format(r), width(r // 2), down=True)
        if architecture == "resnet":
            w = _weight("{0}x{0}/Skip/weight".format(r), [1, 1, width(r), width(r // 2)])
            x = (x + _conv(t, w, down=True, taps=taps)) * np.sqrt(0.5)
        if architecture == "skip":
            images = _downsample(images, taps)

    if mbstd_num_features:
        count, channels = tf.shape(x)[0], width(4)
        group = count if mbstd_group_size is None else tf.minimum(mbstd_group_size, count)
        y = tf.reshape(x, [group, -1, 4, 4, mbstd_num_features, channels // mbstd_num_features])
        y = tf.sqrt(tf.reduce_mean(tf.square(y - tf.reduce_mean(y, axis=0)), axis=0) + 1e-8)
        y = tf.reduce_mean(y, axis=[1, 2, 4])[:, np.newaxis, np.newaxis]
        x = tf.concat([x, tf.tile(y, [group, 4, 4, 1])], axis=3)
        x.set_shape([None, 4, 4, channels + mbstd_num_features])
    x = conv(x, "4x4/Conv", width(4))
    x = _dense(tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [-1, 16 * width(4)]), "4x4/Dense0", 16 * width(4), stage_0, "lrelu")
    x = _dense(x, "Output", stage_0, label_width if label_size else max(score_max, score_size))
    if label_size:
        x = tf.reduce_sum(x * embedded, axis=1, keepdims=True) / np.sqrt(label_width)
    return tf.identity(x[:, :score_size], name="scores_out")
'''
