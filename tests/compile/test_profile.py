"""Profiles: a trace of known kernels as a table, and a real trace of this machine."""

import pytest

from sg2ada_colab.compile.profile import kernels, table, traced
from sg2ada_colab.tf import IS_TF1, compiled, empty_trace, gpus, tf

pytestmark = pytest.mark.skipif(IS_TF1, reason="TensorFlow 1.14 writes no such profiles")


def written(tmp_path, events):
    """Write a trace with one GPU: (kernel, operation, begin ps, duration ps)."""
    space = empty_trace()
    host, gpu = space.planes.add(name="/host:CPU"), space.planes.add(name="/device:GPU:0")
    host.lines.add(name="Stream #1").events.add(metadata_id=1, duration_ps=10**12)
    gpu.stat_metadata[1].name = "hlo_op"
    line, other = gpu.lines.add(name="Stream #1", timestamp_ns=5), gpu.lines.add(name="XLA Ops")
    other.events.add(metadata_id=1, duration_ps=10**12)
    for number, (kernel, operation, begin, duration) in enumerate(events):
        gpu.event_metadata[number].name = kernel
        gpu.stat_metadata[100 + number].name = operation
        event = line.events.add(metadata_id=number, offset_ps=begin, duration_ps=duration)
        event.stats.add(metadata_id=1, ref_value=100 + number)
    folder = tmp_path / "plugins" / "profile" / "now"
    folder.mkdir(parents=True)
    (folder / "machine.xplane.pb").write_bytes(space.SerializeToString())


def test_kernels_are_summed_and_sorted(tmp_path):
    events = [("add", "fusion.1", 0, 10**9), ("conv", "conv.7", 2 * 10**9, 5 * 10**9), ("add", "fusion.1", 8 * 10**9, 2 * 10**9)]
    written(tmp_path, events)
    rows, busy_ms, span_ms = kernels(tmp_path)
    assert [(row.name, row.origin, row.calls, row.total_ms) for row in rows] == [
        ("conv", "conv.7", 1, 5.0),
        ("add", "fusion.1", 2, 3.0),
    ]
    assert (busy_ms, span_ms) == (8.0, 10.0)
    lines = table(rows, busy_ms, 1)
    assert len(lines) == 2 and lines[1].split() == ["5.00", "62.5%", "1", "conv", "(conv.7)"]


def test_a_real_trace_is_read(tmp_path):
    function = compiled(lambda x: tf.matmul(x, x))
    with traced(tmp_path):
        function(tf.ones([8, 8])).numpy()
    rows, busy_ms, span_ms = kernels(tmp_path)
    assert bool(rows) == bool(gpus()) and busy_ms <= span_ms + 1e-6 if rows else (busy_ms, span_ms) == (0, 0)
    assert list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))
