"""Write a snapshot as the PyTorch programs pickle it, without torch: own oracle for names, layouts and both streams."""

import io
import pickle
import struct
import sys
from collections import OrderedDict
from contextlib import contextmanager
from types import ModuleType

import numpy as np


class EasyDict(dict):
    pass


def _named(module, name):
    """Return a function that pickles by this name."""

    def function(*_):
        raise AssertionError(f"{module}.{name} was called")

    function.__module__, function.__name__, function.__qualname__ = module, name, name
    return function


FUNCTIONS = {
    (module, name): _named(module, name)
    for module, name in [
        ("torch_utils.persistence", "_reconstruct_persistent_obj"),
        ("torch._utils", "_rebuild_parameter"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch.storage", "_load_from_bytes"),
        ("torch", "FloatStorage"),
        ("torch", "HalfStorage"),
    ]
}
EasyDict.__module__ = "dnnlib.util"


class Reduces:
    def __init__(self, module, name, *args):
        self.reduced = FUNCTIONS[module, name], args

    def __reduce__(self):
        return self.reduced


def fake_modules():
    """Return dict name → module for sys.modules, under which pickling by name works."""
    modules = {"dnnlib": ModuleType("dnnlib"), "dnnlib.util": ModuleType("dnnlib.util")}
    modules["dnnlib.util"].EasyDict = EasyDict
    for (module, name), function in FUNCTIONS.items():
        for end in range(1, module.count(".") + 2):
            package = ".".join(module.split(".")[:end])
            modules.setdefault(package, ModuleType(package))
        setattr(modules[module], name, function)
    return modules


@contextmanager
def torch_modules():
    """Let items pickle by the names of modules that are not installed."""
    before = dict(sys.modules)
    sys.modules.update(fake_modules())
    try:
        yield
    finally:
        for name in fake_modules():
            sys.modules.pop(name)
            if name in before:
                sys.modules[name] = before[name]


class StoragePickler(pickle.Pickler):
    """The inner stream names its storage by a persistent id."""

    def __init__(self, file, storage_id):
        super().__init__(file, 2)
        self.storage_id = storage_id

    def persistent_id(self, item):
        return self.storage_id if isinstance(item, Marker) else None


class Marker:
    """Stands for the storage within the inner stream."""


def storage(numbers, modern=False):
    kind = FUNCTIONS["torch", {2: "HalfStorage", 4: "FloatStorage"}[numbers.itemsize]]
    file, key = io.BytesIO(), "94012345678"
    for value in (
        119547037146038801333356,
        1001,
        {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}},
    ):
        pickle.dump(value, file, 2)
    StoragePickler(file, ("storage", kind, key, "cpu", numbers.size) + ((None,) if modern else ())).dump(Marker())
    pickle.dump([key], file, 2)
    file.write(struct.pack("<q", numbers.size) + numbers.tobytes())
    return Reduces("torch.storage", "_load_from_bytes", file.getvalue())


