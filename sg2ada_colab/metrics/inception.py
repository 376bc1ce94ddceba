"""The Inception-v3 network of December 2015 (Szegedy et al., arXiv 1512.00567), whose features FID is defined with."""

from typing import Any, Mapping, Tuple

from ..tf import tf, tf1

SIZE_PX = 299
DIMENSIONS = 2048
CLASSES = 1008
BATCH_NORM_EPSILON = 1e-3

# scope in the TensorFlow graph, module in the PyTorch conversions, kernel height and width, channels in and out
_STEM = [
    ("conv", "Conv2d_1a_3x3", 3, 3, 3, 32),
    ("conv_1", "Conv2d_2a_3x3", 3, 3, 32, 32),
    ("conv_2", "Conv2d_2b_3x3", 3, 3, 32, 64),
    ("conv_3", "Conv2d_3b_1x1", 1, 1, 64, 80),
    ("conv_4", "Conv2d_4a_3x3", 3, 3, 80, 192),
]


def _block_35(scope, module, channels, pool):
    return [
        (scope + "/conv", module + ".branch1x1", 1, 1, channels, 64),
        (scope + "/tower/conv", module + ".branch5x5_1", 1, 1, channels, 48),
        (scope + "/tower/conv_1", module + ".branch5x5_2", 5, 5, 48, 64),
        (scope + "/tower_1/conv", module + ".branch3x3dbl_1", 1, 1, channels, 64),
        (scope + "/tower_1/conv_1", module + ".branch3x3dbl_2", 3, 3, 64, 96),
        (scope + "/tower_1/conv_2", module + ".branch3x3dbl_3", 3, 3, 96, 96),
        (scope + "/tower_2/conv", module + ".branch_pool", 1, 1, channels, pool),
    ]


def _block_17(scope, module, width):
    return [
        (scope + "/conv", module + ".branch1x1", 1, 1, 768, 192),
        (scope + "/tower/conv", module + ".branch7x7_1", 1, 1, 768, width),
        (scope + "/tower/conv_1", module + ".branch7x7_2", 1, 7, width, width),
        (scope + "/tower/conv_2", module + ".branch7x7_3", 7, 1, width, 192),
        (scope + "/tower_1/conv", module + ".branch7x7dbl_1", 1, 1, 768, width),
        (scope + "/tower_1/conv_1", module + ".branch7x7dbl_2", 7, 1, width, width),
        (scope + "/tower_1/conv_2", module + ".branch7x7dbl_3", 1, 7, width, width),
        (scope + "/tower_1/conv_3", module + ".branch7x7dbl_4", 7, 1, width, width),
        (scope + "/tower_1/conv_4", module + ".branch7x7dbl_5", 1, 7, width, 192),
        (scope + "/tower_2/conv", module + ".branch_pool", 1, 1, 768, 192),
    ]


def _block_8(scope, module, channels):
    return [
        (scope + "/conv", module + ".branch1x1", 1, 1, channels, 320),
        (scope + "/tower/conv", module + ".branch3x3_1", 1, 1, channels, 384),
        (scope + "/tower/mixed/conv", module + ".branch3x3_2a", 1, 3, 384, 384),
        (scope + "/tower/mixed/conv_1", module + ".branch3x3_2b", 3, 1, 384, 384),
        (scope + "/tower_1/conv", module + ".branch3x3dbl_1", 1, 1, channels, 448),
        (scope + "/tower_1/conv_1", module + ".branch3x3dbl_2", 3, 3, 448, 384),
        (scope + "/tower_1/mixed/conv", module + ".branch3x3dbl_3a", 1, 3, 384, 384),
        (scope + "/tower_1/mixed/conv_1", module + ".branch3x3dbl_3b", 3, 1, 384, 384),
        (scope + "/tower_2/conv", module + ".branch_pool", 1, 1, channels, 192),
    ]


