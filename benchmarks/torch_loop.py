"""The loop that one would write first with PyTorch: a StyleGAN2 generator and EfficientNet-Lite0, eager, a batch at a time.

`metric_speed.py` runs this in a process of its own, as a comparison:

    python benchmarks/torch_loop.py --weights efficientnet-lite0-57934424.pth --size 256 --batch 64 --images 4096

It prints a line of JSON: images a second of the generator, of the features (from images in main memory and on the device) and of
the whole loop. cuDNN chooses among its algorithms (benchmark mode on), convolutions may use TensorFloat-32.
The generator runs its four highest resolutions in float16 on a GPU; its weights are random, those of the features are real.
"""

import argparse
import json
import math
import time

import torch
from torch import nn
from torch.nn import functional

# repeats, kernel, stride of the first, expansion, channels
STAGES = [
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
]  # fmt: skip


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME pads: one pixel more at the end where the padding is odd."""

    def __init__(self, channels_in, channels_out, kernel, stride=1, groups=1):
        super().__init__(channels_in, channels_out, kernel, stride, groups=groups, bias=False)

    def forward(self, x):
        total = [
            max((-(-size // stride) - 1) * stride + kernel - size, 0)
            for size, kernel, stride in zip(x.shape[2:], self.kernel_size, self.stride)
        ]
        if total[0] % 2 == 0:
            return functional.conv2d(x, self.weight, None, self.stride, total[0] // 2, 1, self.groups)
        sides = [total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2]
        return functional.conv2d(functional.pad(x, sides), self.weight, None, self.stride, 0, 1, self.groups)


class Block(nn.Module):
    """An inverted residual block; the names of its parts are those of the weights file."""

    def __init__(self, channels_in, channels_out, kernel, stride, expand):
        super().__init__()
        width = channels_in * expand
        if expand != 1:
            self._expand_conv, self._bn0 = SameConv(channels_in, width, 1), nn.BatchNorm2d(width, 1e-3)
        self._depthwise_conv, self._bn1 = SameConv(width, width, kernel, stride, width), nn.BatchNorm2d(width, 1e-3)
        self._project_conv, self._bn2 = SameConv(width, channels_out, 1), nn.BatchNorm2d(channels_out, 1e-3)
        self.expand, self.residual = expand, stride == 1 and channels_in == channels_out

    def forward(self, x):
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expand != 1 else x
        y = self._bn2(self._project_conv(functional.relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """Images uint8 [N, 3, H, W] -> features float32 [N, 1280]."""

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2), nn.BatchNorm2d(32, 1e-3)
        blocks, channels = [], 32
        for repeats, kernel, stride, expand, width in STAGES:
            for repeat in range(repeats):
                blocks.append(Block(channels, width, kernel, stride if repeat == 0 else 1, expand))
                channels = width
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = SameConv(channels, 1280, 1), nn.BatchNorm2d(1280, 1e-3)

    def forward(self, images):
        x = functional.interpolate(images.float(), size=(224, 224), mode="bilinear", antialias=True, align_corners=False)
        x = functional.relu6(self._bn0(self._conv_stem((x - 127.0) / 128.0)))
        for block in self._blocks:
            x = block(x)
        return functional.relu6(self._bn1(self._conv_head(x))).mean([2, 3])


class ModulatedConv(nn.Module):
    """A modulated convolution in the unfused form, with noise, bias and leaky ReLU; `up` doubles the size."""

    def __init__(self, channels_in, channels_out, kernel=3, up=False, rgb=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel) / math.sqrt(channels_in * kernel**2))
        self.style, self.bias = nn.Linear(512, channels_in), nn.Parameter(torch.zeros(channels_out))
        self.up, self.rgb = up, rgb
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4.0
        self.register_buffer("filter", torch.outer(taps, taps)[None, None])

    def forward(self, x, w):
        style = self.style(w) + 1.0
        y = x * style.to(x.dtype)[:, :, None, None]
        weight = self.weight.to(x.dtype)
        if self.up:
            y = functional.conv_transpose2d(y, weight.transpose(0, 1), stride=2)
            y = functional.conv2d(y, self.filter.to(y.dtype).expand(y.shape[1], 1, 4, 4), padding=1, groups=y.shape[1])
        else:
            y = functional.conv2d(y, weight, padding=weight.shape[2] // 2)
        if self.rgb:
            return (y + self.bias.to(y.dtype)[None, :, None, None]).float()
        gain = torch.rsqrt(style.square() @ self.weight.square().sum([2, 3]).t() + 1e-8)
        y = y * gain.to(y.dtype)[:, :, None, None]
        y = y + torch.randn([len(y), 1, *y.shape[2:]], device=y.device, dtype=y.dtype) * 0.1
        y = functional.leaky_relu(y + self.bias.to(y.dtype)[None, :, None, None], 0.2) * math.sqrt(2)
        return y.clamp(-256, 256)


class Generator(nn.Module):
    """z [N, 512] -> images uint8 [N, 3, R, R]: StyleGAN2 with skips, two mapping layers."""

    def __init__(self, size, fmap_base, half):
        super().__init__()
        self.log2, self.half = int(math.log2(size)), half
        channels = {level: min(int(fmap_base / 2 ** (level - 1)), 512) for level in range(2, self.log2 + 1)}
        self.mapping = nn.Sequential(nn.Linear(512, 512), nn.LeakyReLU(0.2), nn.Linear(512, 512), nn.LeakyReLU(0.2))
        self.const = nn.Parameter(torch.randn(1, channels[2], 4, 4))
        self.first = ModulatedConv(channels[2], channels[2])
        self.rgbs = nn.ModuleList([ModulatedConv(channels[level], 3, 1, rgb=True) for level in range(2, self.log2 + 1)])
        levels = range(3, self.log2 + 1)
        self.ups = nn.ModuleList([ModulatedConv(channels[level - 1], channels[level], up=True) for level in levels])
        self.convs = nn.ModuleList([ModulatedConv(channels[level], channels[level]) for level in levels])

    def forward(self, z):
        w = self.mapping(z)
        x = self.first(self.const.expand(len(z), -1, -1, -1), w)
        image = self.rgbs[0](x, w)
        for level, up, conv, rgb in zip(range(3, self.log2 + 1), self.ups, self.convs, self.rgbs[1:]):
            x = x.half() if self.half and level > self.log2 - 4 else x
            x = conv(up(x, w), w)
            image = functional.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False) + rgb(x, w)
        return (image * 127.5 + 128).clamp(0, 255).to(torch.uint8)


def rate(step, images, batch, repeats=3):
    """Return the best of some timings of a loop over `images` images, in images a second."""
    for _ in range(3):
        step()
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        for _ in range(0, images, batch):
            step()
        best = min(best, time.perf_counter() - started)
    return -(-images // batch) * batch / best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--fmap-base", type=int, default=16384)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--check", help="file with `images` uint8 [N, H, W, 3] and `features`, to agree with (npz)")
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    features = EfficientNetLite0()
    missing, unexpected = features.load_state_dict(torch.load(args.weights, weights_only=True), strict=False)
    assert not missing and all(name.startswith("_fc") for name in unexpected), (missing, unexpected)
    features = features.eval().to(device)
    generator = Generator(args.size, args.fmap_base, device.type == "cuda").eval().to(device)
    host = torch.randint(0, 256, [args.batch, 3, args.size, args.size], dtype=torch.uint8)
    there = host.to(device)

    def fakes():
        return generator(torch.randn(args.batch, 512, device=device))

    with torch.no_grad():
        found = {
            "generator": rate(lambda: fakes()[0, 0, 0, 0].item(), args.images, args.batch),
            "features": rate(lambda: features(host.to(device)).cpu(), args.images, args.batch),
            "features_on_device": rate(lambda: features(there).cpu(), args.images, args.batch),
            "loop": rate(lambda: features(fakes()).cpu(), args.images, args.batch),
        }
        if args.check:
            import numpy as np

            torch.backends.cudnn.allow_tf32 = False
            with np.load(args.check) as arrays:
                images = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2).to(device)
                found["difference"] = float(np.abs(features(images).cpu().numpy() - arrays["features"]).max())
    name = torch.cuda.get_device_name(0) if device.type == "cuda" else "CPU"
    print(json.dumps(dict(found, device=name, torch=torch.__version__)))


if __name__ == "__main__":
    main()
