"""Print how fast training could be at best: the least time that its matrix products and its memory need, phase by phase.

    python benchmarks/floor.py                                                          # the CPU size, rates measured here
    python benchmarks/floor.py --size 256 --cfg paper256 --batch-gpu 64 --rates 798 3.0   # an H100, from anywhere

Counted from the graphs that training compiles, as the roofline model does (Williams et al. 2009): each convolution and matrix
product takes the longer of its arithmetic at the rate of a large matrix product and of its operands, read and written once, at
the rate of a copy; variables are read and written once. All other work is taken for fused into these, at no cost. Nothing
reaches the floor; how far a phase is from it says where to look.
"""

import dataclasses
import sys
import time
from typing import NamedTuple

CONVOLUTIONS = {"Conv2D": 1, "Conv2DBackpropInput": 1, "Conv2DBackpropFilter": None}  # operation → input that is the filter
PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
LARGE = {"GPU": (8192, 2**30), "CPU": (2048, 2**28)}  # device → side of the matrices, bytes of the copy


class Work(NamedTuple):
    """One operation: what it computes and what it moves."""

    kind: str
    dtype: str  # "float16" or "float32"
    operations: float  # multiplications and additions
    bytes: float


class Rates(NamedTuple):
    """What a device reaches."""

    matrix: dict  # dtype → operations a second
    copy: float  # bytes a second, read and written together


def work_of(function, *inputs):
    """Return the Work of a tf.function at inputs of these shapes, without running it.

    Args:
        function: Result of `sg2ada_colab.tf.compiled`.
        inputs: Tensors of the shapes to count for.

    Raises:
        ValueError: A shape is unknown, or a loop or a branch hides what is inside it.
    """
    graph = function.get_concrete_function(*inputs).graph
    found, variables = [], {}
    for op in _needed(graph):
        if op.type in CONVOLUTIONS or op.type in PRODUCTS:
            found.append(_work(op))
        elif op.type in ("ReadVariableOp", "AssignVariableOp"):
            value = (op.outputs if op.type == "ReadVariableOp" else op.inputs[1:])[0]
            variables[(op.type, id(op.inputs[0]))] = Work(op.type, value.dtype.name, 0.0, _bytes(value))
    for function_def in graph.as_graph_def().library.function:
        hidden = [node.name for node in function_def.node_def if node.op in CONVOLUTIONS or node.op in PRODUCTS]
        if hidden:
            raise ValueError("{} hides {}".format(function_def.signature.name, ", ".join(hidden)))
    return found + list(variables.values())


def _needed(graph):
    """Return the operations that the graph's results depend on; gradients that nobody asked for are in it, too."""
    open_ends = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    needed = set()
    while open_ends:
        op = open_ends.pop()
        if op not in needed:
            needed.add(op)
            open_ends += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return needed


def _work(op):
    result = op.outputs[0]
    if op.type in CONVOLUTIONS:
        position = CONVOLUTIONS[op.type]
        weights = _shape(result if position is None else op.inputs[position])
        # Each element on the far side of the convolution, as it would be read forward, meets the filter once.
        far = _shape(result if op.type == "Conv2D" else op.inputs[2])
        operations = 2.0 * _product(far) * _product(weights[:3])
        moved = [tensor for tensor in op.inputs if len(_shape(tensor)) == 4] + [result]
    else:
        left = _shape(op.inputs[0])
        transposed = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
        operations = 2.0 * _product(_shape(result)) * left[-2 if transposed else -1]
        moved = list(op.inputs) + [result]
    return Work(op.type, result.dtype.name, operations, sum(_bytes(tensor) for tensor in moved))


def _shape(tensor):
    shape = tensor.shape.as_list()
    if None in shape:
        raise ValueError(f"{tensor.name} has no fixed shape")
    return shape


def _product(sizes):
    product = 1
    for size in sizes:
        product *= size
    return product


def _bytes(tensor):
    return float(_product(_shape(tensor)) * tensor.dtype.size)


def arithmetic_s(work, rates):
    """Return the seconds that the arithmetic takes."""
    return sum(one.operations / rates.matrix[one.dtype] for one in work if one.operations)


def memory_s(work, rates):
    """Return the seconds that the bytes take."""
    return sum(one.bytes for one in work) / rates.copy


