"""What benchmarks/floor.py counts, against counts by hand."""

import importlib.util
from pathlib import Path

import pytest

from sg2ada_colab.tf import compiled, tf

spec = importlib.util.spec_from_file_location("floor", str(Path(__file__).parents[2] / "benchmarks" / "floor.py"))
floor = importlib.util.module_from_spec(spec)
spec.loader.exec_module(floor)

RATES = floor.Rates({"float32": 1e9, "float16": 2e9}, 1e9)


def work_by_kind(function, *inputs):
    return {one.kind: one for one in floor.work_of(function, *inputs)}


def convolve(x, filters):
    return tf.nn.conv2d(x, filters, strides=[1, 2, 2, 1], padding="SAME")


def test_a_convolution_and_the_gradients_that_are_asked_for():
    x, filters = tf.zeros([2, 8, 8, 3]), tf.zeros([3, 3, 3, 5])

    def gradient_of_filters(x, filters):
        with tf.GradientTape() as tape:
            tape.watch([x, filters])
            y = tf.reduce_sum(tf.square(convolve(x, filters)))
        return tape.gradient(y, [x, filters])[1]

    work = work_by_kind(compiled(gradient_of_filters, False), x, filters)
    operations = 2.0 * (2 * 4 * 4 * 5) * (3 * 3 * 3)
    values = 2 * 8 * 8 * 3 + 3 * 3 * 3 * 5 + 2 * 4 * 4 * 5
    assert set(work) == {"Conv2D", "Conv2DBackpropFilter"}, "the gradient of x is in the graph, but nobody needs it"
    for one in work.values():
        assert (one.operations, one.bytes, one.dtype) == (operations, 4.0 * values, "float32")


def test_a_transposed_convolution_meets_each_input_once():
    def transposed(x, filters):
        return tf.nn.conv2d_transpose(x, filters, [2, 8, 8, 3], strides=[1, 2, 2, 1], padding="SAME")

    work = work_by_kind(compiled(transposed, False), tf.zeros([2, 4, 4, 5], tf.float16), tf.zeros([3, 3, 3, 5], tf.float16))
    assert work["Conv2DBackpropInput"].operations == 2.0 * (2 * 4 * 4 * 5) * (3 * 3 * 3)
    assert work["Conv2DBackpropInput"].dtype == "float16"


def test_products_and_variables():
    variable = tf.Variable(tf.zeros([7, 3]))

    def step(a):
        variable.assign(variable + 1.0)
        return tf.matmul(a, variable, transpose_a=True)

    work = floor.work_of(compiled(step, False), tf.zeros([7, 2]))
    assert sum(one.operations for one in work) == 2.0 * 2 * 3 * 7
    assert sorted(one.bytes for one in work if not one.operations) == [7 * 3 * 4] * 2, "read once and written once"


def test_what_is_hidden_in_a_branch_is_refused():
    def branch(x, filters):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: convolve(x, filters), lambda: convolve(-x, filters))

    with pytest.raises(ValueError, match="hides"):
        floor.work_of(compiled(branch, False), tf.zeros([1, 8, 8, 3]), tf.zeros([3, 3, 3, 5]))


def test_the_floor_takes_the_longer_of_both_for_each_operation():
    work = [floor.Work("a", "float32", 3e9, 1e9), floor.Work("b", "float16", 2e9, 5e9), floor.Work("c", "float32", 0.0, 1e9)]
    assert floor.arithmetic_s(work, RATES) == 4.0 and floor.memory_s(work, RATES) == 7.0
    assert floor.floor_s(work, RATES) == 3.0 + 5.0 + 1.0


def test_a_kimg_weighs_phases_by_their_intervals_and_rounds():
    second = [floor.Work("a", "float32", 1e9, 0.0)]
    works = {"G_main": second, "G_reg": second, "G_main_apply": second, "average": second}
    rows, s_kimg = floor.rows_of(works, RATES, 8, 2, {"G_main": 1, "G_reg": 4, "G_main_apply": 1, "average": 1})
    assert s_kimg == (2 + 2 / 4 + 1 + 1) * 1000 / 8 and rows[1] == ("G_reg", 1e-3, 0.0, 1000.0, 0.0, 1000.0)