def tensor(array, offset=0, permuted=False, modern=False):
    """Return a tensor of the array's values; `permuted` stores it with the strides of channels-last memory."""
    array = np.asarray(array, np.float32) if np.asarray(array).dtype != np.float16 else array
    memory = np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if permuted and array.ndim == 4 else np.require(array, None, "C")
    numbers = np.concatenate([np.full(offset, np.nan, memory.dtype), memory.reshape(-1), np.full(offset, np.nan, memory.dtype)])
    strides = [step // memory.itemsize for step in memory.strides]
    if permuted and array.ndim == 4:
        strides = [strides[axis] for axis in (0, 3, 1, 2)]
    return Reduces(
        "torch._utils",
        "_rebuild_tensor_v2",
        storage(numbers, modern),
        offset,
        tuple(array.shape),
        tuple(strides),
        False,
        OrderedDict(),
    )


def module(class_name, parameters=(), buffers=(), children=(), init_kwargs=(), **attributes):
    state = dict(
        attributes,
        training=False,
        _backward_hooks=OrderedDict(),
        _init_args=(),
        _init_kwargs=EasyDict(init_kwargs),
        _parameters=OrderedDict(
            (k, Reduces("torch._utils", "_rebuild_parameter", v, False, OrderedDict())) for k, v in dict(parameters).items()
        ),
        _buffers=OrderedDict(buffers),
        _modules=OrderedDict(children),
        _non_persistent_buffers_set=set(),
    )
    meta = {
        "type": "class",
        "version": 6,
        "module_src": "raise SystemExit('this must never run')",
        "class_name": class_name,
        "state": state,
    }
    return Reduces("torch_utils.persistence", "_reconstruct_persistent_obj", meta)


TAPS = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64


def _oikk(weight, flip=False):
    return np.array((weight[::-1, ::-1] if flip else weight).transpose(3, 2, 0, 1))


class _Builder:
    def __init__(self, data, options):
        self.data, self.v, self.options = data, data.variables, options

    def tensor(self, array):
        return tensor(
            array, self.options.get("offset", 0), self.options.get("permuted", False), self.options.get("modern", False)
        )

    def dense(self, name, **attributes):
        return module(
            "FullyConnectedLayer",
            {"weight": self.tensor(np.array(self.v[name + "/weight"].T)), "bias": self.tensor(self.v[name + "/bias"])},
            **attributes,
        )

    def mapping(self, prefix, dense_name, layers, **attributes):
        children = OrderedDict()
        if prefix + "LabelEmbed/weight" in self.v:
            children["embed"] = self.dense(prefix + "LabelEmbed", bias_gain=1)
        lrmul = self.data.kwargs.get("mapping_lrmul", 0.01)
        for index in range(layers):
            children[f"fc{index}"] = self.dense(f"{prefix}{dense_name}{index}", bias_gain=lrmul)
        buffers = {"w_avg": self.tensor(self.v["dlatent_avg"])} if "dlatent_avg" in self.v else {}
        return module("MappingNetwork", {}, buffers, children, num_layers=layers, **attributes)

    def synthesis_layer(self, name, flip=False, noise=None):
        v, clamp = self.v, self.data.kwargs.get("conv_clamp")
        parameters = {"weight": self.tensor(_oikk(v[name + "/weight"], flip)), "bias": self.tensor(v[name + "/bias"])}
        buffers = {"resample_filter": self.tensor(TAPS)}
        if noise is not None:
            parameters["noise_strength"] = self.tensor(v[name + "/noise_strength"])
            buffers["noise_const"] = self.tensor(v[f"synthesis/noise{noise}"][0, 0])
        affine = module(
            "FullyConnectedLayer",
            {
                "weight": self.tensor(np.array(v[name + "/mod_weight"].T)),
                "bias": self.tensor(v[name + "/mod_bias"] + np.float32(1)),
            },
            bias_gain=1,
        )
        if noise is None:
            return module("ToRGBLayer", parameters, buffers, {"affine": affine}, conv_clamp=clamp)
        more = {"activation": "lrelu", "use_noise": True, "up": 2 if flip else 1, "act_gain": np.sqrt(2)}
        return module("SynthesisLayer", parameters, buffers, {"affine": affine}, conv_clamp=clamp, **more)

    def generator(self):
        kwargs, v, blocks = self.data.kwargs, self.v, OrderedDict()
        architecture = kwargs.get("architecture", "skip")
        for log2 in range(2, int(np.log2(kwargs["resolution"])) + 1):
            name, layers, own = "synthesis/{0}x{0}/".format(2**log2), OrderedDict(), {}
            if log2 == 2:
                own["const"] = self.tensor(v[name + "Const/const"][0])
                layers["conv1"] = self.synthesis_layer(name + "Conv", noise=0)
            else:
                layers["conv0"] = self.synthesis_layer(name + "Conv0_up", flip=True, noise=2 * log2 - 5)
                layers["conv1"] = self.synthesis_layer(name + "Conv1", noise=2 * log2 - 4)
            if name + "Skip/weight" in v:
                layers["skip"] = module("Conv2dLayer", {"weight": self.tensor(_oikk(v[name + "Skip/weight"]))})
            if name + "ToRGB/weight" in v:
                layers["torgb"] = self.synthesis_layer(name + "ToRGB")
            blocks[f"b{2**log2}"] = module(
                "SynthesisBlock", own, {"resample_filter": self.tensor(TAPS)}, layers, architecture=architecture, use_fp16=False
            )
        synthesis_kwargs = {
            "channel_base": kwargs["fmap_base"] * 2,
            "channel_max": kwargs["fmap_max"],
            "num_fp16_res": kwargs.get("num_fp16_res", 0),
            "conv_clamp": kwargs.get("conv_clamp"),
        }
        flat = self.options.get("flat", False)  # as stylegan3 gives them
        z_dim, w_dim = kwargs.get("latent_size", 512), kwargs.get("dlatent_size", 512)
        return module(
            "Generator",
            {},
            {},
            {
                "synthesis": module("SynthesisNetwork", {}, {}, blocks, w_dim=w_dim),
                "mapping": self.mapping("mapping/", "Dense", kwargs["mapping_layers"], w_avg_beta=0.995),
            },
            init_kwargs=synthesis_kwargs if flat else {"synthesis_kwargs": EasyDict(synthesis_kwargs)},
            z_dim=z_dim,
            c_dim=kwargs["label_size"],
            w_dim=w_dim,
            img_resolution=kwargs["resolution"],
            img_channels=kwargs["num_channels"],
        )

    def conv(self, name):
        parameters = {"weight": self.tensor(_oikk(self.v[name + "/weight"]))}
        if name + "/bias" in self.v:
            parameters["bias"] = self.tensor(self.v[name + "/bias"])
        skip = name.endswith("Skip")
        more = {"activation": "linear" if skip else "lrelu", "conv_clamp": None if skip else self.data.kwargs.get("conv_clamp")}
        if self.options.get("frozen"):  # frozen layers hold their weights as buffers
            return module("Conv2dLayer", {}, dict(parameters), **more)
        return module("Conv2dLayer", parameters, {"resample_filter": self.tensor(TAPS)}, **more)

    def discriminator(self):
        kwargs, children = self.data.kwargs, OrderedDict()
        names = {"FromRGB": "fromrgb", "Conv0": "conv0", "Conv1_down": "conv1", "Skip": "skip"}
        for log2 in range(int(np.log2(kwargs["resolution"])), 2, -1):
            block = "{0}x{0}/".format(2**log2)
            layers = OrderedDict(
                (short, self.conv(block + name)) for name, short in names.items() if block + name + "/weight" in self.v
            )
            children[f"b{2**log2}"] = module(
                "DiscriminatorBlock",
                {},
                {"resample_filter": self.tensor(TAPS)},
                layers,
                architecture=kwargs.get("architecture", "resnet"),
            )
        layers = OrderedDict(
            mbstd=module("MinibatchStdLayer", group_size=kwargs["mbstd_group_size"], num_channels=1),
            conv=self.conv("4x4/Conv"),
            fc=self.dense("4x4/Dense0"),
            out=self.dense("Output"),
        )
        if "4x4/FromRGB/weight" in self.v:
            layers["fromrgb"] = self.conv("4x4/FromRGB")
        if "LabelEmbed/weight" in self.v:
            children["mapping"] = self.mapping("", "Mapping", kwargs.get("mapping_layers", 0))
        children["b4"] = module("DiscriminatorEpilogue", {}, {}, layers)
        return module(
            "Discriminator",
            {},
            {},
            children,
            c_dim=kwargs["label_size"],
            img_resolution=kwargs["resolution"],
            img_channels=kwargs["num_channels"],
            init_kwargs={
                "channel_base": kwargs["fmap_base"] * 2,
                "channel_max": kwargs["fmap_max"],
                "num_fp16_res": kwargs.get("num_fp16_res", 0),
                "conv_clamp": kwargs.get("conv_clamp"),
            },
        )


def torch_pickle_bytes(snapshot, protocol=3, **options):
    """Return the bytes of a PyTorch snapshot with the networks' values.

    Args:
        options: offset (numbers before and after each tensor in its storage), permuted (channels-last strides), frozen (D's
            convolutions as buffers), flat (settings as stylegan3 stores
            them), modern (storages as torch 2 names them), extra (dict of functions that make more items).
    """
    with torch_modules():
        content = {
            "G": _Builder(snapshot.G, options).generator(),
            "D": _Builder(snapshot.D, options).discriminator(),
            "G_ema": _Builder(snapshot.Gs, options).generator(),
            "augment_pipe": module("AugmentPipe", {}, {"p": tensor(np.float32(0.25))}),
            "training_set_kwargs": EasyDict({"class_name": "training.dataset.ImageFolderDataset", "path": "images.zip"}),
        }
        content.update((key, make()) for key, make in options.get("extra", {}).items())
        return pickle.dumps(content, protocol)