def floor_s(work, rates):
    """Return the seconds that the operations take one after another, each bound by its arithmetic or by its bytes."""
    return sum(max(one.operations / rates.matrix[one.dtype] if one.operations else 0, one.bytes / rates.copy) for one in work)


def measured_rates(repeats=8):
    """Return the Rates of the first GPU, or of the processor where there is none."""
    from sg2ada_colab.tf import compiled, gpus, tf

    side, size = LARGE["GPU" if gpus() else "CPU"]

    def best(function, *inputs):
        function(*inputs)[0].numpy()
        seconds = []
        for _ in range(repeats):
            began = time.perf_counter()
            for _ in range(4):
                result = function(*inputs)
            result[0].numpy()
            seconds.append((time.perf_counter() - began) / 4)
        return min(seconds)

    def multiply(a, b):
        c = tf.matmul(a, b)
        return c[0, 0], c

    matrix = {}
    for dtype in (tf.float32, tf.float16) if gpus() else (tf.float32,):
        a = tf.ones([side, side], dtype)
        matrix[dtype.name] = 2.0 * side**3 / best(compiled(multiply), a, a)
    matrix.setdefault("float16", matrix["float32"])
    x = tf.ones([size // 4])
    return Rates(matrix, 2.0 * size / best(compiled(lambda x: (x[0], x + 1.0)), x))


def rows_of(works, rates, batch, rounds, intervals):
    """Return [(phase, tera-operations, GB, arithmetic ms, memory ms, floor ms)], and the floor in s a kimg.

    Args:
        works: dict phase → list of Work for one round.
        rates: Rates.
        batch: Images a minibatch.
        rounds: Rounds a minibatch.
        intervals: dict phase → minibatches from one call to the next.
    """
    rows, minibatch_s = [], 0.0
    for phase, work in works.items():
        total, moved = sum(one.operations for one in work), sum(one.bytes for one in work)
        floor = floor_s(work, rates)
        rows.append((phase, total / 1e12, moved / 1e9, 1e3 * arithmetic_s(work, rates), 1e3 * memory_s(work, rates), 1e3 * floor))
        minibatch_s += floor * (1 if phase == "average" or phase.endswith("_apply") else rounds) / intervals[phase]
    return rows, minibatch_s * 1000 / batch


def floor_of(config, phases, rates):
    """Return `rows_of` for the programs of a run."""
    works = {program.name: work_of(program.function, *program.inputs) for program in phases.programs()}
    every = {phase.name: phase.interval for phase in phases.generator + phases.discriminator}
    intervals = {name: every.get(name.replace("_apply", ""), 1) for name in works}
    return rows_of(works, rates, config.schedule.minibatch_size, config.schedule.rounds, intervals)


def lines_of(rows, s_kimg):
    """Return the table as lines."""
    lines = ["{:>14} {:>8} {:>8} {:>14} {:>10} {:>9}".format("phase", "Tera-op", "GB", "arithmetic ms", "memory ms", "floor ms")]
    lines += ["{:>14} {:8.3f} {:8.3f} {:14.2f} {:10.2f} {:9.2f}".format(*row) for row in rows]
    return lines + [f"floor {s_kimg:.3f} s/kimg"]


def main():
    from train_speed import make_config, make_parser, sizes_of

    parser = make_parser(__doc__)
    parser.add_argument(
        "--rates", type=float, nargs=2, metavar=("TERA_OP", "TB"), help="of a GPU: float16 products, copies (default: measured)"
    )
    args = parser.parse_args()
    from sg2ada_colab.runs.build import build_phases, build_state
    from sg2ada_colab.shape import size_text
    from sg2ada_colab.tf import compiling_for

    for size in sizes_of(args):
        for aug in args.aug or ["noaug"]:
            config = make_config(args, size, aug, xla=True)
            if args.rates:
                config = dataclasses.replace(config, precision="fp32" if args.precision == "fp32" else "fp16", xla=False)
                tera, terabytes = args.rates
                rates = Rates({"float16": tera * 1e12, "float32": tera * 0.5e12}, terabytes * 1e12)
            else:
                rates = measured_rates()
            with compiling_for("gpu" if args.rates else None):
                rows, s_kimg = floor_of(config, build_phases(config, build_state(config)), rates)
            print(f"{size_text(config.shape.height, config.shape.width)} {aug} batch {config.schedule.minibatch_size}, {rates}")
            print("\n".join(lines_of(rows, s_kimg)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
