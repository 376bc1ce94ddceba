"""Sizes for a collection: the largest square, and the rectangle that cuts least."""

import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.images.suggest_size import chosen_size, kept_share, shape_advice, suggested_size, suggested_square


def test_the_square_is_the_largest_power_of_two_that_nine_in_ten_reach():
    assert suggested_square([(300, 300)] * 90 + [(100, 100)] * 9) == 256
    assert suggested_square([(300, 300)] * 9 + [(100, 100)] * 2) == 64
    assert suggested_square([(5000, 4000)]) == 1024
    assert suggested_square([(3, 900)]) == 4
    assert suggested_square([(3, 900)], "pad") == 512


@pytest.mark.parametrize(
    "sizes, size",
    [
        ([(6000, 4000)], (512, 768)),  # a camera's: 3:2; 1536x1024 would have more pixels than 1024x1024
        ([(1080, 1920)], (1024, 576)),  # a phone's, upright: 9:16
        ([(1024, 1024)], 1024),
        ([(700, 690)], 512),  # nearly square: not 16:15
        ([(40, 60)] * 39 + [(6, 6)], (48, 32)),  # nine in ten reach it
        ([(40, 60)] * 8 + [(6, 9)] * 2, (12, 8)),  # the smallest that there is
        ([(900, 3)], (4, 28)),  # wider than any network; 1:8 would keep hardly more
    ],
)  # fmt: skip
def test_the_rectangle_has_the_shape_that_keeps_most_and_the_size_that_most_images_reach(sizes, size):
    assert suggested_size(sizes) == size


def test_a_mixed_collection_gets_the_shape_that_loses_least_on_average():
    """9 of 12 images are 3:2 and 3 are upright: counted by hand, 3:2 keeps (9 + 3·(4/9))/12 and the square 2/3 of all."""
    sizes = [(600, 400)] * 9 + [(400, 600)] * 3
    assert kept_share(sizes, (2, 3)) == pytest.approx((9 + 3 * 4 / 9) / 12) and kept_share(sizes, (1, 1)) == pytest.approx(2 / 3)
    assert suggested_size(sizes) == (256, 384)
    assert suggested_size([(600, 400)] * 6 + [(400, 600)] * 6) == (256, 384) or suggested_size(sizes[:6] + sizes[-6:]) == 256


def test_padding_fills_and_tiles_are_squares():
    assert suggested_size([(6000, 100)], "tiles") == 64
    assert suggested_size([(1500, 1000)], "pad") == (512, 768)


def test_words_are_resolved_and_others_refused():
    assert chosen_size(None, [(300, 200)]) == 128 and chosen_size("auto", [(300, 200)]) == (128, 192)
    assert chosen_size(64, []) == 64 and chosen_size((48, 32), []) == (48, 32)
    with pytest.raises(UserError, match="'best' is not a size"):
        chosen_size("best", [(300, 200)])


def test_the_doctor_advises_a_rectangle_only_where_it_keeps_much_more():
    (sentence,) = shape_advice([(300, 200)], 128)
    assert (
        sentence
        == "At 192x128 (width x height) the images would keep 100 % of their pixels, now 67 %: --resolution=auto takes it."
    )
    assert "would fill 100 % of the picture, now 67 %" in shape_advice([(300, 200)], 128, "pad")[0]
    assert (
        shape_advice([(300, 290)], 256) == shape_advice([(300, 200)], (128, 192)) == shape_advice([(300, 200)], 64, "tiles") == []
    )
