"""What benchmarks/absent_gpu.py reads in the texts that XLA leaves."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("absent_gpu", str(Path(__file__).parents[2] / "benchmarks" / "absent_gpu.py"))
absent_gpu = importlib.util.module_from_spec(spec)
spec.loader.exec_module(absent_gpu)

HLO = """
%fused_add (param_0: f16[8,4]) -> f16[8,4] {
  %param_0 = f16[8,4]{1,0} parameter(0)
}
ENTRY %main (a: f16[8,4], b: f32[4]) -> (f16[8,4], f32[4]) {
  %a = f16[8,4]{1,0} parameter(0)
  %b = f32[4]{0} parameter(1)
  %loop_add_fusion.3 = f16[8,4]{1,0} fusion(%a, %b, %a), kind=kLoop, calls=%fused_add
  ROOT %out = (f16[8,4]{1,0}, f32[4]{0}) tuple(%loop_add_fusion.3, %b)
}
"""
PTX = """
.visible .entry loop_add_fusion_3(
\t.param .u64 p0
)
.reqntid 128, 1, 1
{
\t.reg .b32 %r<9>;
\tld.global.nc.v2.b32 {%r1, %r2}, [%rd1];
\tld.global.nc.b16 %rs1, [%rd2];
\t@%p1 bra $L__BB0_2;
\tadd.rn.f16x2 %r3, %r1, %r2;
\tst.global.b32 [%rd3], %r3;
\tret;
}
"""
SEQUENCE = "001: kKernel , kernel = loop_add_fusion_3, launch dimensions = blocks: {2, 1, 1}, threads/block: {128, 1, 1}, x\n"


def test_a_kernel_is_found_with_its_bytes_and_instructions():
    (kernel,) = absent_gpu.kernels_of(HLO, PTX, SEQUENCE)
    moved = 8 * 4 * 2 + 8 * 4 * 2 + 4 * 4  # the result, each operand once
    assert kernel.name == "loop_add_fusion_3" and kernel.result.startswith("f16[8,4]")
    assert (kernel.instructions, kernel.loads, kernel.vector_loads, kernel.branches) == (6, 2, 1, 1)
    assert kernel.megabytes == pytest.approx(moved / 1e6) and kernel.memory_ms == pytest.approx(1e3 * moved / absent_gpu.BYTES_S)
    assert kernel.issue_ms == pytest.approx(1e3 * 2 * 128 / 32 * 6 / absent_gpu.ISSUE_S)


def test_each_launch_counts():
    assert len(absent_gpu.kernels_of(HLO, PTX, 3 * SEQUENCE)) == 3


def test_what_a_loop_holds_counts_as_often_as_it_runs():
    loop = """$L__BB0_1:
\tld.global.nc.b32 %r5, [%rd4];
\tadd.s32 %r4, %r4, 32;
\tsetp.lt.u32 %p2, %r4, 128;
\t@%p2 bra $L__BB0_1;
\tst.global"""
    (kernel,) = absent_gpu.kernels_of(HLO, PTX.replace("\tst.global", loop), SEQUENCE)
    assert kernel.instructions == 6 + 4 * 4 and kernel.loads == 3


def test_bytes_and_instructions_hold_each_other_up():
    (kernel,) = absent_gpu.kernels_of(HLO, PTX, SEQUENCE)
    assert kernel._replace(memory_ms=1.0, issue_ms=0.1).milliseconds() == pytest.approx(1, abs=1e-3)
    assert kernel._replace(memory_ms=1.0, issue_ms=1.0).milliseconds() == pytest.approx(1.19, abs=0.01)
