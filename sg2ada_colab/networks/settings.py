"""Which settings of a network pickle are accepted: what is read, and why the others may stand there.

The names are those of a TensorFlow pickle's static_kwargs, into which every other format is brought. A setting that changes what
a network computes is read, or the network is refused with a sentence of its own; none is passed over.
"""

import math
from typing import Any, Dict, NamedTuple, Tuple

from ..errors import UserError

MIN_RESOLUTION, MAX_RESOLUTION = 8, 16384  # px; nominal; the networks begin with the block 4x4 and need one above it
BOX_KERNEL = (1, 1)  # what None means as a resample_kernel; written out, as not all readers take None for it
OTHER_PROGRAM = (
    "use it with the program that trained it; here take a network of StyleGAN2 or StyleGAN2-ADA as its trainer builds it"
)


class UnsupportedNetwork(UserError):
    """A network that is sound but cannot be computed here.

    Args:
        sentence: What stands in the way, such as "its layers use the activation 'relu'", without a full stop.
        expected: What could be used.
        next_step: What to do now.
    """

    def __init__(self, sentence: str, expected: str, next_step: str = OTHER_PROGRAM) -> None:
        super().__init__(f"The network cannot be used: {sentence}.", expected, next_step)
        self.sentence = sentence


class Accepted(NamedTuple):
    """A setting that is not read: the values that it may have (none named: any), and why."""

    why: str
    values: Tuple[Any, ...] = ()
    sentence: str = ""  # of a network in which it has another value


def _whole(low, high):
    return lambda x: type(x) is int and low <= x <= high, f"a whole number from {low} to {high}"


def _number(low, high):
    return lambda x: type(x) in (int, float) and low < x <= high, f"a number above {low}, at most {high}"


def _or_none(check):
    return lambda x: x is None or check[0](x), check[1] + ", or None"


def _is_kernel(taps):
    numbers = isinstance(taps, (list, tuple)) and 2 <= len(taps) <= 16 and all(type(x) in (int, float) for x in taps)
    return taps is None or (numbers and all(map(math.isfinite, taps)) and sum(taps) > 0)


def _is_start(sides):
    return isinstance(sides, (list, tuple)) and len(sides) == 2 and all(type(side) is int and 1 <= side <= 64 for side in sides)


_SHARE = (lambda x: type(x) in (int, float) and 0 <= x <= 1, "a number from 0 to 1")
_BOOLEAN = (lambda x: type(x) is bool, "True or False")
_WIDTH = _whole(1, 1 << 16)

# What is read: name → (test, words). Each is a field of GeneratorConfig or DiscriminatorConfig.
_READ_BY_BOTH = {
    "resolution": (lambda x: type(x) is int and x & (x - 1) == 0 and 4 <= x <= MAX_RESOLUTION, "a power of two, 8 or more"),
    "num_channels": _whole(1, 64),
    "label_size": _whole(0, 1 << 20),
    "mapping_layers": _whole(0, 100),
    "mapping_fmaps": _or_none(_WIDTH),
    "mapping_lrmul": _number(0, 1 << 24),
    "fmap_base": _number(0, 1 << 24),
    "fmap_max": _whole(1, 1 << 20),
    "num_fp16_res": _whole(0, 20),
    "conv_clamp": _or_none(_number(0, 1e30)),
    "architecture": (lambda x: x in ("orig", "skip", "resnet"), "orig, skip or resnet"),
    "resample_kernel": (_is_kernel, "2 to 16 numbers, or None"),
    "init_res": (_is_start, "a height and a width from 1 to 64 pixels"),
}
GENERATOR_READS = dict(
    _READ_BY_BOTH,
    latent_size=_WIDTH,
    dlatent_size=_WIDTH,
    label_fmaps=_or_none(_WIDTH),
    style_mixing_prob=_or_none(_SHARE),
    w_avg_beta=_or_none(_SHARE),
)
DISCRIMINATOR_READS = dict(
    _READ_BY_BOTH,
    mbstd_group_size=_or_none(_whole(1, 1 << 20)),
    mbstd_num_features=_whole(0, 1 << 10),
    score_max=_whole(1, 100),
    use_pagan=_BOOLEAN,
    use_spectral_norm=_BOOLEAN,
    adaptive_dropout=(lambda x: type(x) in (int, float) and 0 <= x <= 1 << 10, "a number from 0 up"),
)
ALIASES = {"dlatent_avg_beta": "w_avg_beta"}  # StyleGAN2's name → the one that is read

