"""How fast `sg2ada generate` writes pictures, from the start of the process, and how much memory a long video takes.

    python benchmarks/generate_speed.py --sizes 64 256 1024 --count 2000
    python benchmarks/generate_speed.py --sizes 256 --count 50000 --torch-python ~/torch/bin/python   # on a GPU
    python benchmarks/generate_speed.py --video-frames 10000

The networks have random weights, since speed does not depend on them, and the width of --cfg=paper256. Each line is one process:
pictures a second with TensorFlow's start, reading the network and compiling included, and beside it the loop that one would write
first with PyTorch: a picture at a time, saved before the next is made (`torch_loop.py` has its generator).
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TORCH_LOOP = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from torch_loop import Generator
from PIL import Image
size, fmap_base, count, folder = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
device = "cuda" if torch.cuda.is_available() else "cpu"
generator = Generator(size, fmap_base, device == "cuda").eval().to(device)
with torch.no_grad():
    for seed in range(count):
        image = generator(torch.randn(1, 512, device=device))[0].permute(1, 2, 0).cpu().numpy()
        Image.fromarray(image).save(f"{folder}/seed{seed:04d}.png")
"""


def write_network(path, size, fmap_base):
    """Write a pickle with a generator of random weights, and a small discriminator, which pictures do not need."""
    from sg2ada_colab.formats.network_data import NetworkData, NetworkSnapshot
    from sg2ada_colab.formats.network_pickle import write_network_pickle
    from sg2ada_colab.networks.config import DiscriminatorConfig, GeneratorConfig
    from sg2ada_colab.networks.variables import discriminator_specs, generator_specs, initial_values

    g = GeneratorConfig(resolution=size, fmap_base=fmap_base, num_fp16_res=4, conv_clamp=256)
    d = DiscriminatorConfig(resolution=size, fmap_base=64, fmap_max=4, mbstd_group_size=4)
    values = initial_values(generator_specs(g), 0, "G")
    networks = [NetworkData(name, g.to_kwargs(), values) for name in ("G", "Gs")]
    discriminator = NetworkData("D", d.to_kwargs(), initial_values(discriminator_specs(d), 0, "D"))
    with open(path, "wb") as file:
        write_network_pickle(file, NetworkSnapshot(networks[0], discriminator, networks[1]))


def timed(words):
    """Return (seconds, the processor's seconds) of a process; None where it fails, with its last line printed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print("not run: {}".format((done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]))
        return None
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def show(name, found, count):
    if found:
        seconds, processor_s = found
        print(f"{name:<44} {count / seconds:9.2f} images/s  {seconds:8.1f} s, processors {processor_s:.1f} s", flush=True)


def measure_size(args, folder, size):
    network = os.path.join(folder, f"{size}.pkl")
    write_network(network, size, args.fmap_base)
    command = [sys.executable, "-m", "sg2ada_colab", "generate", "--quiet", "--network", network]
    show(f"{size}: the first picture", timed(command + ["--count=1", "--outdir", os.path.join(folder, f"first{size}")]), 1)
    out = os.path.join(folder, f"many{size}")
    show(f"{size}: {args.count} as PNG", timed(command + [f"--count={args.count}", "--outdir", out]), args.count)
    show(f"{size}: the same again, all there", timed(command + [f"--count={args.count}", "--outdir", out]), args.count)
    if args.torch_python:
        os.makedirs(os.path.join(folder, f"torch{size}"))
        numbers = [str(size), str(args.fmap_base), str(args.count), os.path.join(folder, f"torch{size}")]
        show(f"{size}: a plain loop in PyTorch", timed([args.torch_python, "-c", TORCH_LOOP, HERE, *numbers]), args.count)


def measure_video(frames, folder):
    """Print the peak memory of processes that write a short and a long video of 32x32."""
    network = os.path.join(folder, "32.pkl")
    write_network(network, 32, 1024)
    for count in (frames // 10, frames):
        code = (
            "import resource, sys; from sg2ada_colab.__main__ import main; code = main(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
        )
        # Without XLA: a long video is worth compiling, a short one is not, and the compiler takes 400 MiB itself.
        words = ["video", "--quiet", "--no-xla", "--network", network, f"--w-frames={count // 4}", "--output", f"{folder}/a.mp4"]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")]))
        done = subprocess.run([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, env=environment, check=True)
        print(f"video of {count} frames: peak memory {int(done.stdout.split()[-1]) / 1024:.0f} MiB", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 256, 1024])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--fmap-base", type=int, default=16384)
    parser.add_argument("--torch-python", help="a Python that has torch, for the loop to compare with")
    parser.add_argument("--video-frames", type=int, default=0)
    args = parser.parse_args(argv)
    sys.path.insert(0, ROOT)
    with tempfile.TemporaryDirectory() as folder:
        for size in [] if args.video_frames else args.sizes:
            measure_size(args, folder, size)
        if args.video_frames:
            measure_video(args.video_frames, folder)


if __name__ == "__main__":
    main()
