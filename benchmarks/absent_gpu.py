"""List the kernels that XLA makes of the training phases for an H100, on a machine without one, with their least times.

    python -m venv jax && jax/bin/pip install jax==0.9.0
    jax/bin/pip install --no-deps jax-cuda12-plugin==0.9.0 jax-cuda12-pjrt==0.9.0 nvidia-cuda-nvcc-cu12
    python benchmarks/absent_gpu.py --jax jax/bin/python --size 256 --cfg paper256 --batch-gpu 64

TensorFlow writes down each phase's program as it is traced for a GPU; the XLA in JAX, of about the age of TensorFlow 2.21's,
compiles it for a described device. Of each fused kernel the table gives the time that its operands need at 3 TB/s, the time that
its instructions need at three quarters of the card's issue rate, and how its loads look. Convolutions and matrix products are not
in it. The program is the one that TensorFlow compiles, as far as was seen: all 214 convolutions that an H100 had timed were found
again. The sum over kernels came within a tenth of what an H100 measured; single ones with many branches took 0.6 to 0.8 of
their estimate.
"""

import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

BYTES_S = 3.0e12
ISSUE_S = 0.75 * 132 * 4 * 1.755e9  # instructions of a warp a second, of all multiprocessors
WARP = 32
ELEMENT_BYTES = {"pred": 1, "u8": 1, "s8": 1, "f16": 2, "bf16": 2, "u16": 2, "f32": 4, "s32": 4, "u32": 4, "s64": 8, "u64": 8}
H100 = """
gpu_device_info {
  threads_per_block_limit: 1024  threads_per_warp: 32  shared_memory_per_block: 49152  shared_memory_per_core: 233472
  threads_per_core_limit: 2048  core_count: 132  fpus_per_core: 128  block_dim_limit_x: 2147483647  block_dim_limit_y: 65535
  block_dim_limit_z: 65535  memory_bandwidth: 3352320000000  l2_cache_size: 52428800  clock_rate_ghz: 1.98
  device_memory_size: 84942979072  shared_memory_per_block_optin: 232448  cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536  registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9  minor: 10 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


class Kernel(NamedTuple):
    """One launch of a fused kernel."""

    name: str
    memory_ms: float
    issue_ms: float
    instructions: int  # of one thread; loops count as often as they run
    loads: int
    vector_loads: int
    branches: int
    megabytes: float
    result: str

    def milliseconds(self):
        """Return the time of both together: the longer one, and somewhat more where both are about as long."""
        return (self.memory_ms**4 + self.issue_ms**4) ** 0.25


def write_programs(folder, config):
    """Write NAME.hlo of every program of a run, traced for a GPU, to a folder."""
    import sg2ada_colab.tf as engine

    engine.gpus = lambda: ["the one that is absent"]
    from sg2ada_colab.runs.build import build_phases, build_state

    phases = build_phases(config, build_state(config))
    for program in phases.programs():
        text = program.function.experimental_get_compiler_ir(*program.inputs)
        (folder / (program.name + ".hlo")).write_bytes(text(stage="hlo_serialized", device_name="/device:CPU:0"))


def compile_program(path):
    """Compile a program for the absent H100; XLA_FLAGS say where it leaves its texts. Runs where JAX is installed."""
    import jax_plugins.xla_cuda12 as plugin
    from jax._src import xla_bridge
    from jax._src.interpreters import mlir
    from jax._src.lib import xla_client
    from jax.experimental import topologies
    from jaxlib import _jax
    from jaxlib.mlir import ir

    xla_bridge.register_plugin("cuda", priority=1, library_path=str(plugin._get_library_path()))
    device = topologies.get_topology_desc(platform="cuda", topology_name="", target_config=H100, topology="1x1x1").devices[0]
    options = _jax.HloPrintOptions()
    options.print_large_constants, options.print_metadata = True, False
    text = _jax.XlaComputation(Path(path).read_bytes()).get_hlo_module().to_string(options)
    # A copy cannot be said in StableHLO; a reshape to the same shape can.
    module = _jax.hlo_module_from_text(re.sub(r" copy\(", " reshape(", text))
    stable = _jax.mlir.hlo_to_stablehlo(module.as_serialized_hlo_module_proto())
    with mlir.make_ir_context():
        device.client.compile(ir.Module.parse(stable), xla_client.DeviceList((device,)), xla_client.CompileOptions())


def kernels_of(hlo, ptx, sequence):
    """Return a Kernel for each launch in a dump.

    Args:
        hlo: Text of the optimised module.
        ptx: Text of its machine program.
        sequence: Text of its thunk sequence.
    """
    shapes, operands = {}, {}
    for line in hlo.splitlines():
        found = re.match(r"\s+(?:ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) [\w\-]+\(((?:[^()]|\([^()]*\))*)\)", line)
        if found:
            shapes[found.group(1)] = found.group(2)
            operands[found.group(1)] = set(re.findall(r"%?([\w.\-]+)", found.group(3)))
    names = {re.sub(r"[.\-]", "_", name): name for name in shapes}
    bodies, executed = {}, {}
    for found in re.finditer(r"\.visible \.entry (\S+?)\(.*?\n\{(.*?)\n\}", ptx, re.S):
        lines = [line.strip() for line in found.group(2).splitlines()]
        lines = [line for line in lines if line.endswith((";", ":")) and not line.startswith(".")]
        bodies[found.group(1)] = [line for line in lines if line.endswith(";")]
        executed[found.group(1)] = _executed(lines)
    launches = r"kernel = (\S+), launch dimensions = blocks: \{(\d+), (\d+), (\d+)\}, threads/block: \{(\d+), (\d+), (\d+)\}"
    kernels = []
    for kernel, *sides in re.findall(launches, sequence):
        threads = 1
        for side in sides:
            threads *= int(side)
        body, name = bodies.get(kernel, []), names.get(kernel)
        loads = [line for line in body if line.startswith("ld.global")]
        moved = _bytes(shapes[name]) + sum(_bytes(shapes[o]) for o in operands[name] if o in shapes) if name else 0
        issue_ms = 1e3 * threads / WARP * executed.get(kernel, 0) / ISSUE_S
        branches = sum(bool(re.search(r"\bbra\b", line)) for line in body)
        vectors = sum(".v2" in line or ".v4" in line for line in loads)
        counts = (executed.get(kernel, 0), len(loads), vectors, branches, moved / 1e6)
        kernels.append(Kernel(kernel, 1e3 * moved / BYTES_S, issue_ms, *counts, shapes.get(name, "")))
    return kernels


def _executed(lines):
    """Return how many instructions a thread executes of a kernel's lines, instructions and labels."""
    instructions = [line.endswith(";") for line in lines]
    total, labels = sum(instructions), {line[:-1]: at for at, line in enumerate(lines) if line.endswith(":")}
    for end, line in enumerate(lines):
        jump = re.match(r"@!?(%p\d+)\s+bra\S*\s+(\S+);", line)
        start = labels.get(jump.group(2), end) if jump else end
        if start >= end:
            continue
        # A loop, if its condition compares a register with a number that it is stepped to from about zero.
        body = "\n".join(lines[start:end])
        limits = re.findall(rf"setp\.\w+\.\w+\s+{jump.group(1)}, (%\w+), (-?\d+);", body)
        steps = limits and re.findall(r"add\.\w+\s+(%\w+), (%\w+), (-?\d+);", body)
        found = [int(step) for to, by, step in steps or [] if limits[-1][0] in (to, by) and int(step)]
        if found:
            total += sum(instructions[start : end + 1]) * max(abs(int(limits[-1][1]) // found[-1]) - 1, 0)
    return total


def _bytes(shape):
    total = 0
    for element, sides in re.findall(r"\b({})\[([\d,]*)\]".format("|".join(ELEMENT_BYTES)), shape):
        count = 1
        for side in filter(None, sides.split(",")):
            count *= int(side)
        total += count * ELEMENT_BYTES[element]
    return total


def report(folder, name, rows):
    """Print the table of one dumped program."""

    def text(pattern):
        return next(folder.glob(pattern)).read_text()

    kernels = kernels_of(text("*after_optimizations.txt"), text("*.ptx"), text("*thunk_sequence.txt"))
    memory = re.search(r"\(([\d.]+)GiB\)", text("*memory-usage-report.txt")).group(1)
    total = sum(k.milliseconds() for k in kernels)
    sums = total, sum(k.memory_ms for k in kernels), sum(k.issue_ms for k in kernels)
    print("{}: {} kernels, {:.2f} ms (memory {:.2f}, issue {:.2f}); {} GiB".format(name, len(kernels), *sums, memory))
    heads = "memory ms", "issue ms", "instr", "loads", "vectors", "branches", "MB"
    print("{:>10} {:>9} {:>6} {:>6} {:>7} {:>9} {:>8}  kernel".format(*heads))
    for k in sorted(kernels, key=lambda k: -k.milliseconds())[:rows]:
        columns = "{:10.2f} {:9.2f} {:6} {:6} {:7} {:9} {:8.0f}  {} {}"
        print(columns.format(*k[1:8], k.name, k.result[:60]))


def main():
    if sys.argv[1:2] == ["--compile"]:
        compile_program(sys.argv[2])
        return
    from train_speed import make_config, make_parser, sizes_of

    parser = make_parser(__doc__)
    parser.add_argument("--jax", required=True, help="Python in which JAX is installed")
    parser.add_argument("--phase", action="append", help="G_main, D_main, G_reg, D_reg; may be given again (default all)")
    parser.add_argument("--rows", type=int, default=20, help="kernels of each phase (default 20)")
    args = parser.parse_args()
    find = "import importlib.util, json; print(json.dumps(list(importlib.util.find_spec('nvidia').submodule_search_locations)))"
    nvidia = json.loads(subprocess.run([args.jax, "-c", find], stdout=subprocess.PIPE, check=True).stdout.decode())[0]
    with tempfile.TemporaryDirectory() as scratch:
        config = make_config(args, sizes_of(args)[0], (args.aug or ["noaug"])[0], xla=True)
        if args.precision != "fp32":
            config = dataclasses.replace(config, engine=dataclasses.replace(config.engine, precision="fp16"))
        write_programs(Path(scratch), config)
        for program in sorted(Path(scratch).glob("*.hlo")):
            if args.phase and program.stem not in args.phase:
                continue
            dump = Path(scratch) / program.stem
            flags = f"--xla_dump_to={dump} --xla_gpu_cuda_data_dir={nvidia}/cuda_nvcc --xla_gpu_autotune_level=0"
            flags += " --xla_gpu_enable_triton_gemm=false --xla_gpu_experimental_enable_fusion_autotuner=false"
            environment = dict(os.environ, XLA_FLAGS=flags, JAX_PLATFORMS="cpu")
            command = [args.jax, __file__, "--compile", str(program)]
            subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=True)
            report(dump, program.stem, args.rows)


if __name__ == "__main__":
    main()