_CALL = "every call says it anew"
_PRECISION = ("float32", "float16")
_ACCEPTED_BY_BOTH = {
    "structure": Accepted("how StyleGAN's graph fades layers in while it grows; grown networks are alike"),
    "conditioning": Accepted("NVIDIA's own readers pass over it"),
    "dtype": Accepted("precision, which the device decides here", _PRECISION, "it computes in {value!r} (dtype)"),
    "nonlinearity": Accepted(
        "the only activation there is here", ("lrelu",), "its layers use the activation {value!r} (nonlinearity)"
    ),
    "fmap_decay": Accepted(
        "halves the channels from one resolution to the next, as here", (1,),
        "its channels fall otherwise with the resolution (fmap_decay={value!r})",
    ),
    "fmap_min": Accepted(
        "the smallest number of channels, as here", (1,), "its layers have at least {value!r} channels (fmap_min)"
    ),
}  # fmt: skip
GENERATOR_ACCEPTS = dict(
    _ACCEPTED_BY_BOTH,
    truncation_psi=Accepted(_CALL),
    truncation_cutoff=Accepted(_CALL),
    truncation_psi_val=Accepted(_CALL),
    truncation_cutoff_val=Accepted(_CALL),
    randomize_noise=Accepted(_CALL),
    is_training=Accepted(_CALL),
    is_validation=Accepted(_CALL),
    return_dlatents=Accepted(_CALL),
    fused_modconv=Accepted("the same sums in another order"),
    mapping_dtype=Accepted("precision, which the device decides here", _PRECISION, "it computes in {value!r} (mapping_dtype)"),
    mapping_nonlinearity=Accepted(
        "the only activation there is here", ("lrelu",), "its mapping layers use the activation {value!r} (mapping_nonlinearity)"
    ),
    use_noise=Accepted(
        "its layers have noise inputs, as here", (True,), "its generator has no noise inputs (use_noise={value!r})"
    ),
    normalize_latents=Accepted(
        "z is brought to unit length, as here", (True,), "its mapping network takes z as it is (normalize_latents={value!r})"
    ),
    mapping_func=Accepted("StyleGAN2's", ("G_mapping",), "its mapping network is another one ({value!r})"),
    synthesis_func=Accepted(
        "StyleGAN2's", ("G_synthesis", "G_synthesis_stylegan2"), "its synthesis network is another one ({value!r})"
    ),
)
DISCRIMINATOR_ACCEPTS = dict(
    _ACCEPTED_BY_BOTH,
    freeze_layers=Accepted("which layers are trained, a matter of the run"),
    is_training=Accepted(_CALL),
)
_RECTANGULAR = ("min_h", "min_w", "res_log2")  # settings of an older fork for images that are not square


def _same(a, b):
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def check_settings(kwargs: Dict[str, Any], is_generator: bool) -> None:
    """Raise UnsupportedNetwork where a setting cannot be true, is not known, or asks for what cannot be computed here.

    Args:
        kwargs: Settings by the names of static_kwargs, plain values.
        is_generator: Whether they are those of G or Gs; otherwise of D.
    """
    read = GENERATOR_READS if is_generator else DISCRIMINATOR_READS
    accepted = GENERATOR_ACCEPTS if is_generator else DISCRIMINATOR_ACCEPTS
    unknown = []
    for name, value in kwargs.items():
        if ALIASES.get(name, name) in read:
            test, words = read[ALIASES.get(name, name)]
            if not test(value):
                raise UnsupportedNetwork(f"its setting {name} is {repr(value)[:100]}", words)
        elif name in accepted:
            rule = accepted[name]
            if rule.values and not any(_same(value, one) for one in rule.values):
                wanted = " or ".join(str(one) for one in rule.values)
                raise UnsupportedNetwork(rule.sentence.format(value=value), f"{name} as {wanted}")
        else:
            unknown.append(name)
    if any(name in _RECTANGULAR for name in unknown):
        names = ", ".join(sorted(unknown))
        raise UnsupportedNetwork(
            f"it is a fork's network for rectangular images (settings {names})",
            "a rectangle that is written as init_res and resolution",
        )
    if unknown:
        raise UnsupportedNetwork(
            "it is a fork's network, with settings that StyleGAN2-ADA does not have: {}".format(", ".join(sorted(unknown))),
            "a StyleGAN2 or StyleGAN2-ADA network",
        )
    if kwargs.get("resolution") == 4:
        raise UnsupportedNetwork("its images have 4x4 pixels", f"images of {MIN_RESOLUTION}x{MIN_RESOLUTION} pixels or more")


def read_settings(kwargs: Dict[str, Any], is_generator: bool) -> Dict[str, Any]:
    """Return the settings that are read, by the names of the configuration's fields; raise as `check_settings` does."""
    check_settings(kwargs, is_generator)
    names = GENERATOR_READS if is_generator else DISCRIMINATOR_READS
    settings = {ALIASES.get(name, name): value for name, value in kwargs.items() if ALIASES.get(name, name) in names}
    if "resample_kernel" in settings and settings["resample_kernel"] is None:
        settings["resample_kernel"] = BOX_KERNEL
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