CONVOLUTIONS = (
    _STEM
    + _block_35("mixed", "Mixed_5b", 192, 32)
    + _block_35("mixed_1", "Mixed_5c", 256, 64)
    + _block_35("mixed_2", "Mixed_5d", 288, 64)
    + [
        ("mixed_3/conv", "Mixed_6a.branch3x3", 3, 3, 288, 384),
        ("mixed_3/tower/conv", "Mixed_6a.branch3x3dbl_1", 1, 1, 288, 64),
        ("mixed_3/tower/conv_1", "Mixed_6a.branch3x3dbl_2", 3, 3, 64, 96),
        ("mixed_3/tower/conv_2", "Mixed_6a.branch3x3dbl_3", 3, 3, 96, 96),
    ]
    + _block_17("mixed_4", "Mixed_6b", 128)
    + _block_17("mixed_5", "Mixed_6c", 160)
    + _block_17("mixed_6", "Mixed_6d", 160)
    + _block_17("mixed_7", "Mixed_6e", 192)
    + [
        ("mixed_8/tower/conv", "Mixed_7a.branch3x3_1", 1, 1, 768, 192),
        ("mixed_8/tower/conv_1", "Mixed_7a.branch3x3_2", 3, 3, 192, 320),
        ("mixed_8/tower_1/conv", "Mixed_7a.branch7x7x3_1", 1, 1, 768, 192),
        ("mixed_8/tower_1/conv_1", "Mixed_7a.branch7x7x3_2", 1, 7, 192, 192),
        ("mixed_8/tower_1/conv_2", "Mixed_7a.branch7x7x3_3", 7, 1, 192, 192),
        ("mixed_8/tower_1/conv_3", "Mixed_7a.branch7x7x3_4", 3, 3, 192, 192),
    ]
    + _block_8("mixed_9", "Mixed_7b", 1280)
    + _block_8("mixed_10", "Mixed_7c", 2048)
)


def inception_v3(images: Any, weights: Mapping[str, Any], output_weights: Any) -> Tuple[Any, Any]:
    """Return (features float32 [N, 2048], probabilities [N, 1008]) of images [N, H, W, 3] in 0..255.

    Images are resized to 299 as the graph of 2015 does it (bilinear without antialiasing, pixel corners at the origin) and enter
    as (x - 128) / 128. Probabilities are the softmax without its bias, as in the paper on the inception score.

    Args:
        weights: Scope -> (kernel, bias), batch normalisation folded in.
        output_weights: float32 [2048, 1008].
    """

    def conv(x, scope, stride=1, padding="SAME"):
        kernel, bias = weights[scope]
        return tf.nn.relu(tf.nn.conv2d(x, kernel, [1, stride, stride, 1], padding) + bias)

    def chain(x, scope, count):
        for index in range(count):
            x = conv(x, scope + (f"/conv_{index}" if index else "/conv"))
        return x

    def halve(x):
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    def smooth(x):
        return tf.nn.avg_pool2d(x, 3, 1, "SAME")  # over what lies inside the image

    def fork(x, scope):
        return tf.concat([conv(x, scope + "/conv"), conv(x, scope + "/conv_1")], 3)

    images = tf1.image.resize_bilinear(tf.cast(images, tf.float32), [SIZE_PX, SIZE_PX])
    x = conv((images - 128.0) * (1.0 / 128.0), "conv", 2, "VALID")
    x = halve(conv(conv(x, "conv_1", padding="VALID"), "conv_2"))
    x = halve(conv(conv(x, "conv_3", padding="VALID"), "conv_4", padding="VALID"))
    for block in ("mixed", "mixed_1", "mixed_2"):
        branches = [conv(x, block + "/conv"), chain(x, block + "/tower", 2), chain(x, block + "/tower_1", 3)]
        x = tf.concat(branches + [conv(smooth(x), block + "/tower_2/conv")], 3)
    halved = conv(chain(x, "mixed_3/tower", 2), "mixed_3/tower/conv_2", 2, "VALID")
    x = tf.concat([conv(x, "mixed_3/conv", 2, "VALID"), halved, halve(x)], 3)
    for block in ("mixed_4", "mixed_5", "mixed_6", "mixed_7"):
        branches = [conv(x, block + "/conv"), chain(x, block + "/tower", 3), chain(x, block + "/tower_1", 5)]
        x = tf.concat(branches + [conv(smooth(x), block + "/tower_2/conv")], 3)
    first = conv(chain(x, "mixed_8/tower", 1), "mixed_8/tower/conv_1", 2, "VALID")
    second = conv(chain(x, "mixed_8/tower_1", 3), "mixed_8/tower_1/conv_3", 2, "VALID")
    x = tf.concat([first, second, halve(x)], 3)
    for block in ("mixed_9", "mixed_10"):
        # The last block pools by maximum: a slip of 2015 that FID is defined with.
        pooled = smooth(x) if block == "mixed_9" else tf.nn.max_pool2d(x, 3, 1, "SAME")
        branches = [conv(x, block + "/conv"), fork(chain(x, block + "/tower", 1), block + "/tower/mixed")]
        branches += [fork(chain(x, block + "/tower_1", 2), block + "/tower_1/mixed"), conv(pooled, block + "/tower_2/conv")]
        x = tf.concat(branches, 3)
    features = tf.reduce_mean(x, [1, 2])
    return features, tf.nn.softmax(tf.matmul(features, output_weights))
